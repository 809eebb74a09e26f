//! Keeps everything revoked after a restore that was revoked since the backup.

use std::path::Path;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// What a restore does with the API keys of the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRevocation {
    /// This many keys that were revoked since the backup stay revoked.
    CarriedOver(usize),
    /// There was nothing to compare with, and this many keys are disabled.
    Disabled(usize),
    /// There was nothing to compare with, and all keys are kept.
    Kept,
}

/// Deletes the keys of the restored database that the `replaced` one doesn't have any more, and disables those that it
/// has disabled. If there is no replaced database, or it is another server's, disables all keys, unless `keep_keys`.
pub fn revoke_keys(
    connection: &Connection,
    replaced: Option<&Path>,
    keep_keys: bool,
) -> Result<KeyRevocation, StoreError> {
    let carried = replaced.map(|path| carry_over(connection, path)).transpose();
    match carried {
        Ok(Some(Some(revoked))) => Ok(KeyRevocation::CarriedOver(revoked)),
        _ if keep_keys => Ok(KeyRevocation::Kept),
        Ok(_) => disable(connection),
        Err(error) => {
            // The replaced database may be damaged, which can be why it is replaced.
            log::warn!("Revoked API keys can't be read from the replaced database: {}", error.described());
            disable(connection)
        }
    }
}

fn disable(connection: &Connection) -> Result<KeyRevocation, StoreError> {
    let sql = "UPDATE main.api_keys SET is_active = 0 WHERE is_active = 1";
    Ok(KeyRevocation::Disabled(connection.run(sql, &[])?))
}

/// Returns how many keys were revoked, or `None` if the replaced database has no user of this one.
fn carry_over(connection: &Connection, replaced: &Path) -> Result<Option<usize>, StoreError> {
    connection.run("ATTACH ? AS revoking", bind![&replaced.display().to_string()])?;
    let carried = compare(connection);
    connection.batch("DETACH revoking")?;
    carried
}

fn compare(connection: &Connection) -> Result<Option<usize>, StoreError> {
    let same = "SELECT EXISTS (SELECT 1 FROM main.users JOIN revoking.users AS replaced USING (uuid, create_at))";
    if !connection.one(same, &[], |row| row.get(0))? {
        return Ok(None);
    }
    // A key that is newer than the replaced database can't have been revoked in it.
    let deleted = "DELETE FROM main.api_keys WHERE uuid NOT IN (SELECT uuid FROM revoking.api_keys) \
         AND created_at <= (SELECT max(at) FROM revoking.audit)";
    let disabled = "UPDATE main.api_keys SET is_active = 0 WHERE is_active = 1 \
         AND uuid IN (SELECT uuid FROM revoking.api_keys WHERE is_active = 0)";
    let revoked = connection.run(deleted, &[])? + connection.run(disabled, &[])?;
    if let Err(error) = carry_over_factors(connection) {
        // A database of before the second factor has none of its tables.
        log::debug!("No removed factors are carried over: {}", error.described());
    }
    Ok(Some(revoked))
}

/// Removes the second factors and recovery codes that the replaced database doesn't have any more, marks codes that
/// were used in it, and takes over the newest accepted steps. Only accounts that the replaced database has are
/// compared.
fn carry_over_factors(connection: &Connection) -> Result<(), StoreError> {
    connection.batch(
        "DELETE FROM main.factors WHERE uuid NOT IN (SELECT uuid FROM revoking.factors)
             AND created_at <= (SELECT max(at) FROM revoking.audit);
         UPDATE main.factors SET last_step = max(coalesce(last_step, 0), coalesce(
             (SELECT last_step FROM revoking.factors AS replaced WHERE replaced.uuid = main.factors.uuid), 0))
             WHERE kind = 'totp';
         DELETE FROM main.recovery_codes WHERE sha256 NOT IN (SELECT sha256 FROM revoking.recovery_codes)
             AND user_id IN (SELECT id FROM main.users WHERE uuid IN (SELECT uuid FROM revoking.users));
         UPDATE main.recovery_codes SET used_at = (
             SELECT used_at FROM revoking.recovery_codes AS replaced
             WHERE replaced.sha256 = main.recovery_codes.sha256 AND replaced.used_at IS NOT NULL)
             WHERE used_at IS NULL;",
    )
}
