//! Validates the settings of a PostgreSQL database. The store parses the rest of the address.

use crate::config::Config;
use crate::config::error::ConfigError;
use crate::config::sources::Sources;
use crate::domain::schedule::Schedule;

/// Checks the settings. The messages don't repeat the address, which may contain a password.
pub(super) fn validate(config: &Config, sources: &Sources<'_>) -> Result<(), ConfigError> {
    let Some(address) = &config.database else {
        return match config.database_password {
            Some(_) => {
                Err(ConfigError::Incomplete { origin: sources.origin("database_password"), missing: "database" })
            }
            None => Ok(()),
        };
    };
    let refused =
        |name: &str, fault: &str| Err(ConfigError::Invalid { origin: sources.origin(name), fault: fault.to_owned() });
    match password_in(address) {
        None => return refused("database", "is not a PostgreSQL address; write postgres://USER@HOST/DATABASE"),
        Some(true) => return refused("database", "contains a password; remove it, and set `database_password_file`"),
        Some(false) => {}
    }
    if config.backup_schedule != Schedule::Off {
        return refused("backup_schedule", BACKUPS);
    }
    Ok(())
}

/// Reports whether a PostgreSQL address contains a password; `None` if it is another address.
pub fn password_in(address: &str) -> Option<bool> {
    let rest = address.strip_prefix("postgres://").or_else(|| address.strip_prefix("postgresql://"))?;
    let (authority, _) = rest.split_once('/')?;
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    Some(user.contains(':') || address.contains("password="))
}

/// What to use instead of scheduled backups.
const BACKUPS: &str = "makes copies of a SQLite file; turn it off, and back up PostgreSQL with pg_dump, pgBackRest or \
     your provider's backups";
