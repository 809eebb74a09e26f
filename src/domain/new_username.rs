//! Stricter rules for new user names: no name may look like another one, or be invisible. Existing accounts keep their
//! names.

use std::collections::BTreeSet;

use icu_normalizer::DecomposingNormalizer;
use icu_properties::props::{
    DefaultIgnorableCodePoint, Emoji, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, Script, SoftDotted,
};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::domain::actor_names;
use crate::domain::username::Username;

/// Blank characters that Unicode counts as visible: the empty Braille cell, a half fill space, the place of an object,
/// two empty hieroglyphs, a filler, and a note head without a head.
const BLANK: [char; 7] = ['\u{2800}', '\u{303f}', '\u{fffc}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}'];
/// The most combining marks on one letter. Burmese words have five.
const MAX_MARKS: usize = 6;
const DOT_ABOVE: char = '\u{307}';
/// Asks for the picture form of the character in front.
const EMOJI_SELECTOR: char = '\u{fe0f}';

/// Why a valid name can't be given to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewUsernameError {
    /// It has white space other than single ordinary blanks.
    #[error("Username should separate words by single spaces")]
    Spaces,
    /// It has a character that can't be seen.
    #[error("Username should not contain invisible characters")]
    Invisible,
    /// A combining mark stands without a letter.
    #[error("Username should not begin a word with a combining mark")]
    LeadingMark,
    /// Marks can't be seen, because they repeat what is there, or cover the text around them.
    #[error("Username should not pile up combining marks")]
    PiledMarks,
    /// It mixes scripts that aren't written together, such as Latin and Cyrillic.
    #[error("Username should not mix letters of different scripts")]
    MixedScripts,
    /// The audit log uses this name for usher itself.
    #[error("Username is reserved")]
    Reserved,
}

/// Checks whether a new account, or an account that is renamed, may have this name.
pub fn check_new(name: &Username) -> Result<(), NewUsernameError> {
    let text = name.as_str();
    if actor_names::ALL.iter().any(|reserved| name.matches(reserved)) {
        return Err(NewUsernameError::Reserved);
    }
    // Most names.
    if text.is_ascii() {
        return if text.contains("  ") { Err(NewUsernameError::Spaces) } else { Ok(()) };
    }
    if text.contains("  ") || text.chars().any(|c| c != ' ' && c.is_whitespace()) {
        return Err(NewUsernameError::Spaces);
    }
    let mut before = ' ';
    for c in text.chars() {
        if is_invisible(c, before) {
            return Err(NewUsernameError::Invisible);
        }
        if before == ' ' && is_mark(c) {
            return Err(NewUsernameError::LeadingMark);
        }
        before = c;
    }
    if piles_up_marks(text) {
        return Err(NewUsernameError::PiledMarks);
    }
    if mixes_scripts(text) { Err(NewUsernameError::MixedScripts) } else { Ok(()) }
}

fn is_invisible(c: char, before: char) -> bool {
    let selects_emoji = c == EMOJI_SELECTOR && !before.is_ascii() && CodePointSetData::new::<Emoji>().contains(before);
    BLANK.contains(&c)
        || is_unassigned(c)
        || !selects_emoji && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether Unicode doesn't assign this character yet, so that no font shows it and a later version may fold it like
/// another one. Code points that are reserved for emoji don't count.
fn is_unassigned(c: char) -> bool {
    CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::Unassigned
        && !CodePointSetData::new::<ExtendedPictographic>().contains(c)
}

/// Whether a letter has a mark twice, more marks than any language needs, or a dot over the dot that it has (UTS 39,
/// section 5.4).
fn piles_up_marks(text: &str) -> bool {
    let (mut base, mut marks) = (' ', Vec::new());
    for c in DecomposingNormalizer::new_nfd().normalize_iter(text.chars()) {
        if !is_mark(c) {
            base = c;
            marks.clear();
            continue;
        }
        let has_dot = CodePointSetData::new::<SoftDotted>().contains(base) || ['l', 'ı', 'ȷ'].contains(&base);
        if marks.last() == Some(&c) || marks.len() == MAX_MARKS || c == DOT_ABOVE && has_dot {
            return true;
        }
        marks.push(c);
    }
    false
}

fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// A writing system: a script, or one of the sets that are written with Chinese characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum WritingSystem {
    Chinese,
    Japanese,
    Korean,
    Script(Script),
}

/// Whether a text is worse than "highly restrictive" (UTS 39, section 5.2). Characters of no script in particular don't
/// count: digits, punctuation, emoji.
fn mixes_scripts(text: &str) -> bool {
    let systems: Vec<BTreeSet<WritingSystem>> = text.chars().filter_map(writing_systems).collect();
    let is_latin = |system: &&BTreeSet<WritingSystem>| system.contains(&WritingSystem::Script(Script::Latin));
    if common(systems.iter()).is_none_or(|common| !common.is_empty()) {
        return false;
    }
    // Latin goes with Chinese, Japanese and Korean.
    let others = common(systems.iter().filter(|system| !is_latin(system))).unwrap_or_default();
    let with_latin = [WritingSystem::Chinese, WritingSystem::Japanese, WritingSystem::Korean];
    !with_latin.iter().any(|system| others.contains(system))
}

