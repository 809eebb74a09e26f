//! Whether a value fits a schema of the API's description, as far as that uses JSON Schema.

use serde_json::Value;

/// Why `value` does not fit `schema` of `document`; `None` when it does.
pub fn misfit(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let named = document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}"));
        return misfit(document, named, value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let misfits: Option<Vec<String>> = choices.iter().map(|choice| misfit(document, choice, value, at)).collect();
        return misfits.map(|misfits| misfits.join(" and "));
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !fits {
        return Some(format!("{at}: {value} is no {}", schema["type"]));
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

/// Why an answer is none that the description allows.
pub fn undescribed(document: &Value, method: &str, path: &str, answer: &crate::support::Response) -> Option<String> {
    let operation = operation(document, method, path)?;
    let response = &operation["responses"][answer.status.to_string()];
    if response.is_null() {
        return Some(format!("{method} {path}: status {} is not described", answer.status));
    }
    let schema = &response["content"]["application/json"]["schema"];
    misfit(document, schema, &answer.json(), "body").map(|why| format!("{method} {path} {}: {why}", answer.status))
}
