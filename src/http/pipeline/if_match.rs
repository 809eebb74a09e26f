//! Owns `If-Match`: a change that is made only if the account still is as the client saw it, so that two people who
//! edit it at once do not undo each other's work (RFC 9110, 13.1.1).

use actix_web::http::header;

use crate::domain::clock::rfc3339;
use crate::domain::user::User;
use crate::http::models::UserRead;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::validation::FieldErrors;

/// What the client saw, if it says so: one tag of these must be the account's.
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Refuses a change of an account that is not what the client saw.
    pub fn check(&self, user: &User) -> Result<(), ApiError> {
        let fits = |tags: &Vec<String>| tags.iter().any(|sent| sent == "*" || *sent == tag(user));
        if self.0.as_ref().is_none_or(fits) { Ok(()) } else { Err(ApiError::ChangedMeanwhile) }
    }
}

impl Input for IfMatch {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        // Tags hold times, and so no commas. One that cannot be read fits nothing.
        let sent = source.request.headers().get_all(header::IF_MATCH);
        let tags: Vec<String> = sent
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(|sent| sent.trim().to_owned())
            .collect();
        Some(Self((!tags.is_empty()).then_some(tags)))
    }

    fn describe(operation: &mut Operation) {
        let about =
            "The account's `ETag`, which is its `updated_at` in quotes: refused with 412 if it was changed since";
        operation.header("If-Match", about);
        operation.refusal(412, "The account is not what `If-Match` says");
    }
}

/// An account, with the tag that `If-Match` takes.
pub fn tagged(user: &User) -> Response {
    Response::json(&UserRead::from(user)).header(header::ETAG, &tag(user))
}

/// Every change of an account moves its time.
fn tag(user: &User) -> String {
    format!("\"{}\"", rfc3339(&user.updated_at))
}
