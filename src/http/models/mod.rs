//! The JSON that clients send and receive. The names, order and formats of fields are Langflow's.

mod activity;
pub mod factors;
pub mod invitations;
pub mod link_token;
pub mod login_form;
pub mod own_data;
pub mod server;
pub mod user_inputs;
mod user_json;
pub mod user_list;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use strum::VariantNames;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType, Type};
use utoipa::openapi::{Object, ObjectBuilder};
use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::clock::{Timestamp, rfc3339};
use crate::domain::optins::{self, OptIns};
use crate::domain::user::User;
use crate::http::models::user_json::push_user;
use crate::http::pipeline::generation::Generation;

pub use activity::{AuditRead, AuditResponse, EnterResponse, ResetLink, ResetLinkCheck, SessionRead, SessionsResponse};

fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(time))
}

#[expect(clippy::ref_option, reason = "serde passes fields like this")]
fn maybe_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(rfc3339).serialize(serializer)
}

/// The schema of a string that is one of an enum's words.
pub fn choice_schema<T: VariantNames>() -> ObjectBuilder {
    Object::builder().schema_type(Type::String).enum_values(Some(T::VARIANTS.iter().copied()))
}

/// The schema of a string with so many characters.
pub fn text<const MIN: usize, const MAX: usize>() -> ObjectBuilder {
    Object::builder().schema_type(Type::String).min_length(Some(MIN).filter(|min| *min > 0)).max_length(Some(MAX))
}

/// The schema of a string with so many characters, or `null`.
pub fn nullable_text<const MIN: usize, const MAX: usize>() -> ObjectBuilder {
    text::<MIN, MAX>().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

/// The schema of an object with any fields.
fn any_object() -> ObjectBuilder {
    let any = AdditionalProperties::FreeForm(true);
    Object::builder().schema_type(Type::Object).additional_properties(Some(any))
}

/// A user account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "User")]
pub struct UserRead<'a> {
    id: Uuid,
    username: &'a str,
    /// The picture that the client chose, in the client's own notation.
    #[schema(required)]
    profile_image: Option<&'a str>,
    /// The encrypted key to the component store.
    #[schema(required)]
    store_api_key: Option<&'a str>,
    /// Whether the user can sign in.
    is_active: bool,
    is_superuser: bool,
    #[serde(serialize_with = "time")]
    create_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    updated_at: DateTime<Utc>,
    /// `null` before the first sign-in.
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    last_login_at: Option<DateTime<Utc>>,
    /// What clients remember about their user.
    #[schema(schema_with = any_object)]
    optins: &'a OptIns,
    /// Only in the list, with `include=second_factor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    has_second_factor: Option<bool>,
    /// Only with `include=must_change_password`, and after a change of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    must_change_password: Option<bool>,
}

impl UserRead<'_> {
    /// Leaves the store key out.
    #[must_use]
    pub fn without_store_key(self) -> Self {
        Self { store_api_key: None, ..self }
    }

    /// Tells whether the user has a second factor, if that was asked for.
    #[must_use]
    pub fn with_factor(self, has_second_factor: Option<bool>) -> Self {
        Self { has_second_factor, ..self }
    }

    /// Tells whether the user must choose a new password.
    #[must_use]
    pub fn with_password_duty(self, user: &User) -> Self {
        Self { must_change_password: Some(user.must_change_password), ..self }
    }
}

impl<'a> From<&'a User> for UserRead<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            username: user.username.as_str(),
            profile_image: user.profile_image.as_deref(),
            store_api_key: user.store_api_key.as_deref(),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            create_at: user.create_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
            optins: user.optins.as_ref().unwrap_or(&optins::DEFAULT),
            has_second_factor: None,
            must_change_password: None,
        }
    }
}

/// A page of the list of users.
#[derive(Debug, ToSchema)]
#[schema(title = "List of users")]
pub struct UsersResponse<'a> {
    /// How many users match in all.
    pub total_count: i64,
    pub users: Vec<UserRead<'a>>,
    /// The listed users who want their account deleted, with the state of the request.
    pub deletion_requests: BTreeMap<Uuid, &'static str>,
}

