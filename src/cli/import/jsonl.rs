//! The file that `usher export` writes and `usher import usher` reads: one JSON object per line and user. It contains
//! password hashes, API key hashes and encrypted store keys, but no sessions and no second factors.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::password_hasher;
use crate::auth::random::RandomnessError;
use crate::cli::import::conflicts::{self, ImportNotice, shown};
use crate::cli::import::hex::{from_hex, to_hex};
use crate::cli::import::secrets::Secrets;
use crate::cli::import::{ReadAccounts, UnreadableParts};
use crate::domain::api_key::ApiKey;
use crate::domain::clock::Timestamp;
use crate::domain::optins::OptIns;
use crate::domain::secret::PasswordHash;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, User};
use crate::domain::username::Username;
use crate::store::transfer::import::AccountRecord;

#[derive(Serialize, Deserialize)]
struct UserLine {
    id: Uuid,
    username: String,
    password_hash: String,
    profile_image: Option<String>,
    is_active: bool,
    is_superuser: bool,
    create_at: Timestamp,
    updated_at: Timestamp,
    last_login_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    optins: Option<OptIns>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    must_change_password: bool,
    /// Encrypted with the secret key of the server that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_api_key: Option<String>,
    #[serde(default)]
    api_keys: Vec<KeyLine>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    had_second_factor: bool,
}

#[derive(Serialize, Deserialize)]
struct KeyLine {
    id: Uuid,
    name: Option<String>,
    sha256: String,
    prefix: String,
    length: u32,
    is_active: bool,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    total_uses: i64,
}

/// Formats a user as a line.
pub fn to_line(account: &AccountRecord) -> serde_json::Result<String> {
    let user = &account.user;
    let keys = account.keys.iter().map(|(key, sha256)| KeyLine {
        id: key.id,
        name: key.name.clone(),
        sha256: to_hex(sha256),
        prefix: key.prefix.clone(),
        length: key.length,
        is_active: key.is_active,
        created_at: key.created_at,
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
        total_uses: key.total_uses,
    });
    serde_json::to_string(&UserLine {
        id: user.id,
        username: user.username.to_string(),
        password_hash: account.hash.expose().to_owned(),
        profile_image: user.profile_image.clone(),
        is_active: user.is_active,
        is_superuser: user.is_superuser,
        create_at: user.create_at,
        updated_at: user.updated_at,
        last_login_at: user.last_login_at,
        optins: user.optins.clone(),
        must_change_password: user.must_change_password,
        store_api_key: user.store_api_key.clone(),
        api_keys: keys.collect(),
        had_second_factor: account.had_second_factor,
    })
}

/// Reads the users of a file in order. Invalid lines become notices.
pub fn accounts(bytes: &[u8], secrets: &Secrets, now: Timestamp) -> Result<ReadAccounts, RandomnessError> {
    let (mut accounts, mut notices) = (Vec::new(), Vec::new());
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned()).and_then(parse_line);
        match parsed {
            Ok(mut account) => {
                let token = account.user.store_api_key.take();
                let user = conflicts::label(&account);
                account.user.store_api_key = secrets.store_key(token.as_deref(), now, &user, &mut notices)?;
                accounts.push(account);
            }
            Err(why) => notices.push(ImportNotice::new(format!("line {}", index + 1), format!("not imported: {why}"))),
        }
    }
    Ok(ReadAccounts { accounts, notices, unreadable: UnreadableParts::default() })
}

/// Parses a line. The store key stays encrypted.
fn parse_line(line: &str) -> Result<AccountRecord, String> {
    // Some editors write a byte order mark. serde's message would repeat a part of the line, which can be a hash.
    let line: UserLine = serde_json::from_str(line.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("it is not a user as `usher export` writes it (column {})", error.column()))?;
    let username = Username::parse(&line.username).map_err(|error| format!("the name is not valid: {error}"))?;
    if !password_hasher::is_hash(&line.password_hash) {
        return Err(format!("the password of {} is not a bcrypt hash", shown(username.as_str())));
    }
    if line.profile_image.as_ref().is_some_and(|image| image.chars().count() > MAX_PROFILE_IMAGE_CHARS) {
        return Err(format!("the picture of {} is too large", shown(username.as_str())));
    }
    let user = User {
        id: line.id,
        username,
        profile_image: line.profile_image,
        store_api_key: line.store_api_key,
        is_active: line.is_active,
        is_superuser: line.is_superuser,
        create_at: line.create_at,
        updated_at: line.updated_at,
        last_login_at: line.last_login_at,
        optins: line.optins,
        must_change_password: line.must_change_password,
    };
    let keys = line.api_keys.into_iter().map(|key| parse_key(key, user.id)).collect::<Result<_, _>>()?;
    let (hash, had_second_factor) = (PasswordHash::new(line.password_hash), line.had_second_factor);
    Ok(AccountRecord { user, hash, keys, had_second_factor })
}

fn parse_key(key: KeyLine, user_id: Uuid) -> Result<(ApiKey, [u8; 32]), String> {
    let sha256 = from_hex(&key.sha256).ok_or("the `sha256` of an API key is not valid")?;
    let parsed = ApiKey {
        id: key.id,
        user_id,
        name: key.name,
        prefix: key.prefix,
        length: key.length,
        is_active: key.is_active,
        created_at: key.created_at,
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
        total_uses: key.total_uses.max(0),
    };
    Ok((parsed, sha256))
}
