//! `usher import csv`: users from a table, each with a password, a bcrypt hash or a reset link. All or nothing: one
//! invalid row, and nothing is imported.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use futures_util::future::try_join_all;

use crate::auth::link_token::NewLink;
use crate::auth::password_hasher::{self, PasswordHasher};
use crate::auth::{password_policy, random};
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context};
use crate::cli::import::ImportOptions;
use crate::cli::import::conflicts::{ImportNotice, ImportPlan, ImportedResetLink, shown};
use crate::cli::interrupt::Interrupted;
use crate::cli::progress::Progress;
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::new_username::check_new;
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::transfer::import::{self, AccountRecord, ImportConflict};

/// The largest file that is read.
const MAX_BYTES: u64 = 16 << 20;
/// The most users of one file.
const MAX_ROWS: usize = 10_000;
/// The columns that a file can have.
const COLUMNS: [&str; 5] = ["username", "password", "password_hash", "is_active", "is_superuser"];

/// How the user of a row will sign in.
enum Credential {
    Password(Secret),
    Hash(PasswordHash),
    Link,
}

/// A valid row.
struct Row {
    line: u64,
    user: User,
    credential: Credential,
}

/// Reads a file and checks it against the database. The plan has no accounts if a row is invalid.
pub async fn plan(
    context: &Context<'_>,
    file: &Path,
    options: ImportOptions,
    cancel: &CancelFlag,
) -> Result<ImportPlan, Failure> {
    let text = read(file)?;
    let (rows, mut notices) = parse(&text, context)?;
    let names: Vec<_> = rows.iter().map(|row| (row.line, row.user.id, row.user.username.clone())).collect();
    let taken = context.db.read(move |connection| {
        let mut taken = Vec::new();
        for (line, id, name) in names {
            match import::find_conflict(connection, id, &name)? {
                ImportConflict::Free => {}
                ImportConflict::NameReserved => {
                    taken.push(notice(
                        line,
                        "username",
                        "forward auth reserves the name of a former user; choose another",
                    ));
                }
                ImportConflict::Exists | ImportConflict::NameTaken(_) => {
                    taken.push(notice(line, "username", &format!("{} exists already", shown(name.as_str()))));
                }
            }
        }
        Ok::<_, CommandError>(taken)
    });
    notices.extend(taken.await?);
    if !notices.is_empty() {
        notices.sort_by_key(|(line, _)| *line);
        let notices = notices.into_iter().map(|(_, notice)| notice).collect();
        return Ok(ImportPlan { notices, ..ImportPlan::default() });
    }
    let hashes = if options.dry_run { HashMap::new() } else { hash_passwords(context, &rows, cancel).await? };
    let mut plan = ImportPlan::default();
    for (index, Row { user, credential, .. }) in rows.into_iter().enumerate() {
        if matches!(credential, Credential::Link) {
            plan.links.push(ImportedResetLink {
                user_id: user.id,
                username: user.username.to_string(),
                link: NewLink::generate()?,
            });
        }
        let hash = match credential {
            Credential::Hash(hash) => hash,
            // A dry run has no hashes, and inserts nothing.
            _ => hashes.get(&index).cloned().unwrap_or_else(|| PasswordHash::new(String::new())),
        };
        plan.accounts.push(AccountRecord { user, hash, keys: Vec::new(), had_second_factor: false });
    }
    Ok(plan)
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut bytes = Vec::new();
    File::open(file).and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("{} has more than {} MiB; split it", file.display(), MAX_BYTES >> 20).into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        format!("{}: line {line} is not UTF-8", file.display())
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// A fault and its line.
type LineNotice = (u64, ImportNotice);

fn notice(line: u64, column: &str, what: &str) -> LineNotice {
    (line, ImportNotice::new(format!("line {line}, column {column}"), what))
}

/// Parses all rows. Every fault becomes a notice with its line and column.
fn parse(text: &str, context: &Context<'_>) -> Result<(Vec<Row>, Vec<LineNotice>), Failure> {
    // Spreadsheets write semicolons or tabs where the comma separates decimals.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().find(|byte| first.as_bytes().contains(byte)).unwrap_or(b',');
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns = columns(reader.headers()?)?;
    let (mut rows, mut notices) = (Vec::new(), Vec::new());
    let mut lines: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let text = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("it has {len} cells instead of {expected_len}")
                    }
                    _ => "it can't be read".to_owned(),
                };
                notices.push((line, ImportNotice::new(format!("line {line}"), text)));
                continue;
            }
        };
        if rows.len() + notices.len() >= MAX_ROWS {
            return Err(format!("the file has more than {MAX_ROWS} users; split it").into());
        }
        let line = record.position().map_or(0, csv::Position::line);
        match parse_row(&record, &columns, context) {
            Err(errors) => notices.extend(errors.iter().map(|(column, what)| notice(line, column, what))),
            Ok((user, credential)) => {
                if let Some(before) = lines.insert(user.username.folded().to_owned(), line) {
                    notices.push(notice(line, "username", &format!("it is the name of line {before}, too")));
                }
                rows.push(Row { line, user, credential });
            }
        }
    }
    Ok((rows, notices))
}

