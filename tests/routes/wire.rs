//! The wire contract: replays conversations recorded from two generations of the original against a new server.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::schema::undescribed;
use crate::support::{Response, Server};

/// Fields that later generations add. Older clients ignore them.
const ADDED: [&str; 3] = ["optins", "expires_at", "deletion_requests"];

/// Variables from earlier responses.
#[derive(Default)]
struct Talk(HashMap<String, String>);

impl Talk {
    /// Replaces `{{variables}}` in a text. Unknown ones stay.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").unwrap();
            filled += before;
            match self.0.get(name) {
                Some(value) => filled += value,
                None => filled = format!("{filled}{{{{{name}}}}}"),
            }
            rest = behind;
        }
        filled + rest
    }

    fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.fill_all(value))).collect(),
            plain => plain.clone(),
        }
    }

    /// The difference between `want` and `got`.
    fn mismatch(&self, want: &Value, got: &Value, at: &str) -> Option<String> {
        match want {
            Value::String(text) if text == "{{any}}" => None,
            Value::String(text) if text == "{{user}}" => self.mismatch(&user(), got, at),
            Value::String(text) if text == "{{int}}" => (!got.is_i64()).then(|| format!("{at}: {got} is no integer")),
            Value::String(text) => {
                let want = self.fill(text);
                let fits = got.as_str().is_some_and(|got| fits(&want, got));
                (!fits).then(|| format!("{at}: want {want:?}, got {got}"))
            }
            Value::Object(fields) => {
                let Some(found) = got.as_object() else { return Some(format!("{at}: want an object, got {got}")) };
                let is_extra = |name: &&String| !fields.contains_key(*name) && !ADDED.contains(&name.as_str());
                let extra = found.keys().find(is_extra);
                if let Some(name) = extra {
                    return Some(format!("{at} has {name} besides"));
                }
                fields.iter().find_map(|(name, want)| match found.get(name) {
                    Some(got) => self.mismatch(want, got, &format!("{at}.{name}")),
                    None => Some(format!("{at}.{name} is missing")),
                })
            }
            Value::Array(items) => {
                let found = got.as_array().filter(|found| found.len() == items.len());
                let Some(found) = found else { return Some(format!("{at}: want {} items, got {got}", items.len())) };
                items
                    .iter()
                    .zip(found)
                    .enumerate()
                    .find_map(|(n, (want, got))| self.mismatch(want, got, &format!("{at}[{n}]")))
            }
            plain => (plain != got).then(|| format!("{at}: want {plain}, got {got}")),
        }
    }
}

fn user() -> Value {
    json!({
        "id": "{{uuid}}", "username": "{{any}}", "profile_image": "{{any}}", "store_api_key": "{{any}}",
        "is_active": true, "is_superuser": false, "create_at": "{{ts}}", "updated_at": "{{ts}}", "last_login_at": "{{any}}",
    })
}

/// Whether a text matches a pattern of literal parts and `{{kinds}}`.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once("{{") else { return pattern == text };
    let (kind, rest) = after.split_once("}}").unwrap();
    let Some(tail) = text.strip_prefix(before) else { return false };
    let ends = (0..=tail.len()).rev().filter(|end| tail.is_char_boundary(*end));
    ends.into_iter().any(|end| is_kind(kind, &tail[..end]) && fits(rest, &tail[end..]))
}

fn is_kind(kind: &str, text: &str) -> bool {
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match kind {
        "any" => true,
        "ts" => text.len() == 27 && text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "uuid" => text.len() == 36 && text == text.to_lowercase() && uuid::Uuid::try_parse(text).is_ok(),
        "jwt" => text.split('.').count() == 3 && text.split('.').all(word),
        "key" => text.strip_prefix("sk-").is_some_and(|rest| rest.len() >= 30 && word(rest)),
        "masked key" => {
            let stars = text.trim_end_matches('*');
            stars.len() == 8 && stars.starts_with("sk-") && stars.len() < text.len()
        }
        "int" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        unknown => panic!("{{{{{unknown}}}}} has no value"),
    }
}

