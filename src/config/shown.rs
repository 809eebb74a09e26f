//! How `usher config` prints values.

use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::bind::Bind;
use crate::config::choices::{CookieSecure, LangflowApi, Signup, choice_name};
use crate::config::error;
use crate::config::values::ExitWith;
use crate::domain::forward_auth::AccessRules;
use crate::domain::notification::EventTarget;
use crate::domain::schedule::Schedule;
use crate::domain::second_factor::SecondFactorPolicy;
use crate::domain::secret::Secret;

/// How `usher config` prints a value.
pub(super) trait Shown {
    /// The text. The setting's parser reads it as the same value.
    fn shown(&self) -> String;
}

macro_rules! shown_by_display {
    ($($type:ty),*) => { $(
        impl Shown for $type {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )* };
}
shown_by_display!(bool, u32, usize, String, Bind, EventTarget, ExitWith, IpNet, Schedule, Secret);

macro_rules! shown_by_word {
    ($($type:ty),*) => { $(
        impl Shown for $type {
            fn shown(&self) -> String {
                choice_name(self).to_owned()
            }
        }
    )* };
}
shown_by_word!(Signup, CookieSecure, LangflowApi, SecondFactorPolicy);

impl Shown for PathBuf {
    fn shown(&self) -> String {
        error::shown_path(self)
    }
}

impl Shown for AccessRules {
    fn shown(&self) -> String {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map(Shown::shown).unwrap_or_default()
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        self.iter().map(Shown::shown).collect::<Vec<_>>().join(", ")
    }
}
