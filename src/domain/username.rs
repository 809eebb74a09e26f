//! User names: which are valid, and when two are equal.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The maximum length in characters, not bytes.
pub const MAX_CHARS: usize = 255;

/// A user name as typed, trimmed, and its folded form for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    shown: String,
    folded: String,
}

/// Why a text isn't a valid user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// It is empty after trimming.
    #[error("Username should have at least 1 character")]
    Empty,
    /// It has more than [`MAX_CHARS`] characters.
    #[error("Username should have at most 255 characters")]
    TooLong,
    /// It has a control, format, private-use or line-separating character.
    #[error("Username should not contain control, format or private-use characters")]
    Forbidden,
    /// It has only invisible characters.
    #[error("Username should contain visible characters")]
    Invisible,
}

impl Username {
    /// Trims white space and validates the rest.
    pub fn parse(typed: &str) -> Result<Self, UsernameError> {
        let shown = typed.trim();
        if shown.is_empty() {
            return Err(UsernameError::Empty);
        }
        if is_too_long(shown) {
            return Err(UsernameError::TooLong);
        }
        if shown.chars().any(is_forbidden) {
            return Err(UsernameError::Forbidden);
        }
        let folded = fold(shown);
        if folded.trim().is_empty() {
            return Err(UsernameError::Invisible);
        }
        Ok(Self { shown: shown.to_owned(), folded })
    }

    /// Builds a name from the database, which holds only validated names.
    pub fn from_stored(shown: String, folded: String) -> Self {
        Self { shown, folded }
    }

    /// Returns the name as typed.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Returns the folded form. Names are equal if their folded forms are.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Reports whether `text` is this name in any case and Unicode form.
    pub fn matches(&self, text: &str) -> bool {
        fold_input(text).is_some_and(|folded| folded == self.folded)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Trims and folds a typed name. Returns `None` if no name has these characters: PostgreSQL takes no U+0000. Nor if it
/// is longer than any name; folding it could take a thousand times as long as reading it.
pub fn fold_input(typed: &str) -> Option<String> {
    let typed = typed.trim();
    if is_too_long(typed) || typed.contains('\0') { None } else { Some(fold(typed)) }
}

/// Returns what a folded name is sorted and searched by: the name without accents. Letters that Unicode doesn't
/// decompose become the plain ones that people type instead.
pub fn sort_key(folded: &str) -> String {
    if folded.is_ascii() {
        return folded.to_owned();
    }
    let categories = CodePointMapData::<GeneralCategory>::new();
    let mut key = String::with_capacity(folded.len());
    for c in DecomposingNormalizer::new_nfd().normalize_iter(folded.chars()) {
        match c {
            'ł' => key.push('l'),
            'ø' => key.push('o'),
            'đ' => key.push('d'),
            'ı' => key.push('i'),
            'ß' => key.push_str("ss"),
            'æ' => key.push_str("ae"),
            'œ' => key.push_str("oe"),
            _ if categories.get(c) == GeneralCategory::NonspacingMark => {}
            _ => key.push(c),
        }
    }
    // An old name can consist of marks.
    if key.is_empty() { folded.to_owned() } else { key }
}

/// Whether a text has more characters than a name may have. Doesn't count further than that.
pub fn is_too_long(text: &str) -> bool {
    text.chars().nth(MAX_CHARS).is_some()
}

/// NFKC case folding (Unicode 16, section 3.13, `toNFKC_Casefold`): compatibility forms, letter case and ignorable
/// characters make no difference.
fn fold(text: &str) -> String {
    #[cfg(test)]
    tests::count_folded(text);
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let mut folded = DecomposingNormalizer::new_nfd().normalize(text).into_owned();
    // One round can leave something that the next folds further; the standard asks for a fixed point.
    for _ in 0..4 {
        let visible: String = folded.chars().filter(|&c| !ignorable.contains(c)).collect();
        let compatible = ComposingNormalizer::new_nfkc().normalize(&visible).into_owned();
        let next = ComposingNormalizer::new_nfkc().normalize(&CaseMapper::new().fold_string(&compatible)).into_owned();
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

fn is_forbidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    thread_local! {
        static FOLDED_BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count_folded(text: &str) {
        FOLDED_BYTES.set(FOLDED_BYTES.get() + text.len());
    }

    /// Returns how many bytes `work` folds on this thread.
    pub(crate) fn folded_by(work: impl FnOnce()) -> usize {
        let before = FOLDED_BYTES.get();
        work();
        FOLDED_BYTES.get() - before
    }

    #[test]
    fn names_are_sorted_and_searched_without_accents() {
        for (name, key) in [
            ("Jürgen", "jurgen"),
            ("Ångström", "angstrom"),
            ("Łucja Đorđe", "lucja dorde"),
            ("Øyvind Æsop Œuvre", "oyvind aesop oeuvre"),
            ("Groß", "gross"),
            ("ıİ", "ii"),
            ("Ελλάδα", "ελλαδα"),
            ("\u{301}", "\u{301}"),
        ] {
            assert_eq!(sort_key(&fold(name)), key, "{name}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_for_a_name_is_not_folded_at_all() {
        let long = "\u{fdfa}".repeat(64 * 1024 / 3);
        let name = Username::parse("ada").unwrap();
        let folded = folded_by(|| {
            assert_eq!(fold_input(&long), None);
            assert_eq!(Username::parse(&long), Err(UsernameError::TooLong));
            assert!(!name.matches(&long));
        });
        assert_eq!(folded, 0);
        assert_eq!(folded_by(|| drop(fold_input(" ada "))), 3);
        assert_eq!(fold_input(&"x".repeat(255)), Some("x".repeat(255)));
        assert_eq!(fold_input(&"x".repeat(256)), None);
    }

    #[test]
    fn names_are_trimmed_and_kept_as_typed() {
        let name = Username::parse("  Ada Lovelace\t").unwrap();
        assert_eq!(name.as_str(), "Ada Lovelace");
        assert_eq!(name.folded(), "ada lovelace");
    }

    #[test]
    fn names_that_differ_in_case_or_unicode_form_are_one() {
        for (a, b) in [
            ("ADMIN", "admin"),
            ("Straße", "STRASSE"),
            ("ﬁona", "FIONA"),
            ("é", "e\u{301}"),
            ("ａｄａ", "Ada"),
            ("Ά", "ά"),
            ("ada\u{fe0f}", "ada"),
        ] {
            assert_eq!(Username::parse(a).unwrap().folded(), Username::parse(b).unwrap().folded(), "{a} {b}");
        }
    }

    #[test]
    fn names_without_a_visible_character_or_with_hidden_ones_are_refused() {
        assert_eq!(Username::parse(" \t "), Err(UsernameError::Empty));
        assert_eq!(Username::parse("\u{3164}"), Err(UsernameError::Invisible));
        for bad in ["a\0b", "a\u{202e}b", "a\u{200d}b", "a\u{e000}", "a\nb", "a\u{2028}b", "a\u{ad}b"] {
            assert_eq!(Username::parse(bad), Err(UsernameError::Forbidden), "{bad:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(Username::parse(&"é".repeat(255)).is_ok());
        assert_eq!(Username::parse(&"é".repeat(256)), Err(UsernameError::TooLong));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_parsing_again_changes_nothing(text in any::<String>()) {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(&Username::parse(name.as_str()).unwrap(), &name);
                prop_assert_eq!(fold(name.folded()), name.folded());
                prop_assert!(name.matches(&text));
            }
        }
    }
}
