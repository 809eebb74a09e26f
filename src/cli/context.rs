//! Owns what the commands share: the database they work on and how it is named, who they act as, how they ask and print.

use std::fmt::Arguments;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use serde::Serialize;
use uuid::Uuid;

use crate::auth::password_hasher::{HashError, PasswordHasher};
use crate::auth::random::RandomnessError;
use crate::cli::Failure;
use crate::cli::running_server::{self, Server};
use crate::config::Config;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::user::User;
use crate::store::{self, Connection, Db, Options, SCHEMA_VERSION, StoreError, WriteError, audit, users};

/// What is read of a line with a password, in bytes: far more than one may have, so that a longer one is refused as
/// too long.
const LONGEST_LINE: u64 = 4096;

/// What a command works with.
pub(super) struct Context<'a> {
    pub config: &'a Config,
    pub db: Db,
    pub now: Timestamp,
    /// Whether results are printed for programs.
    pub json: bool,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// It is nobody's name, nor id.
    #[error("nobody is called {0:?}; `usher user list` shows who there is")]
    Nobody(String),
    /// Nobody would be left to administer.
    #[error("{name} is the last active superuser; promote or activate another one first", name = .0.username)]
    LastSuperuser(Box<User>),
    /// Things are as they were asked to be.
    #[error("{0}; nothing was changed")]
    Nothing(String),
    /// Somebody else, who is named second, has the name.
    #[error("somebody is called {0:?} already; choose another name")]
    Taken(String, Box<User>),
    /// Nothing can be encrypted.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// Somebody else had the name, and it is not given again.
    #[error("{0:?} was somebody else's name, which forward auth keeps from being given again; choose another one")]
    Kept(String),
    /// The store's failure.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
}

impl CommandError {
    /// Whom the refusal concerns, and the word for it, if the audit log should have it. A name that nobody has may be
    /// something else that was typed, and is written nowhere.
    fn noted(&self) -> Option<(User, &'static str)> {
        match self {
            Self::LastSuperuser(user) => Some((User::clone(user), "refused: last superuser")),
            Self::Taken(_, user) => Some((User::clone(user), "refused: name taken")),
            Self::Nobody(_) | Self::Kept(_) | Self::Nothing(_) | Self::Randomness(_) | Self::Store(_) => None,
        }
    }
}

impl WriteError for CommandError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { error.store_error() } else { None }
    }
}

/// Says which database is worked on, opens it, and lets `work` have it. It must exist.
pub(super) fn at<F>(config: &Config, json: bool, work: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Context<'_>) -> Result<(), Failure>,
{
    let desk = Context::open(config, json)?;
    let done = actix_web::rt::System::new().block_on(work(&desk));
    desk.db.close();
    done
}

impl<'a> Context<'a> {
    /// Says which database it is, and opens it.
    pub fn open(config: &'a Config, json: bool) -> Result<Self, Failure> {
        let server = running_server::say(config);
        let path = running_server::database(config);
        // A server that is older than this program would find a database that it does not know.
        if server == Server::Here && store::schema_version(&path).is_ok_and(|found| found < SCHEMA_VERSION) {
            return Err("the server that runs on this database is older than this program; restart it first".into());
        }
        let db = Db::open(&Options { data_dir: config.data_dir.clone(), readers: 1, create: false })?;
        Ok(Self { config, db, now: Clock::system().now(), json })
    }

    /// Runs `work` as [`Db::write`] does. What is refused is written to the audit log, if it concerns somebody known.
    pub async fn change<T, F>(&self, action: Action, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, CommandError> + Send + 'static,
    {
        let refused = match self.db.write(work).await {
            Ok(done) => return Ok(done),
            Err(refused) => refused,
        };
        if let Some((user, why)) = refused.noted() {
            self.note_refusal(action, Some(&user), why).await;
        }
        Err(refused.into())
    }

    /// Writes to the audit log that something was refused. That it was is said to whoever asked in any case.
    pub async fn note_refusal(&self, action: Action, user: Option<&User>, why: &str) {
        let target = user.map(|user| (user.id, user.username.to_string()));
        let event = Event { actor: command_line(), action, target, success: false, detail: Some(why.to_owned()) };
        let now = self.now;
        let noted = self.db.write(move |connection| audit::record(connection, &event, now)).await;
        if let Err::<_, StoreError>(error) = noted {
            tell(format_args!("warning: this is not in the audit log: {}", error.described()));
        }
    }

    /// Prints `value` for a program, or else `text` for a person.
    pub fn print(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        print(self.json, value, text)
    }

    /// Hashes a password at the cost of the settings.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash, Failure> {
        let here = std::net::IpAddr::from([127, 0, 0, 1]);
        let hashed: Result<_, HashError> =
            PasswordHasher::start(self.config.bcrypt_cost, 1)?.hash(password, here).await;
        Ok(hashed?)
    }
}

/// Prints `value` for a program, or else `text` for a person.
pub(super) fn print(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let shown = if json { serde_json::to_string_pretty(value)? } else { text() };
    out(format!("{}\n", shown.trim_end_matches('\n')).as_bytes())
}

/// Writes to standard output. What nobody wants to read any more, as behind `| head`, is left out.
pub(super) fn out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says something on standard error, so that what programs read stays clean; to nobody when that is closed.
pub(super) fn tell(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Who the audit log names for what is done on the machine itself.
pub(super) fn command_line() -> Actor {
    Actor { name: Some("command line".to_owned()), ..Actor::default() }
}

/// What a command that prints JSON failed with, which is in what it printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Printed(pub String);

/// The user of this id or name. Anybody can take a name that looks like somebody's id, and nobody chooses an id.
pub(super) fn known(connection: &Connection, typed: &str) -> Result<User, CommandError> {
    if let Ok(id) = Uuid::try_parse(typed.trim())
        && let Some(user) = users::find(connection, id)?
    {
        return Ok(user);
    }
    users::find_by_name(connection, typed)?.map(|(user, _)| user).ok_or_else(|| CommandError::Nobody(typed.to_owned()))
}

/// Writes to the audit log that something was done to `user`.
pub(super) fn record(
    connection: &Connection,
    action: Action,
    user: &User,
    detail: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let target = Some((user.id, user.username.to_string()));
    audit::record(connection, &Event { actor: command_line(), action, target, success: true, detail }, now)
}

/// Asks before something is destroyed; a script says `--yes` instead.
pub(super) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err("this cannot be undone; say --yes to do it without being asked".into());
    }
    let _ = write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) { Ok(()) } else { Err("nothing was done".into()) }
}

/// Asks for a new password, twice on a terminal and without echo; elsewhere reads the first line of standard input.
pub(super) fn ask_password(prompt: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let mut line = Vec::new();
        if io::stdin().lock().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Err("no password came on standard input".into());
        }
        let line = std::str::from_utf8(&line).map_err(|_| "the password on standard input is not UTF-8")?;
        // A byte order mark is what some shells and editors begin with; nobody types one at a log-in.
        return Ok(Secret::new(line.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r'])));
    }
    let typed = |prompt: &str| match rpassword::prompt_password(prompt) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err("no password was typed".into()),
        typed => typed.map(Secret::new).map_err(Failure::from),
    };
    let first = typed(prompt)?;
    if first == typed("The same again: ")? { Ok(first) } else { Err("the two passwords are not the same".into()) }
}

/// Rows under a head, in columns as wide as they need to be. Control characters, which a program may have put into
/// its name, never reach the terminal.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let clean = |cell: &str| cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row: &Vec<String>| row.iter().map(|cell| clean(cell)).collect())
        .collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A moment as people read it.
pub(super) fn when(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
