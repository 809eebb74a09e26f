//! The first superuser, created from the settings or through a one-time setup link. There is no default password.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::PoisonError;

use crate::auth::password_hasher::HashError;
use crate::auth::password_policy::{self, WeakPassword};
use crate::auth::random::{self, RandomnessError};
use crate::auth::secret_key::setup_token;
use crate::config::Config;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::new_username::{NewUsernameError, check_new};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::domain::username::{Username, UsernameError};
use crate::http::pipeline::app::App;
use crate::platform::files::NewFile;
use crate::store::{StoreError, audit, users};

/// The state of the first superuser at startup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstSuperuser {
    /// A superuser already exists.
    Exists,
    /// Created from the settings, with this name.
    Created(String),
    /// The link to the page that creates one.
    Link(Secret),
}

/// Why the first superuser can't be prepared.
#[derive(Debug, thiserror::Error)]
pub enum FirstSuperuserError {
    /// The name is invalid.
    #[error("`superuser` is not a valid user name: {0}")]
    Name(UsernameError),
    /// The rules for new names refuse the name.
    #[error("`superuser` can't be given to an account: {0}")]
    NewName(NewUsernameError),
    /// The password breaks a rule.
    #[error("`superuser_password`: {0}")]
    Password(#[from] WeakPassword),
    /// A user who isn't a superuser has the name.
    #[error("`superuser` names an existing user who isn't a superuser; choose another name, or promote that user")]
    Taken,
    /// Another user had the name before.
    #[error("`superuser` was another user's name, which stays reserved while forward auth is on; choose another name")]
    FormerName,
    /// The password couldn't be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The user couldn't be stored.
    #[error("the first superuser couldn't be stored: {}", .0.described())]
    Store(StoreError),
    /// No token could be generated for the link.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The file with the link can't be written or removed.
    #[error("{path}: {cause}")]
    Link {
        /// The file with the link.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
}

impl From<StoreError> for FirstSuperuserError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UsernameTaken => Self::Taken,
            StoreError::FormerUsername => Self::FormerName,
            other => Self::Store(other),
        }
    }
}

impl crate::store::WriteError for FirstSuperuserError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// Creates the superuser from the settings if none exists. Without settings, generates a setup link.
pub async fn prepare(app: &App, url: &str, secret_key: &Secret) -> Result<FirstSuperuser, FirstSuperuserError> {
    remove_setup_link(&app.config)?;
    if app.db.read(users::superuser_exists).await? {
        if app.config.superuser.is_some() {
            log::info!("a superuser exists; `superuser` and `superuser_password` are ignored");
        }
        return Ok(FirstSuperuser::Exists);
    }
    let (Some(name), Some(password)) = (&app.config.superuser, &app.config.superuser_password) else {
        if app.config.auto_login {
            // Automatic sign-in creates its user at the first request.
            return Ok(FirstSuperuser::Exists);
        }
        let token = if app.db.is_shared() { setup_token(secret_key) } else { Secret::new(random::url_safe_text()?) };
        let link = Secret::new(format!("{url}/setup#token={}", token.expose()));
        *app.setup_token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        return Ok(FirstSuperuser::Link(link));
    };
    Ok(create(app, name, password).await?.map_or(FirstSuperuser::Exists, FirstSuperuser::Created))
}

/// Returns `None` if another server has created one meanwhile.
async fn create(app: &App, name: &str, password: &Secret) -> Result<Option<String>, FirstSuperuserError> {
    let username = Username::parse(name).map_err(FirstSuperuserError::Name)?;
    check_new(&username).map_err(FirstSuperuserError::NewName)?;
    password_policy::check_for(password, app.config.password_min_length, &username)?;
    let hash = app.hasher.hash(password, std::net::IpAddr::from([127, 0, 0, 1])).await?;
    let now = app.clock.now();
    let created = app.db.write(move |connection| {
        if users::superuser_exists(connection)? {
            return Ok(None);
        }
        let user = User::new(username, true, true, now);
        users::insert(connection, &user, &hash)?;
        let event = Event::new(Actor::default(), Action::SetUp).target(&user).detail("settings");
        audit::record(connection, &event, now)?;
        Ok::<_, FirstSuperuserError>(Some(user.username.to_string()))
    });
    let name = created.await?;
    if let Some(name) = &name {
        log::info!("first superuser created: {name}");
    }
    Ok(name)
}

/// Writes the setup link to a file that only the server's user can read, and returns its path.
///
/// # Errors
/// When the data directory can't be written.
pub fn write_setup_link(config: &Config, link: &Secret) -> Result<PathBuf, FirstSuperuserError> {
    let path = config.setup_link_file();
    let write = || {
        let file = NewFile::create(&path)?;
        writeln!(file.file(), "{}", link.expose())?;
        file.publish()
    };
    write().map_err(|cause| FirstSuperuserError::Link { path: path.clone(), cause })?;
    Ok(path)
}

/// Removes the link of an earlier start, which is no longer valid.
fn remove_setup_link(config: &Config) -> Result<(), FirstSuperuserError> {
    let path = config.setup_link_file();
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(FirstSuperuserError::Link { path, cause }),
    }
}
