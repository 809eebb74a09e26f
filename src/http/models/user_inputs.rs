//! What the routes of user accounts read: the fields, their checks, and their description.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use strum::{EnumString, VariantNames};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Object, ObjectBuilder};
use utoipa::{IntoParams, ToSchema};

use crate::auth::password_hasher::MAX_BYTES;
use crate::domain::secret::Secret;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, UserPatch};
use crate::domain::username::{self, MAX_CHARS, Username, UsernameError};
use crate::http::models::{nullable_text, text, words};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location, Rejected};
use crate::store::user_list::{UserQuery, UserSort, UserState};

/// The smallest and largest `limit` of usher's own lists.
pub const LIMITS: (i64, i64) = (0, 1000);
/// The items on a page of a list, if the client doesn't say.
const DEFAULT_LIMIT: i64 = 10;

/// A new user.
#[derive(ToSchema)]
#[schema(title = "New user")]
pub struct UserCreate {
    /// Compared without regard to case.
    #[schema(schema_with = text::<1, MAX_CHARS>)]
    pub username: Username,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    pub password: Secret,
}

/// A [`UserCreate`] whose fields have the right types; the error is for the handler to send.
pub struct CheckedUserCreate(pub Result<UserCreate, Rejected>);

impl CheckedUserCreate {
    /// Reads both fields. Neither may be absent, and they must differ.
    pub fn from_fields(fields: &Fields<'_>, source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let (min, mut rejected) = (source.config.password_min_length, None);
        let username = fields.required("username", faults, |value| fields::new_username(value, &mut rejected));
        let password = fields.required("password", faults, |value| fields::new_password(value, min, &mut rejected));
        let (username, password) = (username?, password?);
        let accepted = match (username, rejected) {
            (Some(username), None) => {
                fields::differs_from_name(&password, &username).map(|()| UserCreate { username, password })
            }
            (_, Some(rejected)) => Err(rejected),
            (None, None) => return None,
        };
        Some(Self(accepted))
    }
}

impl Input for CheckedUserCreate {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        Self::from_fields(&fields, source, faults)
    }

    fn describe(operation: &mut Operation) {
        operation.body::<UserCreate>("application/json");
    }
}

/// Which part of a list is returned.
#[derive(IntoParams)]
pub struct Page {
    /// How many items to skip.
    #[param(required = false, minimum = 0, default = 0)]
    pub skip: i64,
    #[param(required = false, schema_with = limit)]
    pub limit: i64,
}

fn limit() -> ObjectBuilder {
    let number = Object::builder().schema_type(Type::Integer).minimum(Some(LIMITS.0)).maximum(Some(LIMITS.1));
    number.default(Some(DEFAULT_LIMIT.into())).description(Some("How many items to return at most."))
}

impl Page {
    /// Reads and checks both parameters; `limits` are those of `limit`.
    pub fn read(source: &InputSource<'_>, limits: (i64, i64), faults: &mut FieldErrors) -> Option<Self> {
        let mut number = |name, default, range| {
            let Some(text) = source.query.get(name) else { return Some(default) };
            faults.note(Location::Query(name), coerce::integer_text(text).and_then(|number| within(number, range)))
        };
        let (skip, limit) = (number("skip", 0, (0, i64::MAX)), number("limit", DEFAULT_LIMIT, limits));
        Some(Self { skip: skip?, limit: limit? })
    }
}

fn within(number: i64, (min, max): (i64, i64)) -> Result<i64, FieldError> {
    match number {
        _ if number < min => {
            Err(FieldError::new("greater_than_equal", format!("Input should be greater than or equal to {min}")))
        }
        _ if number > max => {
            Err(FieldError::new("less_than_equal", format!("Input should be less than or equal to {max}")))
        }
        _ => Ok(number),
    }
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum SortOrder {
    Asc,
    Desc,
}

/// Which users are listed, and in which order.
#[derive(IntoParams)]
struct UserListQuery {
    /// Only users whose name contains this text, in any case.
    #[param(nullable = false, max_length = 255)]
    search: Option<String>,
    /// Only the user with this name, in any case.
    #[param(nullable = false, max_length = 255)]
    username: Option<String>,
    #[param(required = false, schema_with = sort)]
    sort: Option<UserSort>,
    #[param(required = false, schema_with = order)]
    order: Option<SortOrder>,
    #[param(required = false, schema_with = state)]
    state: Option<UserState>,
}

fn sort() -> ObjectBuilder {
    let about = "Sort by date of creation, by name, or by last sign-in.";
    words::<UserSort>().default(Some("created".into())).description(Some(about))
}

fn order() -> ObjectBuilder {
    words::<SortOrder>().default(Some("asc".into())).description(Some("Sort ascending or descending."))
}

fn state() -> ObjectBuilder {
    let about = "Only users that wait for approval, can sign in, are deactivated, or are superusers.";
    words::<UserState>().description(Some(about))
}

impl UserListQuery {
    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let search = faults.note(Location::Query("search"), search_text(source.query.get("search")));
        let username = faults.note(Location::Query("username"), search_text(source.query.get("username")));
        if source.query.get("role_name").is_some() {
            // A list that ignores a filter of Langflow's would be taken for the filtered one.
            faults.note::<()>(Location::Query("role_name"), Err(FieldError::value(field::NO_ROLES)));
        }
        let sort = faults.note(Location::Query("sort"), word(source, "sort"));
        let order = faults.note(Location::Query("order"), word(source, "order"));
        let state = faults.note(Location::Query("state"), word(source, "state"));
        Some(Self { search: search?, username: username?, sort: sort?, order: order?, state: state? })
    }
}

