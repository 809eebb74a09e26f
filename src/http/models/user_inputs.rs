//! The input of the routes of user accounts: the fields, their checks, and their description.

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Object, SchemaType, Type};

use crate::auth::password_hasher::MAX_BYTES;
use crate::domain::optins::{self, OptIns};
use crate::domain::policy;
use crate::domain::secret::Secret;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, UserPatch};
use crate::domain::username::{MAX_CHARS, Username};
use crate::http::models::{nullable_text, text};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Rejected};

/// A new user.
#[derive(ToSchema)]
#[schema(title = "New user")]
pub struct UserCreate {
    /// Compared without regard to case.
    #[schema(schema_with = text::<1, MAX_CHARS>)]
    pub username: Username,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    pub password: Secret,
    #[schema(required = false, schema_with = nullable_optins)]
    pub optins: Option<OptIns>,
}

/// The schema of [`OptIns`], or `null`.
fn nullable_optins() -> ObjectBuilder {
    let about = format!("What a client remembers about its user, at most {} bytes as JSON.", optins::MAX_BYTES);
    Object::builder()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .description(Some(about))
}

/// A [`UserCreate`] whose fields have the right types; the error is for the handler to send.
pub struct CheckedUserCreate(pub Result<UserCreate, Rejected>);

impl CheckedUserCreate {
    /// Reads the fields. Name and password must be there and differ.
    pub fn from_fields(fields: &Fields<'_>, source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let (min, mut rejected) = (source.config.password_min_length, None);
        let username = fields.required("username", errors, |value| fields::new_username(value, &mut rejected));
        let password = fields.required("password", errors, |value| fields::new_password(value, min, &mut rejected));
        let optins = fields.optional("optins", errors, fields::optins);
        let (username, password) = (username?, password?);
        let accepted = match (username, rejected) {
            (Some(username), None) => {
                fields::differs_from_name(&password, &username).map(|()| UserCreate { username, password, optins })
            }
            (_, Some(rejected)) => Err(rejected),
            (None, None) => return None,
        };
        Some(Self(accepted))
    }
}

impl Input for CheckedUserCreate {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        Self::from_fields(&fields, source, errors)
    }

    fn describe(operation: &mut Operation) {
        operation.body::<UserCreate>("application/json");
    }
}

/// Changes to a user. Fields that are absent or `null` stay as they are.
#[derive(ToSchema)]
#[schema(title = "Changes to a user")]
pub struct UserUpdate {
    #[schema(schema_with = nullable_text::<1, MAX_CHARS>)]
    username: Option<Username>,
    /// A picture, in the client's own notation.
    #[schema(schema_with = nullable_text::<0, MAX_PROFILE_IMAGE_CHARS>)]
    profile_image: Option<String>,
    /// The new password. Users set their own with `reset-password`.
    #[schema(schema_with = nullable_text::<0, MAX_BYTES>)]
    password: Option<Secret>,
    is_active: Option<bool>,
    is_superuser: Option<bool>,
    last_login_at: Option<DateTime<Utc>>,
    #[schema(required = false, schema_with = nullable_optins)]
    optins: Option<OptIns>,
    /// The password to replace. Only `reset-password` reads it.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret>,
    /// Deletes all API keys of the user as well. `reset-password` doesn't read it.
    revoke_api_keys: Option<bool>,
    /// Whether the user must choose a new password, before a session can do anything else. A new password clears it.
    /// For superusers.
    must_change_password: Option<bool>,
}

