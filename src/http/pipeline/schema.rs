//! Owns the words of JSON Schema (2020-12, which OpenAPI 3.1 uses) that the API's description is made of.

use serde_json::{Map, Value, json};

/// A type with a place among the description's schemas.
pub trait Described {
    /// Its name there; the original's, where the original has it.
    const NAME: &'static str;

    /// Its schema.
    fn schema() -> Value;

    /// The named schemas that it refers to.
    fn parts() -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// A field's name, schema, and whether it is always there.
pub type Field = (&'static str, Value, bool);

/// An object with these fields.
pub fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema, _)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<&str> = fields.iter().filter(|(_, _, required)| *required).map(|(name, _, _)| *name).collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// A reference to a named schema.
pub fn reference<T: Described>() -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", T::NAME) })
}

/// Any text.
pub fn string() -> Value {
    json!({ "type": "string" })
}

/// A text with so many characters.
pub fn string_of(min: usize, max: usize) -> Value {
    json!({ "type": "string", "minLength": min, "maxLength": max })
}

/// A boolean.
pub fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// An integer.
pub fn integer() -> Value {
    json!({ "type": "integer" })
}

/// A UUID.
pub fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A time as RFC 3339 writes it.
pub fn datetime() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A list.
pub fn array(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// This or `null`.
pub fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}
