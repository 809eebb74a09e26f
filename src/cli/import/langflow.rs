//! Owns how rows of the original become accounts of usher's: names and hashes checked, keys hashed, store keys
//! encrypted anew. Must not know which of them are taken in.

use std::collections::HashMap;

use uuid::Uuid;

use crate::auth::random::RandomnessError;
use crate::auth::{api_key, password_hasher};
use crate::cli::import::hex::from_hex;
use crate::cli::import::plan::{Finding, shown};
use crate::cli::import::secrets::Secrets;
use crate::domain::api_key::{ApiKey, SHOWN_CHARS};
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::{MAX_PROFILE_IMAGE_CHARS, User};
use crate::domain::username::Username;
use crate::store::transfer::import::ImportedAccount;
use crate::store::transfer::langflow::{LangflowAccounts, LangflowKey, LangflowUser};

/// How every Fernet token begins: the version, and four zero bytes of a time before the year 2106.
const FERNET: &str = "gAAAAA";
/// The length of every key that the original makes: `sk-` and 43 characters.
const KEY_LENGTH: u32 = 46;

/// The accounts of a file with their keys, oldest first, and what could not be read.
pub fn accounts(
    file: LangflowAccounts,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<(Vec<ImportedAccount>, Vec<Finding>), RandomnessError> {
    let mut findings = Vec::new();
    let mut accounts: Vec<ImportedAccount> = Vec::with_capacity(file.users.len());
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for row in file.users {
        let user = match row {
            Ok(user) => user,
            Err(broken) => {
                findings.push(Finding::new(shown(&broken.label), format!("not imported: {}", broken.why)));
                continue;
            }
        };
        let who = format!("{} ({})", shown(&user.username), user.id);
        match account(user, secrets, now, &who, &mut findings)? {
            Ok(account) => {
                places.entry(account.user.id).or_insert(accounts.len());
                accounts.push(account);
            }
            Err(why) => findings.push(Finding::new(who, format!("not imported: {why}"))),
        }
    }
    for row in file.keys {
        let (label, outcome) = match row {
            Err(broken) => (shown(&broken.label), Err(broken.why)),
            Ok(row) => {
                let label = format!("{} ({})", shown(row.name.as_deref().unwrap_or("unnamed")), row.id);
                let owner = places.get(&row.user_id).and_then(|&at| accounts.get_mut(at));
                (
                    label,
                    owner.ok_or_else(|| "its owner is not imported".to_owned()).and_then(|owner| {
                        owner.keys.push(key(row, secrets, now)?);
                        Ok(())
                    }),
                )
            }
        };
        if let Err(why) = outcome {
            findings.push(Finding::new(format!("API key {label}"), format!("not imported: {why}")));
        }
    }
    Ok((accounts, findings))
}

fn account(
    row: LangflowUser,
    secrets: &Secrets,
    now: Timestamp,
    who: &str,
    findings: &mut Vec<Finding>,
) -> Result<Result<ImportedAccount, String>, RandomnessError> {
    let username = match Username::parse(&row.username) {
        Ok(username) => username,
        Err(error) => return Ok(Err(format!("the name is none: {error}"))),
    };
    if !password_hasher::is_hash(&row.password) {
        return Ok(Err("its password is no bcrypt hash".to_owned()));
    }
    let profile_image = row.profile_image.filter(|image| {
        let fits = image.chars().count() <= MAX_PROFILE_IMAGE_CHARS;
        if !fits {
            findings.push(Finding::new(who, "imported without its picture, which is too large"));
        }
        fits
    });
    let store_api_key = secrets.store_key(row.store_api_key.as_deref(), now, who, findings)?;
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
    };
    Ok(Ok(ImportedAccount { user, hash: PasswordHash::new(row.password), keys: Vec::new() }))
}

fn key(row: LangflowKey, secrets: &Secrets, now: Timestamp) -> Result<(ApiKey, [u8; 32]), String> {
    let opened = |text: String| {
        if !text.starts_with(FERNET) {
            return Some(text);
        }
        secrets.theirs.as_ref()?.decrypt(&text).map(|text| text.expose().to_owned())
    };
    let plain = row.api_key.and_then(opened);
    let sha256 = match (&row.api_key_hash, &plain) {
        (Some(hash), _) => from_hex(hash).ok_or("`api_key_hash` is no SHA-256")?,
        (None, Some(plain)) => api_key::sha256(plain),
        (None, None) => {
            return Err("it is encrypted, and this secret key does not open it; see --secret-key-file".to_owned());
        }
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