/// The intersection of all sets; `None` if there are no sets.
fn common<'a>(mut sets: impl Iterator<Item = &'a BTreeSet<WritingSystem>>) -> Option<BTreeSet<WritingSystem>> {
    let first = sets.next()?.clone();
    Some(sets.fold(first, |common, set| &common & set))
}

/// The writing systems that a character belongs to (UTS 39, section 5.1); `None` if it belongs to all.
fn writing_systems(c: char) -> Option<BTreeSet<WritingSystem>> {
    let scripts = ScriptWithExtensions::new().get_script_extensions_val(c);
    let mut systems = BTreeSet::new();
    for script in scripts.iter() {
        match script {
            // An unknown one is an emoji of a later Unicode.
            Script::Common | Script::Inherited | Script::Unknown => return None,
            Script::Han => systems.extend([WritingSystem::Chinese, WritingSystem::Japanese, WritingSystem::Korean]),
            Script::Bopomofo => drop(systems.insert(WritingSystem::Chinese)),
            Script::Hiragana | Script::Katakana => drop(systems.insert(WritingSystem::Japanese)),
            Script::Hangul => drop(systems.insert(WritingSystem::Korean)),
            _ => {}
        }
        systems.insert(WritingSystem::Script(script));
    }
    Some(systems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str) -> Result<(), NewUsernameError> {
        check_new(&Username::parse(name).unwrap())
    }

    #[test]
    fn names_of_one_script_with_punctuation_and_emoji_are_allowed() {
        for name in [
            "ada",
            "Ada Lovelace",
            "O'Neill-Smith 3rd",
            "jörg.müller@example.org",
            "Иван Петров",
            "Ελένη",
            "李小龙",
            "李小龙 Bruce",
            "さくら サクラ 桜 Sakura",
            "김철수 Kim",
            "ㄅㄆㄇ 注音 abc",
            "مريم",
            "שרה",
            "प्रिया",
            "rocket 🚀",
            "heart ❤\u{fe0f}",
            "e\u{301}mile",
            "İbrahim",
            "Rūta Žemaitė",
            "Nguyễn Thị Bưởi",
            "လျှို့ဝှက်",
            "ལྷ་རྒྱལ་རི",
            "new emoji \u{1faff}",
            "１２３ ａｄａ",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_deceive_are_refused() {
        for (name, error) in [
            ("admin \u{3164}", NewUsernameError::Invisible),
            ("admin\u{2800}", NewUsernameError::Invisible),
            ("\u{2800}", NewUsernameError::Invisible),
            ("admin\u{fe0f}", NewUsernameError::Invisible),
            ("1\u{fe0f}", NewUsernameError::Invisible),
            ("ad\u{34f}min", NewUsernameError::Invisible),
            ("\u{13441}", NewUsernameError::Invisible),
            ("admin\u{fffc}", NewUsernameError::Invisible),
            ("\u{d7ff}", NewUsernameError::Invisible),
            ("admin\u{378}", NewUsernameError::Invisible),
            ("admin\u{fffe}", NewUsernameError::Invisible),
            ("admi\u{307}n", NewUsernameError::PiledMarks),
            ("a\u{328}dmi\u{323}\u{307}n", NewUsernameError::PiledMarks),
            ("\u{e9}\u{301}mile", NewUsernameError::PiledMarks),
            ("z\u{301}\u{302}\u{301}\u{302}\u{301}\u{302}\u{301}", NewUsernameError::PiledMarks),
            ("\u{301}", NewUsernameError::LeadingMark),
            ("\u{301}admin", NewUsernameError::LeadingMark),
            ("ad \u{301}min", NewUsernameError::LeadingMark),
            ("ad  min", NewUsernameError::Spaces),
            ("ad\u{a0}min", NewUsernameError::Spaces),
            ("ad\u{3000}min", NewUsernameError::Spaces),
            ("аdmin", NewUsernameError::MixedScripts),
            ("Иван Petrov", NewUsernameError::MixedScripts),
            ("αlice", NewUsernameError::MixedScripts),
            ("さくら김", NewUsernameError::MixedScripts),
            ("李Иван", NewUsernameError::MixedScripts),
            ("command line", NewUsernameError::Reserved),
            ("Command Line", NewUsernameError::Reserved),
            ("schedule", NewUsernameError::Reserved),
        ] {
            assert_eq!(check(name), Err(error), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_panics(text in any::<String>()) {
            if let Ok(name) = Username::parse(&text) {
                let _ = check_new(&name);
            }
        }
    }
}
