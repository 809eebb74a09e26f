//! What commands print: results on standard output, notices on standard error.

use std::fmt::{Arguments, Write as _};
use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::Failure;
use crate::domain::clock::Timestamp;
use crate::domain::printable::{is_printable, printable};
use crate::platform::inspect::terminal_columns;

/// A failure that the command has already printed as JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct AlreadyPrinted(pub String);

/// Prints `value` as JSON, or else the lines of `text`. What could control the terminal is escaped.
pub(super) fn print_result(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let shown = if json {
        escape_json(&serde_json::to_string_pretty(value)?)
    } else {
        text().trim_end_matches('\n').split('\n').map(printable).collect::<Vec<_>>().join("\n")
    };
    write_stdout(format!("{shown}\n").as_bytes())
}

/// Escapes the characters of JSON that a terminal could obey. They occur in strings only.
fn escape_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || is_printable(c) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String can't fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}

/// Writes to standard output. A closed pipe, as behind `| head`, isn't an error.
pub(super) fn write_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints one line on standard error, which may be closed. What could control the terminal is escaped.
pub(super) fn notice(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", printable(&text.to_string()));
}

/// Formats rows below a header, in aligned columns. Cells contain names and other text from outside.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&header)
        .chain(rows)
        .map(|row: &Vec<String>| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let pad = |cell: &String, width: usize| cell.clone() + &" ".repeat(width.saturating_sub(cell.width()));
        let cells = row.iter().zip(&widths).map(|(cell, &width)| pad(cell, width));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Prints a table, on a terminal with a bold header and cut to its width, or `value` as JSON.
pub(super) fn print_table(
    json: bool,
    value: &impl Serialize,
    header: &[&str],
    rows: &[Vec<String>],
) -> Result<(), Failure> {
    let text = || table(header, rows);
    let Some(columns) = terminal_columns().filter(|_| !json) else { return print_result(json, value, text) };
    let is_colored = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let mut shown = String::new();
    for (index, line) in text().lines().enumerate() {
        let line = cut(line, columns);
        let (bold, plain) = if is_colored && index == 0 { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        // Writing to a String can't fail.
        let _ = writeln!(shown, "{bold}{line}{plain}");
    }
    write_stdout(shown.as_bytes())
}

/// Cuts a line to so many columns of the terminal. Letters keep their combining marks.
fn cut(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let mut width = 0;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width < columns
    };
    let mut shown: String = line.chars().take_while(fits).collect();
    shown.push('…');
    shown
}

/// Formats a time for people.
pub(super) fn format_time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Formats a count with a noun, such as "2 users".
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_display_width() {
        let row = |name: &str| vec![name.to_owned(), "x".to_owned()];
        let rows = ["ann", "名前", "e\u{301}va", "🙂"].map(row);
        let text = table(&["NAME", "ID"], &rows);
        let columns: Vec<usize> = text.lines().skip(1).map(|line| line.trim_end_matches('x').width()).collect();
        assert_eq!(columns, [6, 6, 6, 6], "{text}");
    }

    #[test]
    fn a_line_is_cut_before_a_character_that_does_not_fit() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("名前です", 4), "名…");
        assert_eq!(cut("名前です", 5), "名前…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }
}
