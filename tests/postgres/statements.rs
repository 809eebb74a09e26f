//! Prepares every statement in the sources on both engines, and compares how they are written with what runs.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use usher::store::{Connection, StoreError};

use crate::both::{block_on, both};
use crate::repository::everything;
use crate::repository_lists::LISTS_ON_POSTGRES;

/// Where statements are for one engine, or for another program's tables. `move_database` has tests of its own.
const LEFT_OUT: [&str; 4] =
    ["src/store/engine", "src/store/backup", "src/store/move_database", "src/store/transfer/langflow"];
/// What only statements for one engine contain. `replaced` is a file that is being restored.
const OF_ONE_ENGINE: [&str; 4] = ["sqlite_", "pragma_", "pg_", "replaced."];
/// Stands for a part that is inserted.
const INSERTED: &str = "\u{1}";

/// A statement in the sources.
struct Written {
    file: String,
    sql: String,
}

fn source_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let is_test = name.ends_with("tests.rs") || name.ends_with("/tests");
        match path.is_dir() {
            _ if is_test || LEFT_OUT.contains(&name.as_str()) => {}
            true => source_files(&path, files),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
}

/// The text of a string literal.
fn text(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    let mut characters = inner.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some('\n')) => while characters.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some('n')) => {
                characters.next();
                text.push('\n');
            }
            ('\\', Some(_)) => text.extend(characters.next()),
            _ => text.push(c),
        }
    }
    Some(text)
}

fn is_statement(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|word| text.starts_with(word))
}

/// Replaces what `format!` inserts.
fn without_inserted(mut text: &str) -> String {
    let mut kept = String::new();
    while let Some((before, (_, after))) =
        text.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        kept.extend([before, INSERTED]);
        text = after;
    }
    kept + text
}

/// Whether `sql` is a statement with something inserted.
fn is_made_from(sql: &str, written: &str) -> bool {
    let Some((start, rest)) = written.split_once(INSERTED) else { return sql == written };
    let (middle, end) = rest.rsplit_once(INSERTED).unwrap_or(("", rest));
    let Some(mut sql) = sql.strip_prefix(start).and_then(|sql| sql.strip_suffix(end)) else { return false };
    middle.split(INSERTED).all(|part| sql.split_once(part).map(|(_, after)| sql = after).is_some())
}

/// Collects the statements. The parts of `concat!` belong together.
fn collect(file: &str, tokens: TokenStream, found: &mut Vec<Written>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: Option<&TokenTree>, text: &str| match at {
        Some(TokenTree::Ident(ident)) => ident == text,
        Some(TokenTree::Punct(punct)) => text.starts_with(punct.as_char()),
        _ => false,
    };
    let mut add = |sql: String| {
        if is_statement(&sql) && !OF_ONE_ENGINE.iter().any(|word| sql.contains(word)) {
            found.extend(sql.split(';').map(|sql| Written { file: file.to_owned(), sql: sql.trim().to_owned() }));
        }
    };
    let mut groups = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |steps: usize| at.checked_sub(steps).and_then(|at| tokens.get(at));
        match token {
            TokenTree::Literal(literal) => {
                if let Some(sql) = text(&literal.to_string()) {
                    add(without_inserted(&sql));
                }
            }
            TokenTree::Group(group) if is(before(1), "!") && is(before(2), "concat") => {
                let mut sql = String::new();
                for token in group.stream() {
                    match token {
                        TokenTree::Literal(literal) => sql += &text(&literal.to_string()).unwrap(),
                        TokenTree::Punct(comma) if comma.as_char() == ',' => {}
                        _ if sql.ends_with(INSERTED) => {}
                        _ => sql.push_str(INSERTED),
                    }
                }
                add(sql);
            }
            // Attributes, such as comments, and tests.
            TokenTree::Group(_) if is(before(1), "#") || is(before(1), "tests") => {}
            TokenTree::Group(group) => groups.push(group.stream()),
            _ => {}
        }
    }
    for group in groups {
        collect(file, group, found);
    }
}

/// The statements in the sources, with and without inserted parts.
fn written() -> (Vec<Written>, Vec<Written>) {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    source_files(Path::new("src"), &mut files);
    for path in files {
        let source = fs::read_to_string(&path).unwrap();
        collect(&path.display().to_string(), source.parse().unwrap(), &mut found);
    }
    found.into_iter().partition(|written| written.sql.contains(INSERTED))
}

/// Prepares each statement, and returns what fails.
fn failures(connection: &Connection, statements: &[Written]) -> Vec<String> {
    let prepare = |sql: &str| match (connection.sqlite(), connection.postgres()) {
        (Some(sqlite), _) => sqlite.prepare(sql).map(drop).map_err(StoreError::from),
        (None, Some(postgres)) => postgres.prepare(sql),
        (None, None) => Ok(()),
    };
    let failure = |written: &Written| {
        Some(format!("{}: {}: {}", written.file, written.sql, prepare(&written.sql).err()?.described()))
    };
    statements.iter().filter_map(failure).collect()
}

#[test]
fn every_statement_in_the_sources_can_be_prepared_on_both_engines() {
    let (assembled, whole) = written();
    assert!(whole.len() > 100 && assembled.len() > 20, "{} {}", whole.len(), assembled.len());
    let (_dir, databases) = both();
    let whole = std::sync::Arc::new(whole);
    for db in databases {
        let whole = std::sync::Arc::clone(&whole);
        let failed = block_on(db.read(move |connection| Ok::<_, StoreError>(failures(connection, &whole)))).unwrap();
        assert_eq!(failed, Vec::<String>::new());
    }
}

/// What is inserted into a statement is known only when it runs. The functions run on both engines, with the same
/// results.
#[test]
fn every_statement_that_is_assembled_runs_in_the_tests_of_the_repository() {
    let (_dir, [_, postgres]) = both();
    let ran = postgres.write(|connection| {
        everything(connection);
        Ok::<_, StoreError>(connection.postgres().unwrap().prepared_statements())
    });
    let mut ran = block_on(ran).unwrap();
    ran.extend_from_slice(&LISTS_ON_POSTGRES.statements);
    let (assembled, _) = written();
    let missing: Vec<String> = assembled
        .iter()
        .filter(|written| !ran.iter().any(|sql| is_made_from(sql, &written.sql)))
        .map(|written| format!("{}: {}", written.file, written.sql.replace(INSERTED, "{}")))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "call the functions in tests/postgres/repository.rs");
}
