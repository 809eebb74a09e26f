//! What commands print: results on standard output, notices on standard error.

use std::fmt::{Arguments, Write as _};
use std::io::{self, Write as _};

use anstream::stream::RawStream;
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

/// The columns of tables whose words have a color.
const COLORED_COLUMNS: [&str; 2] = ["STATE", "OUTCOME"];
const BOLD: &str = "1";
/// What is between two columns of a table.
const GAP: &str = "  ";
/// The columns of tables that other people's names can make very wide.
const NAME_COLUMNS: [&str; 4] = ["NAME", "USER NAME", "ACTOR", "TARGET"];
/// The width to which a column of names is cut at most.
const NARROWEST_NAMES: usize = 24;

/// The color of a word for a state or an outcome, or at the beginning of a message.
fn color_of(word: &str) -> Option<&'static str> {
    match word {
        "active" | "ok" => Some("32"),
        "waiting" | "warning" | "warning:" => Some("33"),
        "inactive" | "failed" | "PROBLEM" | "usher:" => Some("31"),
        _ => None,
    }
}

/// Adds the terminal's escape code for a style.
fn styled(text: &str, code: &str) -> String {
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Colors the first word of a line, if it has a color.
fn with_colored_word(line: &str) -> String {
    let (word, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    color_of(word).map_or_else(|| line.to_owned(), |code| styled(word, code) + rest)
}

/// Whether the stream is a terminal that shows colors. `NO_COLOR` turns them off.
fn has_colors(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Prints `value` as JSON, or else the lines of `text`, on a terminal with the first word of each in its color.
pub(super) fn print_findings(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    if json || !has_colors(&io::stdout()) {
        return print_result(json, value, text);
    }
    let lines = text().lines().map(|line| with_colored_word(&printable(line)) + "\n").collect::<String>();
    write_stdout(lines.as_bytes())
}

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
pub(super) fn escape_json(text: &str) -> String {
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
    let line = printable(&text.to_string());
    let line = if has_colors(&io::stderr()) { with_colored_word(&line) } else { line };
    let _ = writeln!(io::stderr(), "{line}");
}

/// Formats rows below a header, in aligned columns. Cells contain names and other text from outside.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    table_within(usize::MAX, header, rows)
}

/// Formats a table for a terminal of this width. Cuts long names, so that they don't hide the columns beside them.
fn table_within(columns: usize, header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(&header).chain(rows).map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..header.len()).map(|column| width(column).unwrap_or(0)).collect();
    let cut_widths = |limit: usize| -> Vec<usize> {
        let cut_width = |(name, width): (&String, &usize)| {
            if NAME_COLUMNS.contains(&name.as_str()) { (*width).min(limit) } else { *width }
        };
        header.iter().zip(&widths).map(cut_width).collect()
    };
    let fits = |limit: &usize| {
        cut_widths(*limit).iter().map(|width| width + GAP.len()).sum::<usize>() <= columns.saturating_add(GAP.len())
    };
    let widest = widths.iter().copied().max().unwrap_or(0);
    let widths = cut_widths((NARROWEST_NAMES..=widest).rev().find(fits).unwrap_or(NARROWEST_NAMES));
    let mut text = String::new();
    for row in &rows {
        let pad = |cell: String, width: usize| cell.clone() + &" ".repeat(width.saturating_sub(cell.width()));
        let cells = row.iter().zip(&widths).map(|(cell, &width)| pad(cut(cell, width), width));
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// Prints a table, on a terminal with a bold header, colors and cut to its width, or `value` as JSON.
pub(super) fn print_table(
    json: bool,
    value: &impl Serialize,
    header: &[&str],
    rows: &[Vec<String>],
) -> Result<(), Failure> {
    let Some(columns) = terminal_columns().filter(|_| !json) else {
        return print_result(json, value, || table(header, rows));
    };
    let is_colored = has_colors(&io::stdout());
    let mut colored_at = None;
    let mut shown = String::new();
    for (index, line) in table_within(columns, header, rows).lines().enumerate() {
        let cut = cut(line, columns);
        if index == 0 {
            colored_at = COLORED_COLUMNS.iter().find_map(|name| column_of(line, name));
        }
        let line = match colored_at {
            _ if !is_colored => cut,
            _ if index == 0 => styled(&cut, BOLD),
            Some(column) => with_color_at(&cut, column),
            None => cut,
        };
        shown.push_str(&line);
        shown.push('\n');
    }
    write_stdout(shown.as_bytes())
}

/// Returns the column of the terminal in which a header has this name.
fn column_of(header: &str, name: &str) -> Option<usize> {
    let at = format!("  {header}").find(&format!("  {name}"))?;
    header.get(..at).map(UnicodeWidthStr::width)
}

/// Colors the word at a column of the terminal, if it has a color.
fn with_color_at(line: &str, column: usize) -> String {
    let mut width = 0;
    let start = line.char_indices().find(|(_, c)| {
        let is_there = width >= column;
        width += c.width().unwrap_or(0);
        is_there
    });
    let Some((start, _)) = start else { return line.to_owned() };
    let (before, rest) = line.split_at(start);
    before.to_owned() + &with_colored_word(rest)
}

/// Cuts a line to this number of terminal columns. Letters keep their combining marks.
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
    fn a_long_name_does_not_hide_the_columns_beside_it() {
        let row = |name: &str, state: &str| vec![name.to_owned(), state.to_owned(), "6f07d434-4954".to_owned()];
        let rows = [row("ann", "active"), row(&"名".repeat(90), "waiting")];
        let header = ["NAME", "STATE", "ID"];
        let lines = |columns: usize| -> Vec<String> {
            table_within(columns, &header, &rows).lines().map(str::to_owned).collect()
        };
        let wide = lines(54);
        assert_eq!(wide[1], format!("ann{}active   6f07d434-4954", " ".repeat(29)));
        assert_eq!(wide[2], format!("{}…   waiting  6f07d434-4954", "名".repeat(14)));
        let narrow = lines(20);
        assert_eq!(narrow[1], format!("ann{}active   6f07d434-4954", " ".repeat(23)));
        assert_eq!(narrow[2], format!("{}…   waiting  6f07d434-4954", "名".repeat(11)));
        assert!(table(&header, &rows).contains(&"名".repeat(90)));
    }

    #[test]
    fn the_words_of_a_column_are_colored_after_wide_names() {
        let row = |name: &str, state: &str| vec![name.to_owned(), state.to_owned(), "active".to_owned()];
        let rows = [row("ann", "active"), row("名前 e\u{301}", "waiting"), row("x", "active!")];
        let text = table(&["NAME", "STATE", "ID"], &rows);
        let column = column_of(text.lines().next().unwrap(), "STATE").unwrap();
        let colored: Vec<String> = text.lines().skip(1).map(|line| with_color_at(line, column)).collect();
        assert_eq!(colored[0], "ann     \u{1b}[32mactive\u{1b}[0m   active");
        assert_eq!(colored[1], "名前 e\u{301}  \u{1b}[33mwaiting\u{1b}[0m  active");
        assert_eq!(colored[2], "x       active!  active");
        assert_eq!(with_color_at("ann", 8), "ann");
        assert_eq!(column_of("USER STATE  NAME", "STATE"), None);
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
