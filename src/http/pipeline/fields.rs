//! Reading and validating the fields of a JSON body, and the rules for user names, passwords and texts.

use serde_json::{Map, Value};

use crate::auth::passkey::Assertion;
use crate::auth::password_policy::{self, WeakPassword};
use crate::domain::new_username::check_new;
use crate::domain::secret::Secret;
use crate::domain::user::MAX_PROFILE_IMAGE_CHARS;
use crate::domain::username::{Username, UsernameError};
use crate::http::pipeline::body::Body;
use crate::http::pipeline::coerce;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::second_factor::Answer;
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};

/// The fields of a JSON body.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Returns the body's fields. If the body is missing or isn't an object, adds an error and returns `None`.
    pub fn of(body: &'a Body, faults: &mut FieldErrors) -> Option<Self> {
        match body {
            Body::None | Body::Json(Value::Null) => {
                faults.note(Location::Body, Err(FieldError::new("missing", field::MISSING)))
            }
            Body::Json(Value::Object(object)) => Some(Self { object }),
            Body::Json(_) | Body::Other(_) => {
                faults.note(Location::Body, Err(FieldError::new("model_attributes_type", field::NO_OBJECT)))
            }
        }
    }

    /// Reads a required field.
    pub fn required<T>(
        &self,
        name: &'static str,
        faults: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        let value = self.object.get(name).ok_or_else(|| FieldError::new("missing", field::MISSING));
        faults.note(Location::Field(name), value.and_then(check))
    }

    /// Reads an optional field; `null` counts as absent.
    pub fn optional<T>(
        &self,
        name: &'static str,
        faults: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        faults.note(Location::Field(name), check(value))
    }

    /// Reads an optional field that can't be `null`.
    pub fn defaulted<T>(
        &self,
        name: &'static str,
        faults: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        faults.note(Location::Field(name), check(self.object.get(name)?))
    }
}

/// Parses a user name.
pub fn username(value: &Value) -> Result<Username, FieldError> {
    Username::parse(coerce::string(value)?).map_err(|error| match error {
        UsernameError::Empty => FieldError::new("string_too_short", error.to_string()),
        UsernameError::TooLong => FieldError::new("string_too_long", error.to_string()),
        UsernameError::Forbidden | UsernameError::Invisible => {
            FieldError::new("value_error", format!("Value error, {error}"))
        }
    })
}

/// Parses the name of a new account.
pub fn new_username(value: &Value) -> Result<Username, FieldError> {
    let name = username(value)?;
    check_new_username(&name)?;
    Ok(name)
}

/// Checks a name that an account doesn't have yet.
pub fn check_new_username(name: &Username) -> Result<(), FieldError> {
    check_new(name).map_err(|error| FieldError::new("value_error", format!("Value error, {error}")))
}

/// Checks a new password.
pub fn new_password(value: &Value, min: usize) -> Result<Secret, FieldError> {
    let text = coerce::string(value)?;
    password_policy::check(text, min).map_err(weak)?;
    Ok(Secret::new(text))
}

/// Checks that a new password isn't the user name.
pub fn differs_from_name(password: &Secret, username: &Username) -> Result<(), FieldError> {
    password_policy::differs_from_name(password, username).map_err(weak)
}

/// Returns pydantic's error if it has one, else a value error.
fn weak(why: WeakPassword) -> FieldError {
    match why {
        WeakPassword::TooShort(1) => FieldError::new("string_too_short", "String should have at least 1 character"),
        WeakPassword::TooShort(min) => {
            FieldError::new("string_too_short", format!("String should have at least {min} characters"))
        }
        other => FieldError::new("value_error", format!("Value error, {other}")),
    }
}

/// Reads a profile image, in any form that clients use.
pub fn profile_image(value: &Value) -> Result<String, FieldError> {
    text(value, MAX_PROFILE_IMAGE_CHARS)
}

/// Reads a text of at most `max` characters without NUL, at which other programs would cut it.
pub fn text(value: &Value, max: usize) -> Result<String, FieldError> {
    let text = coerce::string(value)?;
    if text.chars().count() > max {
        return Err(FieldError::new("string_too_long", format!("String should have at most {max} characters")));
    }
    if text.contains('\0') { Err(FieldError::value(field::NUL)) } else { Ok(text.to_owned()) }
}

/// The longest token or code that is read, in bytes.
const MAX_SECRET_BYTES: usize = 4096;

/// Reads a password, code or token that is compared and not stored.
pub fn secret(value: &Value) -> Result<Secret, FieldError> {
    let text = coerce::string(value)?;
    if text.len() > MAX_SECRET_BYTES {
        let message = format!("String should have at most {MAX_SECRET_BYTES} characters");
        return Err(FieldError::new("string_too_long", message));
    }
    Ok(Secret::new(text))
}

/// Reads a passkey's answer, in the JSON form that browsers make.
pub fn assertion(value: &Value) -> Result<Assertion, FieldError> {
    Assertion::read(value).map_err(|_| FieldError::value(field::CREDENTIAL))
}

/// Reads the answer to a challenge: `code` or `credential`.
pub fn answer(fields: &Fields<'_>, errors: &mut FieldErrors) -> Option<Answer> {
    if let Some(assertion) = fields.optional("credential", errors, assertion) {
        return Some(Answer::Passkey(Box::new(assertion)));
    }
    fields.required("code", errors, secret).map(Answer::Code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind<T>(checked: Result<T, FieldError>) -> Option<&'static str> {
        checked.err().map(|fault| fault.kind)
    }

    #[test]
    fn a_weak_password_is_refused_in_pydantics_words_or_as_a_value_error() {
        assert_eq!(kind(new_password(&json!("quiet-otter-7"), 8)), None);
        assert_eq!(kind(new_password(&json!("short"), 8)), Some("string_too_short"));
        assert_eq!(kind(new_password(&json!("password123"), 8)), Some("value_error"));
        assert_eq!(kind(new_password(&json!(12_345_678), 8)), Some("string_type"));
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert_eq!(kind(profile_image(&json!("é".repeat(4096)))), None);
        assert_eq!(kind(profile_image(&json!("é".repeat(4097)))), Some("string_too_long"));
        assert_eq!(kind(profile_image(&json!("a\0b"))), Some("value_error"));
    }
}