/// Reads the text to search for. One that is longer than any name is refused before work is done on it.
fn search_text(sent: Option<&str>) -> Result<Option<String>, FieldError> {
    let Some(text) = sent.map(str::trim) else { return Ok(None) };
    if username::is_too_long(text) {
        return Err(FieldError::new("string_too_long", UsernameError::TooLong.to_string()));
    }
    Ok(Some(text.to_owned()))
}

/// Reads a parameter that is one of an enum's words. An empty or missing parameter is `None`.
fn word<T: FromStr + VariantNames>(source: &InputSource<'_>, name: &str) -> Result<Option<T>, FieldError> {
    let Some(sent) = source.query.get(name).filter(|sent| !sent.is_empty()) else { return Ok(None) };
    sent.parse().map(Some).map_err(|_| {
        let (last, others) = T::VARIANTS.split_last().unwrap_or((&"", &[]));
        FieldError::new("literal_error", format!("Input should be '{}' or '{last}'", others.join("', '")))
    })
}

/// Which users are listed.
pub struct UserFilter {
    pub page: UserQuery,
    /// Only the user with this name.
    pub username: Option<String>,
}

impl Input for UserFilter {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let generation = Generation::of(source.config);
        let page = Page::read(source, generation.list_limits, faults);
        let query = UserListQuery::read(source, faults);
        let (Page { skip, limit }, UserListQuery { search, username, sort, order, state }) = (page?, query?);
        let descending = order == Some(SortOrder::Desc);
        let sort = sort.unwrap_or(generation.list_order);
        Some(Self { page: UserQuery { skip, limit, search, sort, descending, state }, username })
    }

    fn describe(operation: &mut Operation) {
        operation.query::<Page>();
        operation.query::<UserListQuery>();
        let Generation { list_limits: (min, max), list_order, .. } = operation.generation;
        operation.adjust_query("limit", |limit| {
            (limit.minimum, limit.maximum) = (Some((*min).into()), Some((*max).into()));
        });
        operation.adjust_query("sort", |sort| sort.default = Some(<&str>::from(*list_order).into()));
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
    /// The password to replace. Only `reset-password` reads it.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret>,
}

impl UserUpdate {
    /// Reads every field in the original's order, the passwords as the route takes them.
    fn read(
        fields: &Fields<'_>,
        faults: &mut FieldErrors,
        rejected: &mut Option<Rejected>,
        password: impl FnOnce(&Fields<'_>, &mut FieldErrors, &mut Option<Rejected>) -> Option<Secret>,
        current_password: impl FnOnce(&Fields<'_>, &mut FieldErrors) -> Option<Secret>,
    ) -> Self {
        Self {
            username: fields.optional("username", faults, |value| fields::username(value, rejected)).flatten(),
            profile_image: fields.optional("profile_image", faults, fields::profile_image),
            password: password(fields, faults, rejected),
            is_active: fields.optional("is_active", faults, coerce::boolean),
            is_superuser: fields.optional("is_superuser", faults, coerce::boolean),
            last_login_at: fields.optional("last_login_at", faults, coerce::datetime),
            current_password: current_password(fields, faults),
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
        }
    }
}

/// A patch whose fields have the right types. It lacks a name that was refused.
pub struct CheckedUserPatch {
    pub patch: UserPatch,
    /// For the handler to send.
    pub rejected: Option<Rejected>,
}

impl Input for CheckedUserPatch {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        let (min, mut rejected) = (source.config.password_min_length, None);
        // The original's clients send "" to keep the password.
        let password = |fields: &Fields<'_>, faults: &mut FieldErrors, rejected: &mut Option<Rejected>| {
            let unless_empty = |value| match coerce::string(value)? {
                "" => Ok(None),
                _ => fields::new_password(value, min, rejected).map(Some),
            };
            fields.optional("password", faults, unless_empty).flatten()
        };
        let update = UserUpdate::read(&fields, faults, &mut rejected, password, |_, _| None);
        Some(Self { patch: update.into(), rejected })
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

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        let (min, mut rejected) = (source.config.password_min_length, None);
        let password = |fields: &Fields<'_>, faults: &mut FieldErrors, rejected: &mut Option<Rejected>| {
            fields.required("password", faults, |value| fields::new_password(value, min, rejected))
        };
        if Generation::of(source.config).needs_current_password {
            let current = fields.required("current_password", faults, secret);
            let password = password(&fields, faults, &mut rejected);
            return Some(Self { password: password?, current: Some(current?), rejected });
        }
        let current_password = |fields: &Fields<'_>, faults: &mut FieldErrors| {
            if source.config.require_current_password {
                fields.required("current_password", faults, secret)
            } else {
                fields.optional("current_password", faults, secret)
            }
        };
        // The original takes a whole `UserUpdate` here. The other fields are checked, and not used.
        let update = UserUpdate::read(&fields, faults, &mut rejected, password, current_password);
        Some(Self { password: update.password?, current: update.current_password, rejected })
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
