//! Owns the one transaction in which accounts are taken in. Writes of a running server wait for it, so that nothing is
//! done in it but adding.

use crate::cli::context::{Context, command_line};
use crate::cli::interrupt::{Interrupted, on_thread};
use crate::cli::progress::Progress;
use crate::cli::{Failure, running_server};
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::secret::Fingerprint;
use crate::store::transfer::import::{self, ImportedAccount};
use crate::store::{Connection, StoreError, audit, secret_key};

/// How many accounts are added between two looks at whether to go on.
const BATCH: usize = 256;

/// Where the accounts come from.
pub struct Source {
    /// The word for it.
    pub from: &'static str,
    /// What the audit log says of the whole.
    pub summary: String,
    /// Of the secret key that the database went with when their store keys were encrypted.
    pub fingerprint: Fingerprint,
}

/// Why nobody was taken in.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("somebody was added meanwhile who has one of these names, ids or keys; nothing was imported, try again")]
    Raced,
    #[error("the secret key was replaced meanwhile; nothing was imported, try again")]
    KeyReplaced,
    #[error("stopped; nothing was imported")]
    Stopped,
    #[error("{}; nothing was imported", .0.described())]
    Store(#[from] StoreError),
}

/// Adds them all, or none.
pub async fn all(
    desk: &Context<'_>,
    accounts: Vec<ImportedAccount>,
    source: Source,
    stop: CancelFlag,
) -> Result<Vec<ImportedAccount>, Failure> {
    let (now, mut progress) = (desk.now, Progress::new());
    let event =
        |target, detail| Event { actor: command_line(), action: Action::UserAdded, target, success: true, detail };
    let path = running_server::database(desk.config);
    let work = move |connection: &Connection| {
        if secret_key::fingerprint(connection)? != Some(source.fingerprint) {
            return Err(Halt::KeyReplaced);
        }
        let from = format!("import {}", source.from);
        for (at, account) in accounts.iter().enumerate() {
            if at % BATCH == 0 {
                progress.show("importing", at as u64, accounts.len() as u64);
                if stop.is_cancelled() {
                    return Err(Halt::Stopped);
                }
            }
            let target = Some((account.user.id, account.user.username.to_string()));
            if !import::insert_account(connection, account, &event(target, Some(from.clone())), now)? {
                return Err(Halt::Raced);
            }
        }
        progress.show("importing", accounts.len() as u64, accounts.len() as u64);
        let whole = Event { action: Action::Imported, ..event(None, Some(source.summary)) };
        audit::record(connection, &whole, now)?;
        Ok(accounts)
    };
    let added = on_thread(move || import::in_bulk_transaction(&path, work)).await?;
    added.map_err(|halt| if matches!(halt, Halt::Stopped) { Interrupted.into() } else { halt.into() })
}
