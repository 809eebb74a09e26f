//! Recent sign-ins: what an intruder with a stolen session would do first needs one, if the setting
//! `recent_sign_in_minutes` says so.

use std::ops::Deref;

use chrono::TimeDelta;

use crate::config::Config;
use crate::http::pipeline::caller::Admit;
use crate::http::pipeline::caller::credentials::Authenticated;
use crate::http::pipeline::error::ApiError;

/// A caller whose sign-in is recent enough for a sensitive request. [`Input::is_sensitive`] says which requests of the
/// route are. API keys and automatic sign-in are exempt: neither has anything to sign in again with.
///
/// [`Input::is_sensitive`]: crate::http::pipeline::request::Input::is_sensitive
pub struct Recent<C>(C);

impl<C: Admit> Deref for Recent<C> {
    type Target = Authenticated;

    fn deref(&self) -> &Authenticated {
        &self.0
    }
}

impl<C: Admit> Admit for Recent<C> {
    const NEEDS_RECENT_SIGN_IN: bool = true;

    fn admit(caller: Authenticated, config: &Config) -> Result<Self, ApiError> {
        C::admit(caller, config).map(Self)
    }

    fn check_recent_sign_in(&self, config: &Config) -> Result<(), ApiError> {
        let minutes = config.recent_sign_in_minutes;
        if minutes == 0 || self.signed_in_within(TimeDelta::minutes(minutes.into())) {
            Ok(())
        } else {
            Err(ApiError::SignInTooOld)
        }
    }
}
