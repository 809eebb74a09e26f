//! The transaction that inserts the imported users. A running server's writes wait for it, so it does nothing else.

use crate::cli::Failure;
use crate::cli::context::{Context, audit_event};
use crate::cli::import::UnreadableParts;
use crate::cli::import::conflicts::{ImportPlan, ImportedResetLink};
use crate::cli::interrupt::{Interrupted, run_blocking};
use crate::cli::progress::Progress;
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::secret::Fingerprint;
use crate::http::api::reset_links::VALID_FOR;
use crate::server::database;
use crate::store::transfer::import as store_import;
use crate::store::transfer::import::STORE_KEY_PART;
use crate::store::{Connection, StoreError, audit, reset_links, secret_key};

/// The number of users that are inserted between two checks for an interrupt.
const BATCH: usize = 256;

/// What the audit log says about the import, and what must not have changed.
pub struct ImportRecord {
    /// The kind of source.
    pub source: &'static str,
    /// What can't be decrypted.
    pub unreadable: UnreadableParts,
    /// The detail of the entry about the whole import.
    pub summary: String,
    /// The fingerprint of the secret key that the imported store keys are encrypted with.
    pub fingerprint: Fingerprint,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
enum InsertError {
    #[error("another program added one of these names, ids or keys meanwhile; nothing was imported, try again")]
    Conflict,
    #[error("the secret key was replaced meanwhile; nothing was imported, try again")]
    KeyReplaced,
    #[error("interrupted; nothing was imported")]
    Interrupted,
    #[error("{}; nothing was imported", .0.described())]
    Store(#[from] StoreError),
}

/// Carries out the plan, as a whole or not at all.
pub async fn insert_all(
    context: &Context<'_>,
    plan: ImportPlan,
    import: ImportRecord,
    cancel: CancelFlag,
) -> Result<ImportPlan, Failure> {
    let (now, mut progress) = (context.now, Progress::new());
    let target = database::bulk_target(context.config)?;
    let work = move |connection: &Connection| {
        if secret_key::fingerprint(connection)? != Some(import.fingerprint) {
            return Err(InsertError::KeyReplaced);
        }
        let accounts = &plan.accounts;
        for (index, account) in accounts.iter().enumerate() {
            if index % BATCH == 0 {
                progress.show("importing", index as u64, accounts.len() as u64);
                if cancel.is_cancelled() {
                    return Err(InsertError::Interrupted);
                }
            }
            let target = Some((account.user.id, account.user.username.to_string()));
            let unreadable = import.unreadable.get(&account.user.id).map_or(&[][..], Vec::as_slice);
            let detail = Some(store_import::import_detail(import.source, unreadable, &[]));
            let event = Event { target, detail, ..audit_event(Action::UserAdded) };
            if !store_import::insert_account(connection, account, &event, now)? {
                return Err(InsertError::Conflict);
            }
        }
        for ImportedResetLink { user_id, username, link } in &plan.links {
            reset_links::replace(connection, *user_id, &link.hash, now, now + VALID_FOR)?;
            let target = Some((*user_id, username.clone()));
            audit::insert(connection, &Event { target, ..audit_event(Action::ResetLinkMade) }, now)?;
        }
        for completion in &plan.completions {
            let user = &completion.user;
            let store_key = completion.store_api_key.iter().map(|_| STORE_KEY_PART.to_owned());
            let parts: Vec<String> =
                store_key.chain(completion.keys.iter().map(|(key, _)| key.id.to_string())).collect();
            let target = Some((user.id, user.username.to_string()));
            let detail = Some(store_import::import_detail(import.source, &[], &parts));
            let event = Event { target, detail, ..audit_event(Action::Imported) };
            if !store_import::complete_account(connection, completion, &event, now)? {
                return Err(InsertError::Conflict);
            }
        }
        progress.show("importing", accounts.len() as u64, accounts.len() as u64);
        let event = Event { detail: Some(import.summary), ..audit_event(Action::Imported) };
        audit::record(connection, &event, now)?;
        Ok(plan)
    };
    let inserted = run_blocking(move || store_import::in_bulk_transaction(&target, work)).await?;
    inserted.map_err(|error| if matches!(error, InsertError::Interrupted) { Interrupted.into() } else { error.into() })
}
