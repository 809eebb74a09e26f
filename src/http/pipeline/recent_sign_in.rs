//! Recent sign-ins: what an intruder with a stolen session would do first needs one, if the setting
//! `recent_sign_in_minutes` says so.

use std::ops::Deref;

use chrono::TimeDelta;

use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::{Authenticate, Credentials, SignedIn};
use crate::http::pipeline::error::ApiError;

/// A caller whose sign-in is recent enough for a sensitive request. [`Input::is_sensitive`] says which requests of the
/// route are. API keys and automatic sign-in are exempt: neither has anything to sign in again with.
///
/// [`Input::is_sensitive`]: crate::http::pipeline::request::Input::is_sensitive
pub struct Recent<C>(C);

impl<C> Deref for Recent<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: Authenticate + AsRef<SignedIn>> Authenticate for Recent<C> {
    const NEEDS_CREDENTIALS: bool = C::NEEDS_CREDENTIALS;
    const NEEDS_RECENT_SIGN_IN: bool = true;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        C::authenticate(app, credentials).await.map(Self)
    }

    fn check_recent_sign_in(&self, app: &App) -> Result<(), ApiError> {
        let minutes = app.config.recent_sign_in_minutes;
        if minutes == 0 || self.0.as_ref().signed_in_within(TimeDelta::minutes(minutes.into())) {
            Ok(())
        } else {
            Err(ApiError::SignInTooOld)
        }
    }
}
