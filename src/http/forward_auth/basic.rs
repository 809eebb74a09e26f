//! `Basic` credentials for sites whose rule accepts them: a user name with one of that user's API keys as the password.
//! For apps and scripts that support nothing else.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::web::Data;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::domain::username::fold_input;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::sign_in::attempt;

/// The longest header that is read: a name and a key of the greatest lengths, encoded.
const MAX_BYTES: usize = 2048;

/// A user name and an API key.
pub struct BasicCredentials {
    name: String,
    key: Secret,
}

impl BasicCredentials {
    /// Reads the request's only `Authorization` header (RFC 7617).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = only(headers)?.as_bytes();
        if value.len() > MAX_BYTES || !is_basic(value) {
            return None;
        }
        let encoded = value[SCHEME.len()..].trim_ascii();
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (name, key) = text.split_once(':')?;
        Some(Self { name: name.to_owned(), key: Secret::new(key) })
    }

    /// Returns the user whose name and key these are. The right key is never slowed down: it can't be guessed.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`] after many wrong ones from one network.
    pub async fn user(self, app: &Data<App>, client: &Client, now: Timestamp) -> Result<Option<User>, ApiError> {
        match credentials::by_api_key(app, self.key.expose(), now).await {
            Ok(caller) if fold_input(&self.name).as_deref() == Some(caller.user.username.folded()) => {
                Ok(Some(caller.into_user()))
            }
            Err(error @ ApiError::Store(_)) => Err(error),
            _ => attempt::count_wrong_key(app, client.address, now).await.map(|()| None),
        }
    }
}

/// Returns the `Authorization` header for the site: the request's own, unless it is for usher or isn't clear.
pub fn for_site(headers: &HeaderMap, accepts_basic: bool) -> Option<HeaderValue> {
    only(headers).filter(|value| !(accepts_basic && is_basic(value.as_bytes()))).cloned()
}

/// The name of the scheme. Its case is ignored.
const SCHEME: &[u8] = b"basic";

fn is_basic(value: &[u8]) -> bool {
    value.trim_ascii_start().get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

fn only(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(AUTHORIZATION);
    values.next().filter(|_| values.next().is_none())
}
