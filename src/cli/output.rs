//! What commands print: results on standard output, notices on standard error.

use std::fmt::{Arguments, Write as _};
use std::io::{self, Write as _};

use serde::Serialize;

use crate::cli::Failure;
use crate::domain::clock::Timestamp;
use crate::domain::printable::{is_printable, printable};

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
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Formats a time for people.
pub(super) fn format_time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Formats a count with a noun, such as "2 users".
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
