//! Settings that are one of a few words.

use crate::domain::second_factor::SecondFactorPolicy;

/// An enum that is written as one of a few words.
pub(super) trait SettingEnum: Sized + 'static {
    /// Every word with its value.
    const WORDS: &'static [(&'static str, Self)];
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
    /// The setting's word.
    pub fn as_str(self) -> &'static str {
        word(&self)
    }
}

impl SettingEnum for Signup {
    const WORDS: &'static [(&'static str, Self)] =
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
    const WORDS: &'static [(&'static str, Self)] = &[("1.3", Self::V1_3), ("1.13", Self::V1_13)];
}

impl SettingEnum for SecondFactorPolicy {
    const WORDS: &'static [(&'static str, Self)] = &[
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
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("true", Self::Always), ("false", Self::Never)];
}

/// The word for a value.
pub(super) fn word<T: SettingEnum + PartialEq>(value: &T) -> &'static str {
    T::WORDS.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// The value of a word.
pub(super) fn choice<T: SettingEnum + Clone>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let found = T::WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("one of {}", words.join(", "))
    })
}
