//! Reading and validating the fields of a JSON body, and the rules for user names, passwords and texts.

use serde_json::{Map, Value};

use crate::auth::passkey::Assertion;
use crate::auth::password_policy;
use crate::domain::new_username::check_new;
use crate::domain::optins::{self, OptIns};
use crate::domain::printable::has_controls;
use crate::domain::secret::Secret;
use crate::domain::user::MAX_PROFILE_IMAGE_CHARS;
use crate::domain::username::Username;
use crate::http::pipeline::body::Body;
use crate::http::pipeline::coerce;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location, Rejected};

/// The fields of a JSON body.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Returns the body's fields. If the body is missing or isn't an object, adds an error and returns `None`.
    pub fn of(body: &'a Body, errors: &mut FieldErrors) -> Option<Self> {
        match body {
            Body::None | Body::Json(Value::Null) => {
                errors.collect(Location::Body, Err(FieldError::new("missing", field::MISSING)))
            }
            Body::Json(Value::Object(object)) => Some(Self { object }),
            Body::Json(_) | Body::Form(_) | Body::Other(_) => {
                errors.collect(Location::Body, Err(FieldError::new("model_attributes_type", field::NO_OBJECT)))
            }
        }
    }

    /// Reads a required field.
    pub fn required<T>(
        &self,
        name: &'static str,
        errors: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        let value = self.object.get(name).ok_or_else(|| FieldError::new("missing", field::MISSING));
        errors.collect(Location::Field(name), value.and_then(check))
    }

    /// Reads an optional field; `null` counts as absent.
    pub fn optional<T>(
        &self,
        name: &'static str,
        errors: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        errors.collect(Location::Field(name), check(value))
    }

    /// Reads an optional field that can't be `null`.
    pub fn defaulted<T>(
        &self,
        name: &'static str,
        errors: &mut FieldErrors,
        check: impl FnOnce(&'a Value) -> Result<T, FieldError>,
    ) -> Option<T> {
        errors.collect(Location::Field(name), check(self.object.get(name)?))
    }
}

/// Parses a user name. If the rules refuse it, the result is `None`, and the first reason is kept.
pub fn username(value: &Value, rejected: &mut Option<Rejected>) -> Result<Option<Username>, FieldError> {
    let parsed = Username::parse(coerce::string(value)?);
    Ok(parsed.map_err(|error| rejected.get_or_insert(Rejected(error.to_string()))).ok())
}

/// Parses the name of a new account. If the rules refuse it, the result is `None`, and the first reason is kept.
pub fn new_username(value: &Value, rejected: &mut Option<Rejected>) -> Result<Option<Username>, FieldError> {
    let name = username(value, rejected)?;
    Ok(name.filter(|name| check_new_username(name).map_err(|why| rejected.get_or_insert(why)).is_ok()))
}

/// Checks a name that an account doesn't have yet.
pub fn check_new_username(name: &Username) -> Result<(), Rejected> {
    check_new(name).map_err(|error| Rejected(error.to_string()))
}

/// Reads a new password. The first reason why the rules refuse it is kept.
pub fn new_password(value: &Value, min: usize, rejected: &mut Option<Rejected>) -> Result<Secret, FieldError> {
    let text = coerce::string(value)?;
    if let Err(why) = password_policy::check(text, min) {
        rejected.get_or_insert(Rejected(why.to_string()));
    }
    Ok(Secret::new(text))
}

/// Checks that a new password isn't the user name.
pub fn differs_from_name(password: &Secret, username: &Username) -> Result<(), Rejected> {
    password_policy::differs_from_name(password, username).map_err(|why| Rejected(why.to_string()))
}

/// Reads a profile image, in any form that clients use.
pub fn profile_image(value: &Value) -> Result<String, FieldError> {
    text(value, MAX_PROFILE_IMAGE_CHARS)
}

/// Reads what a client remembers about its user.
pub fn optins(value: &Value) -> Result<OptIns, FieldError> {
    let object = value.as_object().ok_or_else(|| FieldError::new("dict_type", field::DICT))?;
    let too_long = || {
        let message = format!("Value error, Object should have at most {} bytes as JSON", optins::MAX_BYTES);
        FieldError::new("value_error", message)
    };
    OptIns::new(object.clone()).ok_or_else(too_long)
}

/// Reads a text of at most `max` characters without NUL, at which other programs would cut it.
pub fn text(value: &Value, max: usize) -> Result<String, FieldError> {
    let text = coerce::string(value)?;
    if text.chars().count() > max {
        return Err(FieldError::new("string_too_long", format!("String should have at most {max} characters")));
    }
    without_nul(text)
}

/// Reads a text without NUL, which PostgreSQL can't compare with anything.
pub fn without_nul(text: &str) -> Result<String, FieldError> {
    if text.contains('\0') { Err(FieldError::value(field::NUL)) } else { Ok(text.to_owned()) }
}

/// Reads a name that a user gives to something, such as an API key. Other people read it in lists and in the audit log.
pub fn name(value: &Value, max: usize) -> Result<String, FieldError> {
    let name = text(value, max)?;
    if has_controls(&name) { Err(FieldError::value(field::CONTROLS)) } else { Ok(name) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind<T>(checked: Result<T, FieldError>) -> Option<&'static str> {
        checked.err().map(|fault| fault.kind)
    }

    #[test]
    fn only_wrong_types_of_names_and_passwords_are_field_errors() {
        let read = |name: Value, password: Value| {
            let mut rejected = None;
            let kinds = (kind(username(&name, &mut rejected)), kind(new_password(&password, 8, &mut rejected)));
            (kinds, rejected.map(|Rejected(sentence)| sentence))
        };
        assert_eq!(read(json!("ada"), json!("quiet-otter-7")), ((None, None), None));
        assert_eq!(read(json!(1), json!(12_345_678)), ((Some("string_type"), Some("string_type")), None));
        let name = "Username should have at least 1 character".to_owned();
        assert_eq!(read(json!(" "), json!("short")), ((None, None), Some(name)), "the first reason");
        let common = "Password is among the 10,000 most common ones; choose another".to_owned();
        assert_eq!(read(json!("ada"), json!("password123")), ((None, None), Some(common)));
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert_eq!(kind(profile_image(&json!("é".repeat(4096)))), None);
        assert_eq!(kind(profile_image(&json!("é".repeat(4097)))), Some("string_too_long"));
        assert_eq!(kind(profile_image(&json!("a\0b"))), Some("value_error"));
    }
}