impl UserUpdate {
    /// Reads every field in the original's order, the passwords as the route takes them.
    fn read(
        fields: &Fields<'_>,
        errors: &mut FieldErrors,
        rejected: &mut Option<Rejected>,
        password: impl FnOnce(&Fields<'_>, &mut FieldErrors, &mut Option<Rejected>) -> Option<Secret>,
        current_password: impl FnOnce(&Fields<'_>, &mut FieldErrors) -> Option<Secret>,
    ) -> Self {
        Self {
            username: fields.optional("username", errors, |value| fields::username(value, rejected)).flatten(),
            profile_image: fields.optional("profile_image", errors, fields::profile_image),
            password: password(fields, errors, rejected),
            is_active: fields.optional("is_active", errors, coerce::boolean),
            is_superuser: fields.optional("is_superuser", errors, coerce::boolean),
            last_login_at: fields.optional("last_login_at", errors, coerce::datetime),
            optins: fields.optional("optins", errors, fields::optins),
            current_password: current_password(fields, errors),
            revoke_api_keys: fields.optional("revoke_api_keys", errors, coerce::boolean),
            must_change_password: fields.optional("must_change_password", errors, coerce::boolean),
        }
    }
}

impl From<UserUpdate> for UserPatch {
    fn from(update: UserUpdate) -> Self {
        Self {
            username: update.username,
            profile_image: update.profile_image,
            password: update.password,
            is_active: update.is_active,
            is_superuser: update.is_superuser,
            last_login_at: update.last_login_at,
            optins: update.optins,
            must_change_password: update.must_change_password,
        }
    }
}

/// A patch whose fields have the right types. It lacks a name that was refused.
pub struct CheckedUserPatch {
    pub patch: UserPatch,
    /// Whether to delete the user's API keys.
    pub revoke_api_keys: bool,
    /// For the handler to send.
    pub rejected: Option<Rejected>,
}

impl Input for CheckedUserPatch {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let (min, mut rejected) = (source.config.password_min_length, None);
        // The original's clients send "" to keep the password.
        let password = |fields: &Fields<'_>, errors: &mut FieldErrors, rejected: &mut Option<Rejected>| {
            let unless_empty = |value| match coerce::string(value)? {
                "" => Ok(None),
                _ => fields::new_password(value, min, rejected).map(Some),
            };
            fields.optional("password", errors, unless_empty).flatten()
        };
        let update = UserUpdate::read(&fields, errors, &mut rejected, password, |_, _| None);
        let revoke_api_keys = update.revoke_api_keys.unwrap_or(false);
        Some(Self { patch: update.into(), revoke_api_keys, rejected })
    }

    fn is_sensitive(&self) -> bool {
        policy::is_sensitive(&self.patch)
    }

    fn describe(operation: &mut Operation) {
        operation.body::<UserUpdate>("application/json");
    }
}

/// A new password for the caller's own account.
pub struct ResetPassword {
    pub password: Secret,
    pub current: Option<Secret>,
    /// For the handler to send.
    pub rejected: Option<Rejected>,
}

impl Input for ResetPassword {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let (min, mut rejected) = (source.config.password_min_length, None);
        let password = |fields: &Fields<'_>, errors: &mut FieldErrors, rejected: &mut Option<Rejected>| {
            fields.required("password", errors, |value| fields::new_password(value, min, rejected))
        };
        if Generation::of(source.config).needs_current_password {
            let current = fields.required("current_password", errors, secret);
            let password = password(&fields, errors, &mut rejected);
            return Some(Self { password: password?, current: Some(current?), rejected });
        }
        let current_password = |fields: &Fields<'_>, errors: &mut FieldErrors| {
            if source.config.require_current_password {
                fields.required("current_password", errors, secret)
            } else {
                fields.optional("current_password", errors, secret)
            }
        };
        // The original takes a whole `UserUpdate` here. The other fields are checked, and not used.
        let update = UserUpdate::read(&fields, errors, &mut rejected, password, current_password);
        Some(Self { password: update.password?, current: update.current_password, rejected })
    }

    // The current password proves as much as signing in again.
    fn is_sensitive(&self) -> bool {
        self.current.is_none()
    }

    fn describe(operation: &mut Operation) {
        if operation.generation.needs_current_password {
            operation.body::<PasswordResetRequest>("application/json");
        } else {
            operation.body::<UserUpdate>("application/json");
        }
    }
}

/// A new password.
#[derive(ToSchema)]
#[schema(title = "Password reset")]
#[expect(dead_code, reason = "describes the body of one generation")]
struct PasswordResetRequest {
    #[schema(value_type = String)]
    current_password: Secret,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    password: Secret,
}

fn secret(value: &Value) -> Result<Secret, FieldError> {
    coerce::string(value).map(Secret::new)
}
