//! Owns what things look like to clients: field names, order and forms are the original's.

mod activity;
pub mod user_inputs;

use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::clock::{Timestamp, rfc3339};
use crate::domain::user::User;
use crate::http::pipeline::schema::{self, Described, array, boolean, datetime, integer, nullable, object, string};

pub use activity::{AuditRead, AuditResponse, EnterResponse, ResetLink, SessionRead, SessionsResponse};

fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(time))
}

#[expect(clippy::ref_option, reason = "serde passes fields like this")]
fn maybe_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(rfc3339).serialize(serializer)
}

/// A user.
#[derive(Debug, Serialize)]
pub struct UserRead<'a> {
    id: Uuid,
    username: &'a str,
    profile_image: Option<&'a str>,
    store_api_key: Option<&'a str>,
    is_active: bool,
    is_superuser: bool,
    #[serde(serialize_with = "time")]
    create_at: Timestamp,
    #[serde(serialize_with = "time")]
    updated_at: Timestamp,
    #[serde(serialize_with = "maybe_time")]
    last_login_at: Option<Timestamp>,
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
        }
    }
}

impl Described for UserRead<'_> {
    const NAME: &'static str = "UserRead";

    fn schema() -> Value {
        object(&[
            ("id", schema::uuid(), false),
            ("username", string(), true),
            ("profile_image", nullable(string()), true),
            ("store_api_key", nullable(string()), true),
            ("is_active", boolean(), true),
            ("is_superuser", boolean(), true),
            ("create_at", datetime(), true),
            ("updated_at", datetime(), true),
            ("last_login_at", nullable(datetime()), true),
        ])
    }
}

/// A part of the list of users.
#[derive(Debug, Serialize)]
pub struct UsersResponse<'a> {
    pub total_count: i64,
    pub users: Vec<UserRead<'a>>,
}

impl Described for UsersResponse<'_> {
    const NAME: &'static str = "UsersResponse";

    fn schema() -> Value {
        object(&[("total_count", integer(), true), ("users", array(schema::reference::<UserRead<'_>>()), true)])
    }

    fn parts() -> Vec<(&'static str, Value)> {
        vec![(UserRead::NAME, UserRead::schema())]
    }
}

/// What a log-in or refresh gives.
#[derive(Debug, Serialize)]
pub struct Token<'a> {
    pub access_token: &'a str,
    pub refresh_token: &'a str,
    pub token_type: &'a str,
}

impl Described for Token<'_> {
    const NAME: &'static str = "Token";

    fn schema() -> Value {
        object(&[("access_token", string(), true), ("refresh_token", string(), true), ("token_type", string(), true)])
    }
}

/// Who is signed in on this browser, if anybody.
#[derive(Debug, Serialize)]
pub struct SessionResponse<'a> {
    pub authenticated: bool,
    pub user: Option<UserRead<'a>>,
    pub store_api_key: Option<&'a str>,
}

impl Described for SessionResponse<'_> {
    const NAME: &'static str = "SessionResponse";

    fn schema() -> Value {
        object(&[
            ("authenticated", boolean(), true),
            ("user", nullable(schema::reference::<UserRead<'_>>()), false),
            ("store_api_key", nullable(string()), false),
        ])
    }

    fn parts() -> Vec<(&'static str, Value)> {
        vec![(UserRead::NAME, UserRead::schema())]
    }
}

/// An API key as its owner sees it later: masked.
#[derive(Debug, Serialize)]
pub struct ApiKeyRead<'a> {
    name: Option<&'a str>,
    #[serde(serialize_with = "maybe_time")]
    last_used_at: Option<Timestamp>,
    total_uses: i64,
    is_active: bool,
    id: Uuid,
    api_key: String,
    user_id: Uuid,
    #[serde(serialize_with = "time")]
    created_at: Timestamp,
    #[serde(serialize_with = "maybe_time", skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
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

impl Described for ApiKeyRead<'_> {
    const NAME: &'static str = "ApiKeyRead";

    fn schema() -> Value {
        let mut fields = key_fields();
        fields.push(("created_at", datetime(), true));
        fields.push(("expires_at", datetime(), false));
        object(&fields)
    }
}

fn key_fields() -> Vec<schema::Field> {
    vec![
        ("name", nullable(string()), false),
        ("last_used_at", nullable(datetime()), false),
        ("total_uses", integer(), false),
        ("is_active", boolean(), false),
        ("id", schema::uuid(), true),
        ("api_key", string(), true),
        ("user_id", schema::uuid(), true),
    ]
}

/// One's API keys.
#[derive(Debug, Serialize)]
pub struct ApiKeysResponse<'a> {
    pub total_count: usize,
    pub user_id: Uuid,
    pub api_keys: Vec<ApiKeyRead<'a>>,
}

impl Described for ApiKeysResponse<'_> {
    const NAME: &'static str = "ApiKeysResponse";

    fn schema() -> Value {
        object(&[
            ("total_count", integer(), true),
            ("user_id", schema::uuid(), true),
            ("api_keys", array(schema::reference::<ApiKeyRead<'_>>()), true),
        ])
    }

    fn parts() -> Vec<(&'static str, Value)> {
        vec![(ApiKeyRead::NAME, ApiKeyRead::schema())]
    }
}

/// A new API key, the only time that it is shown.
#[derive(Debug, Serialize)]
pub struct UnmaskedApiKeyRead<'a> {
    name: Option<&'a str>,
    #[serde(serialize_with = "maybe_time")]
    last_used_at: Option<Timestamp>,
    total_uses: i64,
    is_active: bool,
    id: Uuid,
    api_key: &'a str,
    user_id: Uuid,
    #[serde(serialize_with = "maybe_time", skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
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

impl Described for UnmaskedApiKeyRead<'_> {
    const NAME: &'static str = "UnmaskedApiKeyRead";

    fn schema() -> Value {
        let mut fields = key_fields();
        fields.push(("expires_at", datetime(), false));
        object(&fields)
    }
}

/// A sentence under `detail`.
#[derive(Debug, Serialize)]
pub struct Detail {
    pub detail: &'static str,
}

impl Described for Detail {
    const NAME: &'static str = "Detail";

    fn schema() -> Value {
        object(&[("detail", string(), true)])
    }
}

/// A sentence under `message`, as log-out answers.
#[derive(Debug, Serialize)]
pub struct Message {
    pub message: &'static str,
}

impl Described for Message {
    const NAME: &'static str = "Message";

    fn schema() -> Value {
        object(&[("message", string(), true)])
    }
}

/// That the process is alive.
#[derive(Debug, Serialize)]
pub struct Alive {
    pub status: &'static str,
}

impl Described for Alive {
    const NAME: &'static str = "Alive";

    fn schema() -> Value {
        object(&[("status", string(), true)])
    }
}

/// Whether the database can be read and written.
#[derive(Debug, Serialize)]
pub struct HealthResponse {
    pub status: &'static str,
    pub chat: &'static str,
    pub db: &'static str,
}

impl Described for HealthResponse {
    const NAME: &'static str = "HealthResponse";

    fn schema() -> Value {
        object(&[("status", string(), false), ("chat", string(), false), ("db", string(), false)])
    }
}
