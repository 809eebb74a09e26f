//! Owns how the first superuser comes to be: by the settings, or by a one-time link. There is no default password.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::PoisonError;

use crate::auth::password_hasher::HashError;
use crate::auth::password_policy::{self, WeakPassword};
use crate::auth::random::{self, RandomnessError};
use crate::config::Config;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::new_username::{NewUsernameError, check_new};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::domain::username::{Username, UsernameError};
use crate::http::pipeline::app::App;
use crate::platform::files::NewFile;
use crate::store::{StoreError, audit, users};

/// How things stand with the first superuser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstSuperuser {
    /// Somebody was one already.
    Exists,
    /// The settings' one was made.
    Made(String),
    /// Whoever opens this link makes one.
    Link(Secret),
}

/// Why the settings' superuser is not made.
#[derive(Debug, thiserror::Error)]
pub enum FirstSuperuserError {
    /// The name is none.
    #[error("`superuser` is no user name: {0}")]
    Name(UsernameError),
    /// No new account can have the name.
    #[error("`superuser` can't be given to an account: {0}")]
    NewName(NewUsernameError),
    /// The password breaks a rule.
    #[error("`superuser_password`: {0}")]
    Password(#[from] WeakPassword),
    /// Somebody who is no superuser has the name.
    #[error("`superuser` names somebody who exists and is no superuser; choose another name, or promote that user")]
    Taken,
    /// Somebody else had the name.
    #[error(
        "`superuser` was somebody else's name, which forward auth keeps from being given again; choose another one"
    )]
    Kept,
    /// It could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// It could not be stored.
    #[error("the first superuser could not be stored: {}", .0.described())]
    Store(StoreError),
    /// No link could be made.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A link of an earlier start is in the way.
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
            StoreError::FormerUsername => Self::Kept,
            other => Self::Store(other),
        }
    }
}

impl crate::store::WriteError for FirstSuperuserError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// Makes the settings' superuser if there is none yet, or else a one-time link.
pub async fn ensure(app: &App, url: &str) -> Result<FirstSuperuser, FirstSuperuserError> {
    forget_link(&app.config)?;
    if app.db.read(users::superuser_exists).await? {
        if app.config.superuser.is_some() {
            log::info!("a superuser exists, so `superuser` and `superuser_password` change nobody");
        }
        return Ok(FirstSuperuser::Exists);
    }
    let (Some(name), Some(password)) = (&app.config.superuser, &app.config.superuser_password) else {
        if app.config.auto_login {
            // The person of this machine is made when they first come.
            return Ok(FirstSuperuser::Exists);
        }
        let token = Secret::new(random::url_safe_text()?);
        let link = Secret::new(format!("{url}/setup#token={}", token.expose()));
        *app.setup_token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        return Ok(FirstSuperuser::Link(link));
    };
    make(app, name, password).await.map(FirstSuperuser::Made)
}

async fn make(app: &App, name: &str, password: &Secret) -> Result<String, FirstSuperuserError> {
    let username = Username::parse(name).map_err(FirstSuperuserError::Name)?;
    check_new(&username).map_err(FirstSuperuserError::NewName)?;
    password_policy::check_for(password, app.config.password_min_length, &username)?;
    let hash = app.hasher.hash(password, std::net::IpAddr::from([127, 0, 0, 1])).await?;
    let now = app.clock.now();
    let made = app.db.write(move |connection| {
        let user = User::new(username, true, true, now);
        users::insert(connection, &user, &hash)?;
        let event = Event {
            actor: Actor::default(),
            action: Action::SetUp,
            target: Some((user.id, user.username.to_string())),
            success: true,
            detail: Some("settings".to_owned()),
        };
        audit::record(connection, &event, now)?;
        Ok::<_, FirstSuperuserError>(user.username.to_string())
    });
    let name = made.await?;
    log::info!("the first superuser was made: {name}");
    Ok(name)
}

/// Writes the link where only the server's user can read it.
///
/// # Errors
/// When the data directory cannot be written.
pub fn keep_link(config: &Config, link: &Secret) -> Result<PathBuf, FirstSuperuserError> {
    let path = config.setup_link_file();
    let write = || {
        let file = NewFile::create(&path)?;
        writeln!(file.file(), "{}", link.expose())?;
        file.publish()
    };
    write().map_err(|cause| FirstSuperuserError::Link { path: path.clone(), cause })?;
    Ok(path)
}

/// Removes the link of an earlier start, which opens nothing any more.
fn forget_link(config: &Config) -> Result<(), FirstSuperuserError> {
    let path = config.setup_link_file();
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(FirstSuperuserError::Link { path, cause }),
    }
}
