//! Text from outside, made safe for a terminal or a log.

/// Escapes control characters, and characters that hide or reorder the text beside them.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// Whether a character leaves the rest of a terminal or log as it is.
pub fn is_printable(c: char) -> bool {
    let hides = matches!(
        c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !hides
}

/// Whether a text can break the line or reverse the text beside it: it has control characters, line separators or marks
/// of direction. Joiners, which are parts of words and emoji, are none of these.
pub fn has_controls(text: &str) -> bool {
    let moves =
        |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().any(|c| c.is_control() || moves(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_escaped_and_letters_are_not() {
        assert_eq!(printable("a\u{1b}[31m\n\u{9b}2J\u{202e}é名\u{7f}"), "a\\u{1b}[31m\\n\\u{9b}2J\\u{202e}é名\\u{7f}");
        assert_eq!(printable("Zoë Straße 🙂"), "Zoë Straße 🙂");
    }
}
