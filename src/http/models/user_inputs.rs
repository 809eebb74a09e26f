//! Owns what the routes of people's accounts take: the fields, their checks, and their description.

use serde_json::{Value, json};

use crate::auth::password_hasher::MAX_BYTES;
use crate::domain::secret::Secret;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, UserPatch};
use crate::domain::username::{MAX_CHARS, Username};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::schema::{boolean, datetime, nullable, object, string, string_of};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};
use crate::store::user_list::{UserQuery, UserSort, UserState};

const JSON: &str = "application/json";
/// The most things in one answer.
pub const MAX_LIMIT: i64 = 1000;

/// A new account.
pub struct UserCreate {
    pub username: Username,
    pub password: Secret,
}

impl UserCreate {
    /// Reads both fields, of which neither may be absent and the second not be the first.
    pub fn from_fields(fields: &Fields<'_>, source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let min = source.config.password_min_length;
        let username = fields.required("username", faults, fields::username);
        let password = fields.required("password", faults, |value| fields::new_password(value, min));
        let (username, password) = (username?, password?);
        faults.note(Location::Field("password"), fields::differs_from_name(&password, &username))?;
        Some(Self { username, password })
    }

    fn schema() -> Value {
        object(&[("username", string_of(1, MAX_CHARS), true), ("password", string_of(1, MAX_BYTES), true)])
    }
}

impl Input for UserCreate {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        Self::from_fields(&fields, source, faults)
    }

    fn describe(operation: &mut Operation) {
        operation.body(JSON, "UserCreate", Self::schema());
    }
}

/// What the list of users is asked.
impl Input for UserQuery {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let (skip, limit) = window(source, faults);
        let search = source.query.get("search").map(ToOwned::to_owned);
        let mut word = |name| faults.note(Location::Query(name), one_of(source.query.get(name), words_of(name)));
        let (sort, order, state) = (word("sort"), word("order"), word("state"));
        Some(Self {
            skip: skip?,
            limit: limit?,
            search,
            sort: match sort? {
                Some("name") => UserSort::Name,
                Some("last_login") => UserSort::LastLogin,
                _ => UserSort::Created,
            },
            descending: order? == Some("desc"),
            state: match state? {
                Some("waiting") => Some(UserState::Waiting),
                Some("active") => Some(UserState::Active),
                Some("inactive") => Some(UserState::Inactive),
                Some(_) => Some(UserState::Superuser),
                None => None,
            },
        })
    }

    fn describe(operation: &mut Operation) {
        operation.query("skip", &json!({ "type": "integer", "minimum": 0, "default": 0 }), "How many to leave out");
        let limit = json!({ "type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 10 });
        operation.query("limit", &limit, "How many to return at most");
        operation.query("search", &string(), "Only those whose name contains this, in any case");
        for (name, default, description) in [
            ("sort", Some("created"), "The order: of creation, by name, or by last log-in"),
            ("order", Some("asc"), "Whether the order is ascending or descending"),
            ("state", None, "Only those who wait for approval, are active, were deactivated, or are superusers"),
        ] {
            let mut schema = json!({ "type": "string", "enum": words_of(name) });
            if let Some(default) = default {
                schema["default"] = json!(default);
            }
            operation.query(name, &schema, description);
        }
    }
}

/// The words that a parameter of the list knows.
fn words_of(name: &str) -> &'static [&'static str] {
    match name {
        "sort" => &["created", "name", "last_login"],
        "order" => &["asc", "desc"],
        _ => &["waiting", "active", "inactive", "superuser"],
    }
}

/// The word that was sent, among those that are known; nothing, or nothing at all, is no word.
fn one_of(sent: Option<&str>, words: &[&'static str]) -> Result<Option<&'static str>, FieldError> {
    let Some(sent) = sent.filter(|sent| !sent.is_empty()) else { return Ok(None) };
    let found = words.iter().copied().find(|word| *word == sent).map(Some);
    found.ok_or_else(|| {
        let (last, others) = words.split_last().unwrap_or((&"", &[]));
        FieldError::new("literal_error", format!("Input should be '{}' or '{last}'", others.join("', '")))
    })
}

/// The `skip` and `limit` of a query.
pub fn window(source: &InputSource<'_>, faults: &mut FieldErrors) -> (Option<i64>, Option<i64>) {
    let mut number = |name, default, max| {
        let Some(text) = source.query.get(name) else { return Some(default) };
        faults.note(Location::Query(name), coerce::integer_text(text).and_then(|number| within(number, max)))
    };
    (number("skip", 0, i64::MAX), number("limit", 10, MAX_LIMIT))
}

fn within(number: i64, max: i64) -> Result<i64, FieldError> {
    match number {
        ..0 => Err(FieldError::new("greater_than_equal", "Input should be greater than or equal to 0")),
        _ if number > max => {
            Err(FieldError::new("less_than_equal", format!("Input should be less than or equal to {max}")))
        }
        _ => Ok(number),
    }
}

/// Reads every field of the original's `UserUpdate`, in its order, with the password as the route takes it.
fn patch(
    fields: &Fields<'_>,
    faults: &mut FieldErrors,
    password: impl FnOnce(&Fields<'_>, &mut FieldErrors) -> Option<Secret>,
) -> UserPatch {
    UserPatch {
        username: fields.optional("username", faults, fields::username),
        profile_image: fields.optional("profile_image", faults, fields::profile_image),
        password: password(fields, faults),
        is_active: fields.optional("is_active", faults, coerce::boolean),
        is_superuser: fields.optional("is_superuser", faults, coerce::boolean),
        last_login_at: fields.optional("last_login_at", faults, coerce::datetime),
    }
}

fn update_schema() -> Value {
    object(&[
        ("username", nullable(string_of(1, MAX_CHARS)), false),
        ("profile_image", nullable(string_of(0, MAX_PROFILE_IMAGE_CHARS)), false),
        ("password", nullable(string_of(0, MAX_BYTES)), false),
        ("is_active", nullable(boolean()), false),
        ("is_superuser", nullable(boolean()), false),
        ("last_login_at", nullable(datetime()), false),
        ("current_password", nullable(string()), false),
    ])
}

impl Input for UserPatch {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        let min = source.config.password_min_length;
        // The original's clients send "" for a password that is to stay.
        let patch = patch(&fields, faults, |fields, faults| {
            let unless_empty = |value| match coerce::string(value)? {
                "" => Ok(None),
                _ => fields::new_password(value, min).map(Some),
            };
            fields.optional("password", faults, unless_empty).flatten()
        });
        if let (Some(username), Some(password)) = (&patch.username, &patch.password) {
            faults.note(Location::Field("password"), fields::differs_from_name(password, username))?;
        }
        Some(patch)
    }

    fn describe(operation: &mut Operation) {
        operation.body(JSON, "UserUpdate", update_schema());
    }
}

/// A new password for oneself.
pub struct ResetPassword {
    pub password: Secret,
    pub current: Option<Secret>,
}

impl Input for ResetPassword {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        let min = source.config.password_min_length;
        // The original takes a whole `UserUpdate` here; what else is in it is checked and not used.
        let patch = patch(&fields, faults, |fields, faults| {
            fields.required("password", faults, |value| fields::new_password(value, min))
        });
        let current = |value| coerce::string(value).map(Secret::new);
        let current = if source.config.require_current_password {
            Some(fields.required("current_password", faults, current)?)
        } else {
            fields.optional("current_password", faults, current)
        };
        Some(Self { password: patch.password?, current })
    }

    fn describe(operation: &mut Operation) {
        operation.body(JSON, "UserUpdate", update_schema());
    }
}
