//! Owns which accounts of a file are taken in. Two that usher's rules call by one name cannot both be: a superuser
//! wins, then the older account. Must not know where the accounts come from.

use std::collections::{HashMap, HashSet};

use crate::store::transfer::import::{self, ImportConflict, ImportedAccount};
use crate::store::{Connection, StoreError};

/// The most characters of what a file says of itself that a finding repeats.
const SHOWN: usize = 80;

/// One account or row that is not taken in, or not whole, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Whom it concerns.
    pub who: String,
    /// What is the matter, and what to do about it.
    pub what: String,
    /// Whether the account is here already, so that nothing is wrong.
    pub exists: bool,
}

impl Finding {
    /// Something that somebody should look at.
    pub fn new(who: impl Into<String>, what: impl Into<String>) -> Self {
        Self { who: who.into(), what: what.into(), exists: false }
    }
}

/// A text out of a file, fit for a terminal and of bounded length.
pub fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// How an account is named in findings.
pub fn label(account: &ImportedAccount) -> String {
    format!("{} ({})", shown(account.user.username.as_str()), account.user.id)
}

/// That an account is not taken in, and with it its keys.
fn left_out(account: &ImportedAccount, why: &str) -> Finding {
    let keys = match account.keys.len() {
        0 => String::new(),
        count => format!(", nor its API keys ({count})"),
    };
    Finding::new(label(account), format!("not imported{keys}: {why}"))
}

/// Those of `accounts` that are taken in, with those of their keys that can be, and what is said about the others.
pub fn decide(
    connection: &Connection,
    accounts: Vec<ImportedAccount>,
) -> Result<(Vec<ImportedAccount>, Vec<Finding>), StoreError> {
    import::in_read_transaction(connection, || decided(connection, accounts))
}

fn decided(
    connection: &Connection,
    accounts: Vec<ImportedAccount>,
) -> Result<(Vec<ImportedAccount>, Vec<Finding>), StoreError> {
    let mut findings = Vec::new();
    let mut free: Vec<ImportedAccount> = Vec::with_capacity(accounts.len());
    let mut ids = HashSet::new();
    for account in accounts {
        if !ids.insert(account.user.id) {
            findings.push(left_out(&account, "another row has the same id"));
            continue;
        }
        match import::find_conflict(connection, account.user.id, &account.user.username)? {
            ImportConflict::Free => free.push(account),
            ImportConflict::Exists => {
                let what = "is here already and stays as it is, with its keys".to_owned();
                findings.push(Finding { who: label(&account), what, exists: true });
            }
            ImportConflict::NameTaken(name) => {
                let why = format!(
                    "usher has somebody else called {name:?}; rename one of the two, as by `usher user rename`"
                );
                findings.push(left_out(&account, &why));
            }
            ImportConflict::NameReserved => {
                let what =
                    "not imported: this was somebody else's name, which forward auth keeps from being given again; \
                            choose another name"
                        .to_owned();
                findings.push(Finding::new(label(&account), what));
            }
        }
    }
    let mut winners: HashMap<String, usize> = HashMap::new();
    for (at, account) in free.iter().enumerate() {
        let place = winners.entry(account.user.username.folded().to_owned()).or_insert(at);
        if free.get(*place).is_some_and(|first| rank(account) < rank(first)) {
            *place = at;
        }
    }
    let names: HashMap<String, String> =
        winners.iter().filter_map(|(folded, &at)| free.get(at).map(|winner| (folded.clone(), label(winner)))).collect();
    let mut taken = Vec::with_capacity(winners.len());
    for (at, account) in free.into_iter().enumerate() {
        let folded = account.user.username.folded();
        if winners.get(folded) == Some(&at) {
            taken.push(account);
        } else {
            let winner = names.get(folded).map_or("another", String::as_str);
            let why = format!("for usher this is the same name as {winner}; rename one of the two first");
            findings.push(left_out(&account, &why));
        }
    }
    keys(connection, &mut taken, &mut findings)?;
    Ok((taken, findings))
}

/// What decides between two of one name: the smaller one wins.
fn rank(account: &ImportedAccount) -> (bool, crate::domain::clock::Timestamp) {
    (!account.user.is_superuser, account.user.create_at)
}

/// Leaves out keys that are here already, or twice in the file.
fn keys(connection: &Connection, taken: &mut [ImportedAccount], findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let (mut ids, mut hashes) = (HashSet::new(), HashSet::new());
    for account in taken {
        let mut kept = Vec::with_capacity(account.keys.len());
        for (key, sha256) in account.keys.drain(..) {
            let twice = !ids.insert(key.id) | !hashes.insert(sha256);
            if twice || import::has_key(connection, key.id, &sha256)? {
                let who = format!("API key {} ({})", shown(key.name.as_deref().unwrap_or("unnamed")), key.id);
                let what = if twice { "it is twice in the file" } else { "it is here already" };
                findings.push(Finding::new(who, format!("not imported: {what}")));
            } else {
                kept.push((key, sha256));
            }
        }
        account.keys = kept;
    }
    Ok(())
}
