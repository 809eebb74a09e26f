//! What the commands share: the open database, audit entries, and finding the user that an argument names.

use uuid::Uuid;

use crate::auth::password_hasher::{HashError, PasswordHasher};
use crate::auth::random::RandomnessError;
use crate::cli::Failure;
use crate::cli::output::{notice, print_result, print_table};
use crate::cli::running_server::{self, ServerLocation};
use crate::config::Config;
use crate::domain::actor_names;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::user::User;
use crate::server::{database, local_url};
use crate::store::{self, Connection, Db, SCHEMA_VERSION, StoreError, WriteError, audit, users};

/// What a command works with.
pub(super) struct Context<'a> {
    pub config: &'a Config,
    pub db: Db,
    /// Where the server runs.
    pub server: ServerLocation,
    pub now: Timestamp,
    /// Whether results are printed as JSON.
    pub json: bool,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The argument is neither a name nor an id of a user.
    #[error("there is no user {0:?}; `usher user list` lists the users")]
    UserNotFound(String),
    /// No active superuser would be left.
    #[error("{name} is the last active superuser; promote or activate another one first", name = .0.username)]
    LastSuperuser(Box<User>),
    /// There is nothing to do.
    #[error("{0}; nothing was changed")]
    Unchanged(String),
    /// Another user has the name.
    #[error("the name {0:?} is taken; choose another name")]
    NameTaken(String, Box<User>),
    /// A former user had the name.
    #[error("{0:?} was another user's name, and forward auth reserves it; choose another name")]
    NameReserved(String),
    /// The system has no random numbers.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The store failed.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
}

impl CommandError {
    /// The user and the detail of an audit entry, if there should be one. A name that doesn't exist could be a password
    /// that was typed by mistake, and is never stored.
    fn audit_detail(&self) -> Option<(User, &'static str)> {
        match self {
            Self::LastSuperuser(user) => Some((User::clone(user), "refused: last superuser")),
            Self::NameTaken(_, user) => Some((User::clone(user), "refused: name taken")),
            Self::UserNotFound(_)
            | Self::NameReserved(_)
            | Self::Unchanged(_)
            | Self::Randomness(_)
            | Self::Store(_) => None,
        }
    }
}

impl WriteError for CommandError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { error.store_error() } else { None }
    }
}

/// Opens the database, runs `command`, and closes it.
pub(super) fn with_context<F>(config: &Config, json: bool, command: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Context<'_>) -> Result<(), Failure>,
{
    let context = Context::open(config, json)?;
    let outcome = actix_web::rt::System::new().block_on(command(&context));
    context.db.close();
    outcome
}

impl<'a> Context<'a> {
    /// Prints which database it is, and opens it. It must exist.
    pub fn open(config: &'a Config, json: bool) -> Result<Self, Failure> {
        let server = running_server::announce_database(config);
        if config.data_dir.exists() && !config.data_dir.is_dir() {
            let dir = config.data_dir.display();
            return Err(format!("{dir} is not a directory; choose the server's data directory with --data-dir").into());
        }
        let path = running_server::database_path(config);
        // An older server can't use a database that this program has upgraded.
        if server == ServerLocation::SameDirectory
            && config.database.is_none()
            && store::schema_version(&path).is_ok_and(|version| version < SCHEMA_VERSION)
        {
            return Err("the running server is older than this program; restart it first".into());
        }
        let db = database::open(config, 1, false)?;
        Ok(Self { config, db, server, now: Clock::system().now(), json })
    }

    /// Runs `work` in a write transaction. A refusal that concerns a user is recorded in the audit log.
    pub async fn write<T, F>(&self, action: Action, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, CommandError> + Send + 'static,
    {
        let error = match self.db.write(work).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if let Some((user, detail)) = error.audit_detail() {
            self.record_refusal(action, Some(&user), detail).await;
        }
        Err(error.into())
    }

    /// The user with this name or id.
    pub async fn find_user(&self, name: String) -> Result<User, Failure> {
        Ok(self.db.read(move |connection| find_user(connection, &name)).await?)
    }

    /// Records a refusal in the audit log. If that fails, prints a warning.
    pub async fn record_refusal(&self, action: Action, user: Option<&User>, detail: &str) {
        let target = user.map(|user| (user.id, user.username.to_string()));
        let event = Event { target, success: false, detail: Some(detail.to_owned()), ..audit_event(action) };
        let now = self.now;
        let recorded = self.db.write(move |connection| audit::record(connection, &event, now)).await;
        if let Err::<_, StoreError>(error) = recorded {
            warn_not_recorded(&error);
        }
    }

    /// Prints `value` as JSON, or else `text`.
    pub fn print(&self, value: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        print_result(self.json, value, text)
    }

    /// Prints `value` as JSON, or else a table.
    pub fn print_table(
        &self,
        value: &impl serde::Serialize,
        header: &[&str],
        rows: &[Vec<String>],
    ) -> Result<(), Failure> {
        print_table(self.json, value, header, rows)
    }

    /// The address that links begin with.
    pub fn server_url(&self) -> String {
        let running = running_server::record(self.config, &self.server).map(|server| server.public_url);
        self.config.public_url.clone().or(running).unwrap_or_else(|| {
            let address = self.config.bind.resolve().ok().and_then(|found| found.into_iter().next());
            let url = address.map_or_else(|| format!("http://{}", self.config.bind), local_url);
            format!("{url}{}", self.config.base_path)
        })
    }

    /// Hashes a password with the configured cost.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash, Failure> {
        let localhost = std::net::IpAddr::from([127, 0, 0, 1]);
        let hashed: Result<_, HashError> =
            PasswordHasher::start(self.config.bcrypt_cost, 1)?.hash(password, localhost).await;
        Ok(hashed?)
    }
}

/// Warns that the audit log lacks an entry.
pub(super) fn warn_not_recorded(error: &StoreError) {
    notice(format_args!("warning: this is not in the audit log: {}", error.described()));
}

/// An audit event of the command line, without a target.
pub(super) fn audit_event(action: Action) -> Event {
    let actor = Actor { name: Some(actor_names::COMMAND_LINE.to_owned()), ..Actor::default() };
    Event { actor, action, target: None, success: true, detail: None }
}

/// Records in the audit log that `user` was changed.
pub(super) fn record_change(
    connection: &Connection,
    action: Action,
    user: &User,
    detail: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let target = Some((user.id, user.username.to_string()));
    audit::record(connection, &Event { target, detail, ..audit_event(action) }, now)
}

/// The user with this id or name. An id wins, because users can choose a name that looks like another user's id.
pub(super) fn find_user(connection: &Connection, argument: &str) -> Result<User, CommandError> {
    if let Ok(id) = Uuid::try_parse(argument.trim())
        && let Some(user) = users::find(connection, id)?
    {
        return Ok(user);
    }
    let found = users::find_by_name(connection, argument)?;
    found.map(|(user, _)| user).ok_or_else(|| CommandError::UserNotFound(argument.to_owned()))
}
