//! `If-Match` (RFC 9110, 13.1.1). A change is made only if the account is still as the client saw it, so that two
//! people who edit it at once don't undo each other's work.

use actix_web::http::header;

use crate::domain::clock::rfc3339;
use crate::domain::user::User;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::FieldErrors;

/// The most tags that are read. Clients send one.
const MAX_TAGS: usize = 16;

/// The tags that the client sent. If there are any, one must be the account's.
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Refuses the change if the account changed since the client read it.
    pub fn check(&self, user: &User) -> Result<(), ApiError> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let own = etag(user);
        let fits = tags.iter().any(|sent| sent == "*" || *sent == own);
        if fits { Ok(()) } else { Err(ApiError::PreconditionFailed) }
    }
}

impl Input for IfMatch {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        // Tags hold times, and so no commas. A tag that can't be read matches nothing.
        let sent = source.request.headers().get_all(header::IF_MATCH);
        let tags: Vec<String> = sent
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(|sent| sent.trim().to_owned())
            .take(MAX_TAGS)
            .collect();
        Some(Self((!tags.is_empty()).then_some(tags)))
    }

    fn describe(operation: &mut Operation) {
        operation.header(
            "If-Match",
            "The user's `ETag`: `updated_at` in quotes. A user that has changed since isn't changed.",
        );
        operation.fails_with(412, "The user has changed since the `ETag` in `If-Match`.");
    }
}

/// The account's `ETag`. Every change of an account moves `updated_at`.
pub fn etag(user: &User) -> String {
    format!("\"{}\"", rfc3339(&user.updated_at))
}
