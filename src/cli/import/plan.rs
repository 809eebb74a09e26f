//! Owns which accounts of a file are taken in. Two that usher's rules call by one name cannot both be: a superuser
//! wins, then the older account. Must not know where the accounts come from.

use std::collections::{HashMap, HashSet};

use crate::store::import::{self, Account, Standing};
use crate::store::{Connection, StoreError};

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

/// How an account is named in findings.
pub fn label(account: &Account) -> String {
    format!("{} ({})", account.user.username, account.user.id)
}

/// Those of `accounts` (oldest first) that are taken in, and what is said about the others.
pub fn decide(connection: &Connection, accounts: Vec<Account>) -> Result<(Vec<Account>, Vec<Finding>), StoreError> {
    let mut findings = Vec::new();
    let mut free: Vec<Account> = Vec::with_capacity(accounts.len());
    let mut ids = HashSet::new();
    for account in accounts {
        if !ids.insert(account.user.id) {
            findings.push(Finding::new(label(&account), "not imported: another row has the same id"));
            continue;
        }
        match import::standing(connection, account.user.id, &account.user.username)? {
            Standing::Free => free.push(account),
            Standing::Exists => {
                let what = "is here already and stays as it is, with its keys".to_owned();
                findings.push(Finding { who: label(&account), what, exists: true });
            }
            Standing::NameTaken(name) => {
                let what = format!("not imported: usher has somebody else called {name:?}; rename one of the two");
                findings.push(Finding::new(label(&account), what));
            }
        }
    }
    let mut winners: HashMap<String, usize> = HashMap::new();
    for (at, account) in free.iter().enumerate() {
        let place = winners.entry(account.user.username.folded().to_owned()).or_insert(at);
        if free.get(*place).is_some_and(|first| account.user.is_superuser && !first.user.is_superuser) {
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
            let what =
                format!("not imported: for usher this is the same name as {winner}; rename one of the two first");
            findings.push(Finding::new(label(&account), what));
        }
    }
    Ok((taken, findings))
}
