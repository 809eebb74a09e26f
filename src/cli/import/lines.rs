//! Owns usher's own file of accounts, as `usher export` writes it and `usher import usher` reads it: one JSON object a
//! line. It holds password hashes, but no keys and no sessions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plan::Finding;
use crate::auth::password;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, User};
use crate::domain::username::Username;
use crate::store::import::Account;

#[derive(Serialize, Deserialize)]
struct Line {
    id: Uuid,
    username: String,
    password_hash: String,
    profile_image: Option<String>,
    is_active: bool,
    is_superuser: bool,
    create_at: Timestamp,
    updated_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

/// One account as a line.
pub fn written(user: &User, hash: &PasswordHash) -> serde_json::Result<String> {
    serde_json::to_string(&Line {
        id: user.id,
        username: user.username.to_string(),
        password_hash: hash.expose().to_owned(),
        profile_image: user.profile_image.clone(),
        is_active: user.is_active,
        is_superuser: user.is_superuser,
        create_at: user.create_at,
        updated_at: user.updated_at,
        last_login_at: user.last_login_at,
    })
}

/// The accounts of a whole file, in its order, and the lines that are none.
pub fn accounts(text: &str) -> (Vec<Account>, Vec<Finding>) {
    let (mut accounts, mut findings) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match account(line) {
            Ok(account) => accounts.push(account),
            Err(why) => findings.push(Finding::new(format!("line {}", at + 1), format!("not imported: {why}"))),
        }
    }
    (accounts, findings)
}

fn account(line: &str) -> Result<Account, String> {
    // serde's message would repeat what stands there, which may be a hash.
    let line: Line = serde_json::from_str(line)
        .map_err(|error| format!("it is no account as `usher export` writes it (column {})", error.column()))?;
    let username = Username::parse(&line.username).map_err(|error| format!("the name is none: {error}"))?;
    if !password::is_hash(&line.password_hash) {
        return Err("its password is no bcrypt hash".to_owned());
    }
    if line.profile_image.as_ref().is_some_and(|image| image.chars().count() > MAX_PROFILE_IMAGE_CHARS) {
        return Err("its picture is too large".to_owned());
    }
    let user = User {
        id: line.id,
        username,
        profile_image: line.profile_image,
        store_api_key: None,
        is_active: line.is_active,
        is_superuser: line.is_superuser,
        create_at: line.create_at,
        updated_at: line.updated_at,
        last_login_at: line.last_login_at,
    };
    Ok(Account { user, hash: PasswordHash::new(line.password_hash), keys: Vec::new() })
}
