//! Reading a request's body: size limit, timeout and content type.

pub mod charset;
pub mod form;
pub mod header_parameters;
pub mod multipart;

use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde_json::Value;

use crate::http::pipeline::body::form::FormPairs;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};

/// The size limit of a body.
pub const MAX_BYTES: usize = 64 * 1024;
/// How much is read and discarded, so that a client that sends everything first still gets the 413.
const MAX_DRAINED: usize = 16 * 1024 * 1024;
/// The timeout of a body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The kind of body that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// None; a body is discarded.
    None,
    Json,
    /// A form, urlencoded or multipart.
    Form,
}

/// A parsed body.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// No body.
    None,
    /// A JSON value.
    Json(Value),
    /// The fields of a form.
    Form(FormPairs<'static>),
    /// Text of another content type.
    Other(String),
}

/// Reads a body of the kind that the route takes.
///
/// # Errors
/// 413 if it is too large, 408 after the timeout, 400 if it isn't UTF-8, is a malformed form or is nested too deeply,
/// 422 if it isn't JSON.
pub async fn read(kind: BodyKind, request: &HttpRequest, payload: Payload) -> Result<Body, ApiError> {
    if kind == BodyKind::None {
        drain(request, payload).await;
        return Ok(Body::None);
    }
    let bytes = collect(payload).await?;
    if bytes.is_empty() {
        return Ok(Body::None);
    }
    if kind == BodyKind::Form {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        return FormPairs::parse_body(content_type, &bytes).map(Body::Form).ok_or(ApiError::UnparsableBody);
    }
    let text = String::from_utf8(bytes).map_err(|_| ApiError::UnparsableBody)?;
    if is_json(request) { json(&text).map(Body::Json) } else { Ok(Body::Other(text)) }
}

/// Discards a body that the route doesn't take, so that the connection can be reused.
pub async fn drain(request: &HttpRequest, mut payload: Payload) {
    if !request.headers().contains_key(CONTENT_LENGTH) && !request.chunked().unwrap_or(false) {
        return;
    }
    let mut left = MAX_DRAINED;
    let all = async {
        while let Some(chunk) = payload.next().await {
            let Ok(chunk) = chunk else { return };
            let Some(rest) = left.checked_sub(chunk.len()) else { return };
            left = rest;
        }
    };
    // The rest of a body that is too slow is cut off with the connection.
    let _ = tokio::time::timeout(TIMEOUT, all).await;
}

async fn collect(mut payload: Payload) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut seen = 0;
    let all = async {
        while let Some(chunk) = payload.next().await {
            // The peer broke off or sent no valid chunks.
            let Ok(chunk) = chunk else { return Err(ApiError::UnparsableBody) };
            seen += chunk.len();
            if seen <= MAX_BYTES {
                bytes.extend_from_slice(&chunk);
            } else if seen > MAX_DRAINED {
                return Err(ApiError::BodyTooLarge);
            }
        }
        if seen > MAX_BYTES { Err(ApiError::BodyTooLarge) } else { Ok(()) }
    };
    tokio::time::timeout(TIMEOUT, all).await.map_err(|_| ApiError::BodyTooSlow)??;
    Ok(bytes)
}

/// Whether FastAPI would parse the body as JSON: `application/json`, `application/…+json`, or no type at all.
fn is_json(request: &HttpRequest) -> bool {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sub = essence.strip_prefix("application/");
    essence.is_empty() || sub.is_some_and(|sub| sub == "json" || sub.ends_with("+json"))
}

fn json(text: &str) -> Result<Value, ApiError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        // serde_json tells this error only in its message.
        if error.to_string().starts_with("recursion limit") {
            return ApiError::UnparsableBody;
        }
        let fault = FieldError::new("json_invalid", field::JSON);
        ApiError::Validation(FieldErrors::one(Location::Character(error_position(text, &error)), fault))
    })
}

/// Returns the position of a JSON error in characters, as Python counts.
fn error_position(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let column = if error.is_eof() { error.column() } else { error.column().saturating_sub(1) };
    let bytes = (before + column).min(text.len());
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position(text: &str) -> usize {
        match json(text) {
            Err(ApiError::Validation(errors)) => {
                let items = serde_json::to_value(errors.0).unwrap();
                usize::try_from(items[0]["loc"][1].as_u64().unwrap()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn error_positions_are_counted_in_characters() {
        assert_eq!(position("{bad"), 1);
        assert_eq!(position(r#"{"username": "a""#), 16);
        assert_eq!(position(r#"{"é" 1}"#), 5);
        assert_eq!(position("\n\n{\"a\":\n bad}"), 9);
        assert_eq!(position("{} x"), 3);
        assert_eq!(position(" "), 1);
    }

    #[test]
    fn the_last_of_repeated_keys_counts_and_a_byte_order_mark_does_not() {
        assert_eq!(json("\u{feff}{\"a\":1,\"a\":2}").unwrap(), serde_json::json!({"a": 2}));
    }

    #[test]
    fn nesting_beyond_reason_is_refused_without_reading_on() {
        assert!(json(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        let deep = "[".repeat(50_000);
        assert!(matches!(json(&deep), Err(ApiError::UnparsableBody)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), json_like in "[\\[\\]{}:,\"0-9a-z\\\\ \\n.eE+-]{0,60}") {
            let _ = json(&text);
            let _ = json(&json_like);
        }
    }
}
