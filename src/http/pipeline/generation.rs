//! The differences between the generations of Langflow's clients, as a table with a column for each. The setting
//! `langflow_api` selects the column. Nothing else in usher depends on the generation.

use actix_web::http::StatusCode;

use crate::config::{Config, LangflowApi};
use crate::store::user_list::UserSort;

/// Declares the table: `name: type = value in 1.3, value in 1.13`.
macro_rules! generations {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $old:expr, $new:expr;)+) => {
        /// A column of the table.
        #[derive(Debug)]
        pub struct Generation {
            $($(#[$doc])* pub $name: $type,)+
        }

        /// Langflow 1.3 to 1.7.
        pub static V1_3: Generation = Generation { $($name: $old,)+ };
        /// Langflow 1.8 to 1.13.
        pub static V1_13: Generation = Generation { $($name: $new,)+ };
    };
}

type Refusal = (StatusCode, &'static str);

generations! {
    /// A request without credentials.
    no_credentials: &'static str =
        "An API key must be passed as query or header",
        "No authentication credentials provided";
    /// An API key that is unknown or has expired.
    invalid_api_key: &'static str = "Invalid or missing API key", "Invalid API key";
    /// An access token that can't be verified.
    invalid_token: &'static str = "Could not validate credentials", "Invalid token";
    /// An access token that has expired.
    token_expired: &'static str = "Token has expired.", "Token has expired";
    /// A token whose user is missing or inactive.
    user_missing_or_inactive: &'static str = "User not found or is inactive.", "User account is inactive";
    /// An API key whose user is inactive.
    inactive_key_owner: Refusal =
        (StatusCode::UNAUTHORIZED, "Inactive user"),
        (StatusCode::FORBIDDEN, "User account is inactive");
    /// Whether a refused access token is answered with `WWW-Authenticate`.
    challenges_for_tokens: bool = true, false;
    /// A user who isn't a superuser makes themselves one.
    promotes_self: &'static str = "Permission denied", "Only a superuser may promote or demote platform superusers";
    /// A user sets the password of another.
    anothers_password: StatusCode = StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND;
    /// Whether resetting a password needs the current one.
    needs_current_password: bool = false, true;
    /// Automatic sign-in is off.
    auto_login_off: Refusal =
        (StatusCode::BAD_REQUEST, "Auto login is disabled. Please enable it in the settings"),
        (StatusCode::FORBIDDEN, "Auto login is disabled.");
    /// Whether a deletion checks who is calling before the path.
    deletion_checks_caller_first: bool = true, false;
    /// A user who isn't a superuser deletes a user.
    deletes_as_user: &'static str = "The user doesn't have enough privileges", "Permission denied";
    /// A user was deleted.
    user_deleted: Refusal =
        (StatusCode::OK, "User deleted"),
        (StatusCode::ACCEPTED, "User deletion started");
    /// Whether the response to a deletion names a request.
    deletion_has_request_id: bool = false, true;
    /// The smallest and the largest `limit` of the list of users.
    list_limits: (i64, i64) = (0, 1000), (1, 200);
    /// The order of the list of users, if none is asked for.
    list_order: UserSort = UserSort::Created, UserSort::Name;
}

impl Generation {
    /// Returns the column that the settings select.
    pub fn of(config: &Config) -> &'static Self {
        match config.langflow_api {
            LangflowApi::V1_3 => &V1_3,
            LangflowApi::V1_13 => &V1_13,
        }
    }
}

impl Default for &'static Generation {
    fn default() -> Self {
        &V1_3
    }
}
