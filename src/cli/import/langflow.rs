//! Converts Langflow's rows: checks names and hashes, hashes API keys, re-encrypts store keys.

use std::collections::HashMap;

use uuid::Uuid;

use crate::auth::random::RandomnessError;
use crate::auth::{api_key, password_hasher};
use crate::cli::import::conflicts::{ImportNotice, shown};
use crate::cli::import::hex::from_hex;
use crate::cli::import::secrets::Secrets;
use crate::cli::import::{ReadAccounts, UnreadableParts};
use crate::domain::api_key::{ApiKey, SHOWN_CHARS};
use crate::domain::clock::Timestamp;
use crate::domain::optins::{self, OptIns};
use crate::domain::secret::PasswordHash;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, User};
use crate::domain::username::Username;
use crate::store::transfer::import::{AccountRecord, STORE_KEY_PART};
use crate::store::transfer::langflow::rows::{LangflowAccounts, LangflowKey, LangflowUser};

/// The prefix of a Fernet token: its version, and the zero bytes of a time before 2106.
const FERNET_PREFIX: &str = "gAAAAA";
/// The length of Langflow's API keys: `sk-` and 43 characters.
const KEY_LENGTH: u32 = 46;

/// Converts the users of a database with their API keys, oldest first. Invalid rows become notices.
pub fn accounts(rows: LangflowAccounts, secrets: &Secrets, now: Timestamp) -> Result<ReadAccounts, RandomnessError> {
    let mut notices = Vec::new();
    let mut unreadable = UnreadableParts::default();
    let mut accounts: Vec<AccountRecord> = Vec::with_capacity(rows.users.len());
    let mut indexes: HashMap<Uuid, usize> = HashMap::new();
    for row in rows.users {
        let user = match row {
            Ok(user) => user,
            Err(broken) => {
                notices.push(ImportNotice::new(shown(&broken.label), format!("not imported: {}", broken.why)));
                continue;
            }
        };
        let label = format!("{} ({})", shown(&user.username), user.id);
        let has_store_key = user.store_api_key.is_some();
        match convert_user(user, secrets, now, &label, &mut notices)? {
            Ok(account) => {
                if has_store_key && account.user.store_api_key.is_none() {
                    unreadable.entry(account.user.id).or_default().push(STORE_KEY_PART.to_owned());
                }
                indexes.entry(account.user.id).or_insert(accounts.len());
                accounts.push(account);
            }
            Err(why) => notices.push(ImportNotice::new(label, format!("not imported: {why}"))),
        }
    }
    for row in rows.keys {
        let (label, outcome) = match row {
            Err(broken) => (shown(&broken.label), Err(broken.why)),
            Ok(row) => {
                let label = format!("{} ({})", shown(row.name.as_deref().unwrap_or("unnamed")), row.id);
                let owner = indexes.get(&row.user_id).and_then(|&index| accounts.get_mut(index));
                let (id, user_id) = (row.id, row.user_id);
                let outcome = match (owner, convert_key(row, secrets, now)) {
                    (None, _) => Err("its owner is not imported".to_owned()),
                    (Some(owner), Ok(key)) => {
                        owner.keys.push(key);
                        Ok(())
                    }
                    (Some(_), Err(KeyFault::Encrypted)) => {
                        unreadable.entry(user_id).or_default().push(id.to_string());
                        Err("it is encrypted, and this secret key can't decrypt it; see --secret-key-file".to_owned())
                    }
                    (Some(_), Err(KeyFault::Invalid)) => Err("`api_key_hash` is not a SHA-256 hash".to_owned()),
                };
                (label, outcome)
            }
        };
        if let Err(why) = outcome {
            notices.push(ImportNotice::new(format!("API key {label}"), format!("not imported: {why}")));
        }
    }
    Ok(ReadAccounts { accounts, notices, unreadable })
}

/// Why an API key can't be imported.
enum KeyFault {
    Encrypted,
    Invalid,
}

fn convert_user(
    row: LangflowUser,
    secrets: &Secrets,
    now: Timestamp,
    label: &str,
    notices: &mut Vec<ImportNotice>,
) -> Result<Result<AccountRecord, String>, RandomnessError> {
    let username = match Username::parse(&row.username) {
        Ok(username) => username,
        Err(error) => return Ok(Err(format!("the name is not valid: {error}"))),
    };
    if !password_hasher::is_hash(&row.password) {
        return Ok(Err("the password is not a bcrypt hash".to_owned()));
    }
    let profile_image = row.profile_image.filter(|image| {
        let fits = image.chars().count() <= MAX_PROFILE_IMAGE_CHARS;
        if !fits {
            notices.push(ImportNotice::new(label, "imported without the picture, which is too large"));
        }
        fits
    });
    let optins = row.optins.as_deref().map(OptIns::parse);
    if optins == Some(None) {
        let text =
            format!("imported without its optins, which aren't a JSON object of at most {} bytes", optins::MAX_BYTES);
        notices.push(ImportNotice::new(label, text));
    }
    let store_api_key = secrets.store_key(row.store_api_key.as_deref(), now, label, notices)?;
    let user = User {
        id: row.id,
        username,
        profile_image,
        store_api_key,
        is_active: row.is_active,
        is_superuser: row.is_superuser,
        create_at: row.create_at,
        updated_at: row.updated_at,
        last_login_at: row.last_login_at,
        optins: optins.flatten(),
        must_change_password: false,
    };
    let hash = PasswordHash::new(row.password);
    Ok(Ok(AccountRecord { user, hash, keys: Vec::new(), had_second_factor: false }))
}

fn convert_key(row: LangflowKey, secrets: &Secrets, now: Timestamp) -> Result<(ApiKey, [u8; 32]), KeyFault> {
    let decrypt = |text: String| {
        if !text.starts_with(FERNET_PREFIX) {
            return Some(text);
        }
        secrets.theirs.as_ref()?.decrypt(&text).map(|text| text.expose().to_owned())
    };
    let plain = row.api_key.and_then(decrypt);
    let sha256 = match (&row.api_key_hash, &plain) {
        (Some(hash), _) => from_hex(hash).ok_or(KeyFault::Invalid)?,
        (None, Some(plain)) => api_key::sha256(plain),
        (None, None) => return Err(KeyFault::Encrypted),
    };
    let key = ApiKey {
        id: row.id,
        user_id: row.user_id,
        name: row.name,
        prefix: plain.as_ref().map_or_else(|| "sk-".to_owned(), |plain| plain.chars().take(SHOWN_CHARS).collect()),
        length: plain.as_ref().map_or(KEY_LENGTH, |plain| u32::try_from(plain.chars().count()).unwrap_or(u32::MAX)),
        is_active: row.is_active,
        created_at: row.created_at.unwrap_or(now),
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        total_uses: row.total_uses,
    };
    Ok((key, sha256))
}