/// The index of each column of [`COLUMNS`].
fn columns(header: &StringRecord) -> Result<[Option<usize>; 5], Failure> {
    let known = COLUMNS.join(", ");
    if let Some(other) = header.iter().find(|name| !COLUMNS.contains(&name.trim())) {
        return Err(format!("line 1 has an unknown column, {:?}; the columns are {known}", shown(other)).into());
    }
    let of = |wanted: &str| -> Result<Option<usize>, Failure> {
        let mut found = header.iter().enumerate().filter(|(_, name)| name.trim() == wanted).map(|(index, _)| index);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(format!("line 1 has the column {wanted} twice").into()),
            (first, None) => Ok(first),
        }
    };
    let [username, password, hash, active, superuser] = COLUMNS;
    if of(username)?.is_none() {
        return Err(format!("line 1 must name the columns, among them username; the columns are {known}").into());
    }
    Ok([of(username)?, of(password)?, of(hash)?, of(active)?, of(superuser)?])
}

type CellError = (&'static str, String);

/// Parses a row, or returns the errors of all its cells.
fn parse_row(
    record: &StringRecord,
    columns: &[Option<usize>; 5],
    context: &Context<'_>,
) -> Result<(User, Credential), Vec<CellError>> {
    let [name, password, hash, active, superuser] =
        columns.map(|column| column.and_then(|at| record.get(at)).unwrap_or_default());
    let invalid_name = |error: &dyn std::fmt::Display| ("username", error.to_string());
    let username = Username::parse(name).map_err(|error| invalid_name(&error));
    let username = username.and_then(|name| check_new(&name).map(|()| name).map_err(|error| invalid_name(&error)));
    let credential = credential(password, hash.trim(), username.as_ref().ok(), context);
    let is_active = boolean(active, true).map_err(|what| ("is_active", what));
    let is_superuser = boolean(superuser, false).map_err(|what| ("is_superuser", what));
    match (username, credential, is_active, is_superuser) {
        (Ok(username), Ok(credential), Ok(is_active), Ok(is_superuser)) => {
            Ok((User::new(username, is_active, is_superuser, context.now), credential))
        }
        (username, credential, is_active, is_superuser) => {
            Err([username.err(), credential.err(), is_active.err(), is_superuser.err()].into_iter().flatten().collect())
        }
    }
}

/// What the cells `password` and `password_hash` say. A password isn't checked for a user whose name is invalid.
fn credential(
    password: &str,
    hash: &str,
    username: Option<&Username>,
    context: &Context<'_>,
) -> Result<Credential, CellError> {
    match (password, hash) {
        ("", "") => Ok(Credential::Link),
        ("", hash) if password_hasher::is_hash(hash) => Ok(Credential::Hash(PasswordHash::new(hash.to_owned()))),
        ("", _) => Err(("password_hash", "it is not a bcrypt hash".to_owned())),
        (_, hash) if !hash.is_empty() => {
            Err(("password_hash", "the row has a password, too; leave one of them empty".to_owned()))
        }
        (password, _) => {
            let password = Secret::new(password);
            if let Some(username) = username {
                password_policy::check_for(&password, context.config.password_min_length, username)
                    .map_err(|error| ("password", error.to_string()))?;
            }
            Ok(Credential::Password(password))
        }
    }
}

fn boolean(text: &str, default: bool) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(default),
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("it must be true or false".to_owned()),
    }
}

/// Hashes the passwords, by row. Rows with a reset link get the hash of a password that nobody knows.
async fn hash_passwords(
    context: &Context<'_>,
    rows: &[Row],
    cancel: &CancelFlag,
) -> Result<HashMap<usize, PasswordHash>, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let hasher = PasswordHasher::start(context.config.bcrypt_cost, cores)?;
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let unknown = hasher.hash(&Secret::new(random::url_safe_text()?), here).await?;
    let (mut hashes, mut progress) = (HashMap::new(), Progress::new());
    let all: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    for chunk in all.chunks(cores) {
        if cancel.is_cancelled() {
            return Err(Interrupted.into());
        }
        progress.show("hashing", hashes.len() as u64, rows.len() as u64);
        let hash = async |(index, row): &(usize, &Row)| match &row.credential {
            Credential::Password(password) => hasher.hash(password, here).await.map(|hash| (*index, hash)),
            _ => Ok((*index, unknown.clone())),
        };
        hashes.extend(try_join_all(chunk.iter().map(hash)).await?);
    }
    Ok(hashes)
}
