//! `config.toml` and the tables of docs/settings.md, made from the declarations.

use std::fmt::Write as _;

use crate::config::SETTINGS;
use crate::config::setting::{Setting, ValueType};

/// The width of a comment in `config.toml`.
const WIDTH: usize = 120;

const INTRODUCTION: &str = "The settings of usher. Every line is a comment that shows a default: remove the `#` in \
    front of a setting to change it. Environment variables (USHER_BIND) override this file, and flags (--bind) override \
    both. Relative paths start at this file's directory.";

/// The text of `config.toml`: every setting with its default, commented out.
pub fn example_file() -> String {
    let mut file = comment(INTRODUCTION);
    for section in sections() {
        // Writing to a String can't fail.
        let _ = write!(file, "\n## {}\n", section[0].section);
        for setting in section {
            let text = format!("{} {}", setting.summary(), setting.details());
            let _ = write!(file, "\n{}# {} = {}\n", comment(text.trim()), setting.name, toml_default(setting));
        }
    }
    file
}

/// The tables of docs/settings.md, one per section.
pub fn markdown_tables() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = String::new();
    for section in sections() {
        let _ = write!(text, "\n## {}\n\n| key | default | meaning |\n|---|---|---|\n", section[0].section);
        for setting in section {
            let default = match (setting.default, setting.note) {
                ("", note) => note.to_owned(),
                (default, "") => format!("`{default}`"),
                (default, note) => format!("`{default}`, {note}"),
            };
            let _ = writeln!(text, "| `{}` | {} | {} |", setting.name, cell(&default), cell(&setting.summary()));
        }
    }
    text
}

/// The settings of each section. None is empty.
fn sections() -> impl Iterator<Item = &'static [Setting]> {
    SETTINGS.chunk_by(|left, right| left.section == right.section)
}

fn toml_default(setting: &Setting) -> String {
    match setting.value_type {
        ValueType::Bool | ValueType::BoolOrNumber | ValueType::Number => setting.default.to_owned(),
        ValueType::List => "[]".to_owned(),
        ValueType::Text(_) | ValueType::Secret | ValueType::Choice(_) => format!("\"{}\"", setting.default),
    }
}

/// Wraps a paragraph into comment lines.
fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}
