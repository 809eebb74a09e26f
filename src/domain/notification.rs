//! The events for the setting `on_event`: four kinds of audit entries.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// Marks the audit entry of a sign-in from a network that the user hasn't signed in from before.
pub const NEW_PLACE: &str = "new place";

/// The receiver of events.
#[derive(Clone, PartialEq, Eq)]
pub enum EventTarget {
    /// A program, which reads JSON from standard input.
    Program(PathBuf),
    /// An address, which gets JSON by POST. Its path can be a secret.
    Webhook(Url),
}

impl fmt::Display for EventTarget {
    /// Writes the target without the part that can be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(path) => path.display().fmt(f),
            Self::Webhook(url) => {
                let path = if url.path() == "/" && url.query().is_none() { "" } else { "***" };
                write!(f, "{}/{path}", url.origin().ascii_serialization())
            }
        }
    }
}

impl fmt::Debug for EventTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// Somebody signed up or accepted an invitation.
    SignUp,
    /// A user signed in from a network for the first time.
    SignInFromNewPlace,
    /// A password was set.
    PasswordChanged,
    /// A session was ended by other means than signing out.
    SessionEnded,
}

impl NotificationKind {
    /// Returns the kind of an audit entry, or `None` for entries that aren't sent.
    pub fn of(action: &str, success: bool, actor_name: Option<&str>, detail: Option<&str>) -> Option<Self> {
        match action {
            "user.add" if success && actor_name.is_none() => Some(Self::SignUp),
            "invitation.use" if success => Some(Self::SignUp),
            "login" if success && detail.is_some_and(|detail| detail.ends_with(NEW_PLACE)) => {
                Some(Self::SignInFromNewPlace)
            }
            "password.change" | "reset_link.use" if success => Some(Self::PasswordChanged),
            "session.end" if success => Some(Self::SessionEnded),
            "refresh.reuse" => Some(Self::SessionEnded),
            _ => None,
        }
    }

    /// Returns the kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignInFromNewPlace => "sign_in_from_new_place",
            Self::PasswordChanged => "password_changed",
            Self::SessionEnded => "session_ended",
        }
    }
}
