//! Chooses which accounts are imported. Of two accounts with the same name, a superuser wins, then the older one.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::auth::link_token::NewLink;
use crate::domain::printable::printable;
use crate::store::transfer::import::{self, AccountCompletion, AccountRecord, ImportConflict, STORE_KEY_PART};
use crate::store::users;
use crate::store::{Connection, StoreError};

/// How many characters of a text from the file a notice repeats.
const MAX_SHOWN_CHARS: usize = 80;

/// Why an account or row isn't imported, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImportNotice {
    /// The account or row.
    #[serde(rename = "who")]
    pub subject: String,
    /// The reason and the remedy.
    #[serde(rename = "what")]
    pub text: String,
    /// Whether the account was imported before, so that nothing is wrong.
    pub exists: bool,
}

impl ImportNotice {
    /// A notice about something that is wrong.
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), text: text.into(), exists: false }
    }
}

/// Makes a text from a file printable, and truncates it.
pub fn shown(text: &str) -> String {
    let mut shown = printable(&text.chars().take(MAX_SHOWN_CHARS).collect::<String>());
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The name of an account in notices.
pub fn label(account: &AccountRecord) -> String {
    format!("{} ({})", shown(account.user.username.as_str()), account.user.id)
}

/// A notice that an account and its API keys aren't imported.
fn not_imported(account: &AccountRecord, why: &str) -> ImportNotice {
    let keys = match account.keys.len() {
        0 => String::new(),
        count => format!(", nor its API keys ({count})"),
    };
    ImportNotice::new(label(account), format!("not imported{keys}: {why}"))
}

/// What an import will do.
#[derive(Default)]
pub struct ImportPlan {
    /// The new accounts.
    pub accounts: Vec<AccountRecord>,
    /// What is added to accounts of earlier imports.
    pub completions: Vec<AccountCompletion>,
    /// What isn't imported.
    pub notices: Vec<ImportNotice>,
    /// The reset links of new accounts.
    pub links: Vec<ImportedResetLink>,
}

/// The reset link of a new account.
pub struct ImportedResetLink {
    /// The account.
    pub user_id: Uuid,
    /// Its name.
    pub username: String,
    pub link: NewLink,
}

impl ImportPlan {
    /// Whether nothing is imported.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.completions.is_empty()
    }
}

/// Returns the accounts and API keys to import, and notices about the others.
pub fn resolve(connection: &Connection, accounts: Vec<AccountRecord>) -> Result<ImportPlan, StoreError> {
    connection.snapshot(|| resolve_in_snapshot(connection, accounts))
}

fn resolve_in_snapshot(connection: &Connection, accounts: Vec<AccountRecord>) -> Result<ImportPlan, StoreError> {
    let mut notices = Vec::new();
    let mut completions = Vec::new();
    let mut free: Vec<AccountRecord> = Vec::with_capacity(accounts.len());
    let mut ids = HashSet::new();
    for account in accounts {
        if !ids.insert(account.user.id) {
            notices.push(not_imported(&account, "another row has the same id"));
            continue;
        }
        match import::find_conflict(connection, account.user.id, &account.user.username)? {
            ImportConflict::Free => free.push(account),
            ImportConflict::Exists => {
                if let Some(completion) = completion(connection, &account)? {
                    completions.push(completion);
                    continue;
                }
                let text = "exists already and stays unchanged, with its API keys".to_owned();
                notices.push(ImportNotice { subject: label(&account), text, exists: true });
            }
            ImportConflict::NameTaken(name) => {
                let why = format!(
                    "usher has another user called {name:?}; rename one of the two, for example with `usher user rename`"
                );
                notices.push(not_imported(&account, &why));
            }
            ImportConflict::NameReserved => {
                let text =
                    "not imported: this was another user's name, and forward auth reserves it; choose another name";
                notices.push(ImportNotice::new(label(&account), text));
            }
        }
    }
    let mut winners: HashMap<String, usize> = HashMap::new();
    for (index, account) in free.iter().enumerate() {
        let place = winners.entry(account.user.username.folded().to_owned()).or_insert(index);
        if free.get(*place).is_some_and(|first| rank(account) < rank(first)) {
            *place = index;
        }
    }
    let names: HashMap<String, String> = winners
        .iter()
        .filter_map(|(folded, &index)| free.get(index).map(|winner| (folded.clone(), label(winner))))
        .collect();
    let mut accepted = Vec::with_capacity(winners.len());
    for (index, account) in free.into_iter().enumerate() {
        let folded = account.user.username.folded();
        if winners.get(folded) == Some(&index) {
            accepted.push(account);
        } else {
            let winner = names.get(folded).map_or("another", String::as_str);
            let why =
                format!("usher compares names without case, and this one equals {winner}; rename one of the two first");
            notices.push(not_imported(&account, &why));
        }
    }
    drop_duplicate_keys(connection, &mut accepted, &mut notices)?;
    let without_factor = accepted.iter().filter(|account| account.had_second_factor).map(|account| {
        let text = "imported without its second factor; the password alone signs in until the user sets one up";
        ImportNotice::new(label(account), text)
    });
    notices.extend(without_factor);
    Ok(ImportPlan { accounts: accepted, completions, notices, links: Vec::new() })
}

/// What an earlier import couldn't decrypt of an account, if it can be read now.
fn completion(connection: &Connection, account: &AccountRecord) -> Result<Option<AccountCompletion>, StoreError> {
    let missing = import::unreadable_parts(connection, account.user.id)?;
    let Some(user) = users::find(connection, account.user.id)?.filter(|_| !missing.is_empty()) else {
        return Ok(None);
    };
    let is_missing = |part: &str| missing.iter().any(|missing| missing == part);
    let store_api_key =
        account.user.store_api_key.clone().filter(|_| user.store_api_key.is_none() && is_missing(STORE_KEY_PART));
    let mut keys = Vec::new();
    for (key, sha256) in account.keys.iter().filter(|(key, _)| is_missing(&key.id.to_string())) {
        if !import::has_key(connection, key.id, sha256)? {
            keys.push((key.clone(), *sha256));
        }
    }
    let is_useful = store_api_key.is_some() || !keys.is_empty();
    Ok(is_useful.then_some(AccountCompletion { user, store_api_key, keys }))
}

/// Decides between two accounts with one name. The smaller rank wins.
fn rank(account: &AccountRecord) -> (bool, crate::domain::clock::Timestamp) {
    (!account.user.is_superuser, account.user.create_at)
}

/// Removes API keys that exist already or are twice in the file.
fn drop_duplicate_keys(
    connection: &Connection,
    accepted: &mut [AccountRecord],
    notices: &mut Vec<ImportNotice>,
) -> Result<(), StoreError> {
    let (mut ids, mut hashes) = (HashSet::new(), HashSet::new());
    for account in accepted {
        let mut kept = Vec::with_capacity(account.keys.len());
        for (key, sha256) in account.keys.drain(..) {
            let is_duplicate = !ids.insert(key.id) | !hashes.insert(sha256);
            if is_duplicate || import::has_key(connection, key.id, &sha256)? {
                let subject = format!("API key {} ({})", shown(key.name.as_deref().unwrap_or("unnamed")), key.id);
                let reason = if is_duplicate { "it is twice in the file" } else { "it exists already" };
                notices.push(ImportNotice::new(subject, format!("not imported: {reason}")));
            } else {
                kept.push((key, sha256));
            }
        }
        account.keys = kept;
    }
    Ok(())
}