fn send(server: &Server, talk: &Talk, asked: &Value) -> Response {
    let path = talk.fill(asked["path"].as_str().unwrap());
    let mut request = server.request(asked["method"].as_str().unwrap(), path.replace(' ', "%20"));
    for (name, value) in asked["headers"].as_object().into_iter().flatten() {
        request = request.header(name, talk.fill(value.as_str().unwrap()));
    }
    if let Some(person) = asked["as"].as_str() {
        request = request.bearer(&talk.fill(&format!("{{{{{person}.token}}}}")));
    }
    if let Some(token) = asked["bearer"].as_str() {
        request = request.bearer(&talk.fill(token));
    }
    if let Some(key) = asked["key"].as_str() {
        request = request.key(&talk.fill(key));
    }
    for (name, value) in asked["cookie"].as_object().into_iter().flatten() {
        request = request.cookie(name, &talk.fill(value.as_str().unwrap()));
    }
    if let Some(body) = asked.get("json") {
        request = request.json(&talk.fill_all(body));
    } else if let Some(form) = asked["form"].as_object() {
        let fields: Vec<_> =
            form.iter().map(|(name, value)| (name.as_str(), talk.fill(value.as_str().unwrap()))).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request = request.form(&fields);
    } else if let Some(raw) = asked["raw"].as_str() {
        request = match asked["type"].as_str() {
            Some(content_type) => request.body(content_type, raw),
            None => request.raw_body(raw),
        };
    }
    request.send()
}

#[test]
fn langflow_1_3_clients_get_the_recorded_answers() {
    converse("1.3", include_str!("../wire/expected.json"));
}

#[test]
fn langflow_1_13_clients_get_the_recorded_answers() {
    converse("1.13", include_str!("../wire/expected-1.13.json"));
}

/// Sends every request, and compares its answer with the recorded one and with the API description.
fn converse(generation: &str, recorded: &str) {
    let server = Server::with().set("langflow_api", generation).start();
    let document = server.get("/openapi.json").send().json();
    let steps: Vec<Value> = serde_json::from_str(recorded).unwrap();
    assert_eq!(steps.len(), 115);
    let mut talk = Talk::default();
    let mut wrong = Vec::new();
    for step in &steps {
        let (name, asked) = (step["name"].as_str().unwrap(), &step["request"]);
        let path = talk.fill(asked["path"].as_str().unwrap());
        let answer = send(&server, &talk, asked);
        let got = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(answer.text()));
        for (variable, field) in asked["save"].as_object().into_iter().flatten() {
            if let Some(value) = got[field.as_str().unwrap()].as_str() {
                talk.0.insert(variable.clone(), value.to_owned());
            }
        }
        let mut faults = Vec::new();
        let statuses = step["status"].as_array().cloned().unwrap_or_else(|| vec![step["status"].clone()]);
        if !statuses.contains(&json!(answer.status)) {
            faults.push(format!("status {}, want {}", answer.status, step["status"]));
        }
        for (header, want) in step["headers"].as_object().unwrap() {
            let found = answer.header(header).map(|value| value.split(';').next().unwrap().trim());
            let want = talk.fill(want.as_str().unwrap());
            if !found.is_some_and(|found| fits(&want, found)) {
                faults.push(format!("header {header}: {found:?}, want {want}"));
            }
        }
        faults.extend(talk.mismatch(&step["body"], &got, "body"));
        for want in step["set_cookie"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (name, attributes) = want.split_once('=').unwrap();
            let set = answer.set_cookie(name).unwrap_or_default().to_lowercase();
            let has =
                |wanted: &str| set.split(';').skip(1).any(|attribute| attribute.trim() == wanted.trim().to_lowercase());
            faults.extend(
                attributes
                    .split(';')
                    .skip(1)
                    .filter(|wanted| !has(wanted))
                    .map(|wanted| format!("cookie {name}: no{wanted}")),
            );
        }
        if answer.status != 307 && answer.status != 405 && got != json!({"detail": "Not Found"}) {
            faults.extend(undescribed(&document, asked["method"].as_str().unwrap(), &path, &answer));
        }
        wrong.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
