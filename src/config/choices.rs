//! Settings with a fixed set of choices.

use crate::domain::second_factor::SecondFactorPolicy;

/// A setting with a fixed set of choices.
pub(super) trait SettingEnum: Sized + 'static {
    /// Each choice with its value.
    const CHOICES: &'static [(&'static str, Self)];
}

/// Who can add users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signup {
    /// Everyone. New users are inactive until a superuser approves them.
    Approval,
    /// Everyone. New users are active at once.
    Open,
    /// Superusers only.
    Closed,
}

impl Signup {
    /// The name in the settings.
    pub fn as_str(self) -> &'static str {
        choice_name(&self)
    }
}

impl SettingEnum for Signup {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("approval", Self::Approval), ("open", Self::Open), ("closed", Self::Closed)];
}

/// The generation of Langflow whose API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LangflowApi {
    /// Langflow 1.3 to 1.7.
    V1_3,
    /// Langflow 1.8 to 1.13.
    V1_13,
}

impl SettingEnum for LangflowApi {
    const CHOICES: &'static [(&'static str, Self)] = &[("1.3", Self::V1_3), ("1.13", Self::V1_13)];
}

impl SettingEnum for SecondFactorPolicy {
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("optional", Self::Optional),
        ("superusers", Self::Superusers),
        ("everybody", Self::Everybody),
        ("off", Self::Off),
    ];
}

/// When cookies carry `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecure {
    /// If the request came over HTTPS.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl SettingEnum for CookieSecure {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("true", Self::Always), ("false", Self::Never)];
}

pub(super) fn choice_name<T: SettingEnum + PartialEq>(value: &T) -> &'static str {
    T::CHOICES.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

/// Parses the name of a choice.
pub(super) fn choice<T: SettingEnum + Clone>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let found = T::CHOICES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<String> = T::CHOICES.iter().map(|(name, _)| format!("`{name}`")).collect();
        format!("one of {}", names.join(", "))
    })
}