impl UsersResponse<'_> {
    /// Returns the JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // A user takes about 400 bytes.
        let mut json = Vec::with_capacity(64 + 512 * self.users.len());
        json.extend_from_slice(format!("{{\"total_count\":{},\"users\":[", self.total_count).as_bytes());
        for (position, user) in self.users.iter().enumerate() {
            if position > 0 {
                json.push(b',');
            }
            push_user(&mut json, user);
        }
        json.extend_from_slice(b"],\"deletion_requests\":");
        serde_json::to_writer(&mut json, &self.deletion_requests).expect("a map of texts serializes");
        json.push(b'}');
        json
    }
}

/// Who is signed in on this browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Current session")]
pub struct SessionResponse<'a> {
    pub authenticated: bool,
    #[schema(required)]
    pub user: Option<UserRead<'a>>,
    /// The encrypted key to the component store.
    #[schema(required)]
    pub store_api_key: Option<&'a str>,
    /// `true` if the user must set up a second factor before anything else; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub second_factor_missing: bool,
    /// `true` if the user must choose a new password before anything else; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub must_change_password: bool,
}

/// The user is deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Deletion of a user")]
pub struct UserDeleted {
    pub detail: &'static str,
    /// Names the deletion. Clients of Langflow 1.13 expect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<Uuid>,
}

impl UserDeleted {
    /// Returns the body and its status.
    pub fn new(generation: &Generation) -> (Self, StatusCode) {
        let (status, detail) = generation.user_deleted;
        (Self { detail, request_id: generation.deletion_has_request_id.then(Uuid::new_v4) }, status)
    }
}

/// An API key. Only the first characters are shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "API key")]
pub struct ApiKeyRead<'a> {
    #[schema(required)]
    name: Option<&'a str>,
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    last_used_at: Option<DateTime<Utc>>,
    total_uses: i64,
    is_active: bool,
    id: Uuid,
    /// The key's first characters, with asterisks for the rest.
    api_key: String,
    user_id: Uuid,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    /// `null` if the key doesn't expire.
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    expires_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a ApiKey> for ApiKeyRead<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            name: key.name.as_deref(),
            last_used_at: key.last_used_at,
            total_uses: key.total_uses,
            is_active: key.is_active,
            id: key.id,
            api_key: key.masked(),
            user_id: key.user_id,
            created_at: key.created_at,
            expires_at: key.expires_at,
        }
    }
}

/// The API keys of one user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "List of API keys")]
pub struct ApiKeysResponse<'a> {
    #[schema(value_type = i64)]
    pub total_count: usize,
    pub user_id: Uuid,
    pub api_keys: Vec<ApiKeyRead<'a>>,
}

/// A new API key. This is the only response that shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "New API key")]
pub struct UnmaskedApiKeyRead<'a> {
    #[schema(required)]
    name: Option<&'a str>,
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    last_used_at: Option<DateTime<Utc>>,
    total_uses: i64,
    is_active: bool,
    id: Uuid,
    /// The whole key.
    api_key: &'a str,
    user_id: Uuid,
    /// `null` if the key doesn't expire.
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    expires_at: Option<DateTime<Utc>>,
}

impl<'a> UnmaskedApiKeyRead<'a> {
    /// The key's row with the key itself.
    pub fn new(key: &'a ApiKey, unmasked: &'a str) -> Self {
        Self {
            name: key.name.as_deref(),
            last_used_at: key.last_used_at,
            total_uses: key.total_uses,
            is_active: key.is_active,
            id: key.id,
            api_key: unmasked,
            user_id: key.user_id,
            expires_at: key.expires_at,
        }
    }
}

/// What was done, in one sentence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Confirmation")]
pub struct Detail {
    pub detail: &'static str,
}

/// The user is signed out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Sign-out message")]
pub struct Message {
    pub message: &'static str,
}

/// Whether the server works.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It works.
    Ok,
    /// It doesn't.
    Nok,
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Liveness")]
pub struct Alive {
    #[schema(inline)]
    pub status: HealthStatus,
}

/// The database was read and written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Health")]
pub struct HealthResponse {
    #[schema(inline)]
    pub status: HealthStatus,
    /// `ok`, or a hint where to look.
    pub chat: &'static str,
    /// `ok`, or what is wrong with the database.
    pub db: &'static str,
}
