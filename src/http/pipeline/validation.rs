//! Validation errors in pydantic's form, one item per field. They never contain the input.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::SerializeSeq;
use utoipa::ToSchema;

/// Why a value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// pydantic's name for the kind of error.
    pub kind: &'static str,
    /// pydantic's message, or one of usher's after "Value error, ".
    pub message: Cow<'static, str>,
}

impl FieldError {
    pub fn new(kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// An error of one of usher's own rules.
    pub fn value(message: &'static str) -> Self {
        Self::new("value_error", message)
    }
}

/// Why usher's own rules refuse a name or password: one sentence. Langflow's clients expect one, and not a list as for
/// other fields, so the handler sends it as a 400 after it has checked permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected(pub String);

/// The location of a value in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// A part of the path.
    Path(&'static str),
    /// A query parameter.
    Query(&'static str),
    /// The body as a whole.
    Body,
    /// A field of the body.
    Field(&'static str),
    /// A character of the body, counted from 0.
    Character(usize),
}

impl Serialize for Location {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(None)?;
        match self {
            Self::Path(name) => ("path", name).serialize_into(&mut parts)?,
            Self::Query(name) => ("query", name).serialize_into(&mut parts)?,
            Self::Body => parts.serialize_element("body")?,
            Self::Field(name) => ("body", name).serialize_into(&mut parts)?,
            Self::Character(at) => ("body", at).serialize_into(&mut parts)?,
        }
        parts.end()
    }
}

/// Serializes both parts of a location into one list.
trait Pair {
    fn serialize_into<S: SerializeSeq>(&self, list: &mut S) -> Result<(), S::Error>;
}

impl<T: Serialize> Pair for (&str, T) {
    fn serialize_into<S: SerializeSeq>(&self, list: &mut S) -> Result<(), S::Error> {
        list.serialize_element(self.0)?;
        list.serialize_element(&self.1)
    }
}

/// An error of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ValidationError, title = "Invalid field")]
pub struct Item {
    /// The kind of error.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where the field is: `path`, `query` or `body`, then its name or, in malformed JSON, its position.
    #[schema(value_type = Vec<PathPart>)]
    loc: Location,
    #[schema(value_type = String)]
    msg: Cow<'static, str>,
}

/// A name, or a position in malformed JSON.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(title = "Part of a location")]
#[expect(dead_code, reason = "Location writes both kinds")]
enum PathPart {
    Name(String),
    Position(u64),
}

/// Which fields of the request are missing or invalid.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError, title = "Validation error")]
pub struct ValidationErrorBody<'a> {
    pub detail: &'a [Item],
}

/// All validation errors of a request, in the order in which its fields are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<Item>);

impl FieldErrors {
    /// A single error.
    pub fn one(loc: Location, fault: FieldError) -> Self {
        Self(vec![Item { kind: fault.kind, loc, msg: fault.message }])
    }

    /// Returns the checked value, or adds the error and returns `None`.
    pub fn collect<T>(&mut self, loc: Location, checked: Result<T, FieldError>) -> Option<T> {
        checked.map_err(|fault| self.0.push(Item { kind: fault.kind, loc, msg: fault.message })).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_serialized_as_by_pydantic_without_the_input() {
        let item =
            |loc| serde_json::to_value(FieldErrors::one(loc, FieldError::new("missing", "Field required")).0).unwrap();
        let want = |loc| serde_json::json!([{"type": "missing", "loc": loc, "msg": "Field required"}]);
        assert_eq!(item(Location::Path("user_id")), want(serde_json::json!(["path", "user_id"])));
        assert_eq!(item(Location::Body), want(serde_json::json!(["body"])));
        assert_eq!(item(Location::Field("name")), want(serde_json::json!(["body", "name"])));
        assert_eq!(item(Location::Character(7)), want(serde_json::json!(["body", 7])));
    }
}
