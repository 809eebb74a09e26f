//! Checks values against the schemas of the API's description, as far as that uses JSON Schema.

use serde_json::Value;

/// Follows a reference to a schema or a response of `document`.
pub fn resolve<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    let Some(reference) = part["$ref"].as_str() else { return part };
    document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}"))
}

/// Returns why `value` doesn't fit `schema` of `document`, or `None` if it does.
pub fn misfit(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolve(document, schema);
    if let Some(choices) =
        schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()))
    {
        let misfits: Option<Vec<String>> = choices.iter().map(|choice| misfit(document, choice, value, at)).collect();
        return misfits.map(|misfits| misfits.join(" and "));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{at}: {value} is not one of {}", schema["enum"]));
    }
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    let fits = schema["type"].as_array().map_or_else(|| is(&schema["type"]), |names| names.iter().any(is));
    if !fits {
        return Some(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    if let Some(items) = value.as_array() {
        let mut items = items.iter().enumerate();
        return items.find_map(|(n, item)| misfit(document, &schema["items"], item, &format!("{at}[{n}]")));
    }
    let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return None };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing =
        required.filter(|name| !fields.contains_key(*name)).map(|name| format!("{at}.{name} is missing")).next();
    let unknown = || {
        fields.keys().find(|name| !properties.contains_key(*name)).map(|name| format!("{at}.{name} is not described"))
    };
    let inside =
        || fields.iter().find_map(|(name, value)| misfit(document, &properties[name], value, &format!("{at}.{name}")));
    missing.or_else(unknown).or_else(inside)
}

/// The described operation of a request: its path may hold parameters.
pub fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap();
    let matches = |pattern: &str| {
        let (mut a, mut b) = (pattern.split('/'), path.split('/'));
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a == b || a.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let mut found: Vec<_> = document["paths"].as_object()?.iter().filter(|(pattern, _)| matches(pattern)).collect();
    found.sort_by_key(|(pattern, _)| pattern.contains('{'));
    found.into_iter().find_map(|(_, operations)| operations.get(&method))
}

/// Returns why the description doesn't allow an answer.
pub fn undescribed(document: &Value, method: &str, path: &str, answer: &crate::support::Response) -> Option<String> {
    let operation = operation(document, method, path)?;
    let response = resolve(document, &operation["responses"][answer.status.to_string()]);
    if response.is_null() {
        return Some(format!("{method} {path}: status {} is not described", answer.status));
    }
    let schema = &response["content"]["application/json"]["schema"];
    misfit(document, schema, &answer.json(), "body").map(|why| format!("{method} {path} {}: {why}", answer.status))
}
