//! Authorization rules as pure functions: whether a caller may do something to a target.

use uuid::Uuid;

use crate::domain::caller::{Caller, Credential};
use crate::domain::clock::Timestamp;
use crate::domain::user::{User, UserPatch};

/// Why an action is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// You can't deactivate your own account.
    DeactivateSelf,
    /// Only superusers may do this.
    Permission,
    /// Only superusers make users superusers.
    PromoteSelf,
    /// Only superusers delete users.
    DeleteAsUser,
    /// Users set their own password by reset-password, which can ask for the current one.
    PasswordByPatch,
    /// Reset-password sets only your own password.
    AnothersPassword,
    /// An API key can't set its owner's password.
    PasswordByApiKey,
    /// An API key can't list or end sessions.
    SessionsByApiKey,
    /// An API key can't download backups, which contain password hashes.
    BackupsByApiKey,
    /// An API key can't get the cookie for other sites.
    SiteAccessByApiKey,
    /// Sites behind the proxy identify users by name, so users can't rename themselves.
    RenameSelf,
    /// You can't delete your own account.
    DeleteSelf,
    /// At least one active superuser must remain.
    LastSuperuser,
    /// An API key can't create a key that expires after it.
    KeyOutlivesKey,
    /// An API key can't export its owner's data or ask to delete the account.
    OwnDataByApiKey,
    /// The last active superuser can't leave.
    LastSuperuserLeaves,
    /// An API key can't manage second factors.
    FactorsByApiKey,
    /// An API key can't sign in again.
    AgainByApiKey,
    /// Users manage their own second factors only. A superuser can remove those of others.
    AnothersFactors,
}

/// Whether `caller` may apply `patch` to the user `target`, who may not exist. The first rule that applies decides.
pub fn may_patch(caller: &Caller, target: Uuid, patch: &UserPatch) -> Result<(), Denied> {
    let own = caller.is(target);
    if own && patch.is_active == Some(false) {
        return Err(Denied::DeactivateSelf);
    }
    // Only another superuser decides whether you must choose a new password.
    if own && patch.must_change_password.is_some_and(|wanted| wanted != caller.user.must_change_password) {
        return Err(Denied::Permission);
    }
    if caller.user.is_superuser {
        // Otherwise a stolen key could take over the account.
        return match patch.password {
            Some(_) if own => needs_session(caller, Denied::PasswordByApiKey).map(drop),
            _ => Ok(()),
        };
    }
    if !own {
        return Err(Denied::Permission);
    }
    if patch.is_superuser == Some(true) {
        return Err(Denied::PromoteSelf);
    }
    if patch.password.is_some() {
        return Err(Denied::PasswordByPatch);
    }
    let user = &caller.user;
    let elevates = patch.is_active.is_some_and(|wanted| wanted != user.is_active)
        || patch.is_superuser.is_some_and(|wanted| wanted != user.is_superuser)
        || patch.last_login_at.is_some_and(|wanted| Some(wanted) != user.last_login_at);
    if elevates { Err(Denied::Permission) } else { Ok(()) }
}

/// Whether a patch sets a password or makes a superuser, and so needs a recent sign-in.
pub fn is_sensitive(patch: &UserPatch) -> bool {
    patch.password.is_some() || patch.is_superuser == Some(true)
}

/// Whether an active superuser remains when `before` becomes `after`. `other_superuser_exists` counts only active ones.
pub fn keeps_a_superuser(before: &User, after: &User, other_superuser_exists: bool) -> Result<(), Denied> {
    let was = before.is_active && before.is_superuser;
    let is = after.is_active && after.is_superuser;
    if was && !is && !other_superuser_exists { Err(Denied::LastSuperuser) } else { Ok(()) }
}

/// Whether `caller` may read the user `target`.
pub fn may_read(caller: &Caller, target: Uuid) -> Result<(), Denied> {
    if caller.user.is_superuser || caller.is(target) { Ok(()) } else { Err(Denied::Permission) }
}

/// Whether `caller` may delete the user `target`.
pub fn may_delete(caller: &Caller, target: Uuid) -> Result<(), Denied> {
    if caller.is(target) {
        return Err(Denied::DeleteSelf);
    }
    if caller.user.is_superuser { Ok(()) } else { Err(Denied::DeleteAsUser) }
}

/// Whether `caller` may reset the password of `target`.
pub fn may_reset_password(caller: &Caller, target: Uuid) -> Result<(), Denied> {
    if !caller.is(target) {
        return Err(Denied::AnothersPassword);
    }
    needs_session(caller, Denied::PasswordByApiKey).map(drop)
}

/// Whether `caller` may list and end sessions.
pub fn may_manage_sessions(caller: &Caller) -> Result<(), Denied> {
    needs_session(caller, Denied::SessionsByApiKey).map(drop)
}

/// Whether the superuser `caller` may download backups.
pub fn may_download_backups(caller: &Caller) -> Result<(), Denied> {
    needs_session(caller, Denied::BackupsByApiKey).map(drop)
}

/// Returns the session that a cookie for the sites behind the proxy belongs to.
pub fn may_enter_sites(caller: &Caller) -> Result<Uuid, Denied> {
    needs_session(caller, Denied::SiteAccessByApiKey)
}

/// Whether `caller` may rename the user `target`. `names_are_fixed` says that sites behind the proxy identify users by
/// name: with somebody else's name, a user could open that person's data. Sending the current name is allowed.
pub fn may_rename(caller: &Caller, target: Uuid, patch: &UserPatch, names_are_fixed: bool) -> Result<(), Denied> {
    let renames_self = caller.is(target)
        && patch.username.as_ref().is_some_and(|wanted| wanted.as_str() != caller.user.username.as_str());
    if names_are_fixed && renames_self { Err(Denied::RenameSelf) } else { Ok(()) }
}

/// Whether the superuser `caller` may create a reset link for `target`.
pub fn may_create_reset_link(caller: &Caller, target: Uuid) -> Result<(), Denied> {
    if caller.is(target) { needs_session(caller, Denied::PasswordByApiKey).map(drop) } else { Ok(()) }
}

/// Whether `caller` may create an API key that expires at `expires_at`; `None` is never.
pub fn may_create_api_key(caller: &Caller, expires_at: Option<Timestamp>) -> Result<(), Denied> {
    let Credential::ApiKey { expires_at: Some(own), .. } = caller.credential else { return Ok(()) };
    if expires_at.is_some_and(|wanted| wanted <= own) { Ok(()) } else { Err(Denied::KeyOutlivesKey) }
}

/// Returns the session whose owner can sign in again.
pub fn may_sign_in_again(caller: &Caller) -> Result<Uuid, Denied> {
    needs_session(caller, Denied::AgainByApiKey)
}

/// Whether `caller` may add and rename second factors of `target`. Returns the session.
pub fn may_manage_factors(caller: &Caller, target: Uuid) -> Result<Uuid, Denied> {
    if caller.is(target) { needs_session(caller, Denied::FactorsByApiKey) } else { Err(Denied::AnothersFactors) }
}

/// Whether `caller` may remove second factors of `target`. An API key of a superuser can, from others: it can set their
/// passwords as well.
pub fn may_remove_factors(caller: &Caller, target: Uuid) -> Result<(), Denied> {
    if caller.user.is_superuser && !caller.is(target) { Ok(()) } else { may_manage_factors(caller, target).map(drop) }
}

/// Whether `caller` may export their own data and ask to delete the account. Returns the session.
pub fn may_manage_own_data(caller: &Caller) -> Result<Uuid, Denied> {
    needs_session(caller, Denied::OwnDataByApiKey)
}

/// Whether `user` may leave. `other_superuser_exists` counts only active ones.
pub fn may_leave(user: &User, other_superuser_exists: bool) -> Result<(), Denied> {
    if user.is_superuser && !other_superuser_exists { Err(Denied::LastSuperuserLeaves) } else { Ok(()) }
}

fn needs_session(caller: &Caller, denied: Denied) -> Result<Uuid, Denied> {
    caller.session().ok_or(denied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    use crate::domain::username::Username;

    fn user(n: u128, is_superuser: bool) -> User {
        let at = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        User {
            id: Uuid::from_u128(n),
            username: Username::parse(&format!("user{n}")).unwrap(),
            profile_image: None,
            store_api_key: None,
            is_active: true,
            is_superuser,
            create_at: at,
            updated_at: at,
            last_login_at: Some(at),
            optins: None,
            must_change_password: false,
        }
    }

    fn signed_in(n: u128, is_superuser: bool) -> Caller {
        Caller { user: user(n, is_superuser), credential: Credential::Session(Uuid::from_u128(100)) }
    }

    fn by_key(n: u128, is_superuser: bool, expires_at: Option<Timestamp>) -> Caller {
        let credential = Credential::ApiKey { id: Uuid::from_u128(200), expires_at };
        Caller { user: user(n, is_superuser), credential }
    }

    fn patch() -> UserPatch {
        UserPatch::default()
    }

    #[test]
    fn no_user_deactivates_their_own_account_not_even_a_superuser() {
        let off = UserPatch { is_active: Some(false), ..patch() };
        for superuser in [true, false] {
            assert_eq!(may_patch(&signed_in(1, superuser), Uuid::from_u128(1), &off), Err(Denied::DeactivateSelf));
        }
        assert_eq!(may_patch(&signed_in(1, true), Uuid::from_u128(2), &off), Ok(()));
    }

    #[test]
    fn an_ordinary_user_changes_only_their_own_account_and_no_rights() {
        let me = signed_in(1, false);
        let (mine, other) = (me.user.id, Uuid::from_u128(2));
        let last = me.user.last_login_at;
        for (target, asked, answer) in [
            (other, patch(), Err(Denied::Permission)),
            (mine, UserPatch { is_superuser: Some(true), ..patch() }, Err(Denied::PromoteSelf)),
            (mine, UserPatch { is_superuser: Some(false), is_active: Some(true), ..patch() }, Ok(())),
            (mine, UserPatch { password: Some(Secret::new("x")), ..patch() }, Err(Denied::PasswordByPatch)),
            (other, UserPatch { password: Some(Secret::new("x")), ..patch() }, Err(Denied::Permission)),
            (
                mine,
                UserPatch { last_login_at: Some(me.user.create_at + chrono::TimeDelta::days(1)), ..patch() },
                Err(Denied::Permission),
            ),
            (mine, UserPatch { last_login_at: last, ..patch() }, Ok(())),
            (mine, UserPatch { profile_image: Some("p".into()), ..patch() }, Ok(())),
        ] {
            assert_eq!(may_patch(&me, target, &asked), answer, "{asked:?}");
        }
    }

    #[test]
    fn with_fixed_names_users_cannot_rename_themselves() {
        for me in [signed_in(1, false), signed_in(1, true)] {
            let own = me.user.id;
            let to = |name: &str| UserPatch { username: Some(Username::parse(name).unwrap()), ..patch() };
            assert_eq!(may_rename(&me, own, &to("root"), true), Err(Denied::RenameSelf));
            assert_eq!(may_rename(&me, own, &to("USER1"), true), Err(Denied::RenameSelf));
            assert_eq!(may_rename(&me, own, &to("user1"), true), Ok(()));
            assert_eq!(may_rename(&me, own, &patch(), true), Ok(()));
            assert_eq!(may_rename(&me, own, &to("root"), false), Ok(()));
            assert_eq!(may_rename(&me, Uuid::from_u128(2), &to("root"), true), Ok(()), "another user's name");
        }
    }

    #[test]
    fn an_api_key_never_sets_its_owners_password_not_even_a_superusers() {
        let (session, key) = (signed_in(1, true), by_key(1, true, None));
        let (own, other) = (session.user.id, Uuid::from_u128(2));
        let asked = UserPatch { password: Some(Secret::new("x")), ..patch() };
        assert_eq!(may_patch(&key, own, &asked), Err(Denied::PasswordByApiKey));
        assert_eq!(may_patch(&session, own, &asked), Ok(()));
        assert_eq!(may_patch(&key, other, &asked), Ok(()));
        assert_eq!(may_reset_password(&session, own), Ok(()));
        assert_eq!(may_reset_password(&key, own), Err(Denied::PasswordByApiKey));
        assert_eq!(may_reset_password(&key, other), Err(Denied::AnothersPassword));
        assert_eq!(may_create_reset_link(&session, own), Ok(()));
        assert_eq!(may_create_reset_link(&key, own), Err(Denied::PasswordByApiKey));
        assert_eq!(may_create_reset_link(&key, other), Ok(()));
    }

    #[test]
    fn sessions_and_sites_need_a_session() {
        let (session, key) = (signed_in(1, true), by_key(1, true, None));
        assert_eq!(may_manage_sessions(&session), Ok(()));
        assert_eq!(may_manage_sessions(&key), Err(Denied::SessionsByApiKey));
        assert_eq!(may_enter_sites(&session), Ok(Uuid::from_u128(100)));
        assert_eq!(may_enter_sites(&key), Err(Denied::SiteAccessByApiKey));
    }

    #[test]
    fn the_last_active_superuser_stays_one() {
        let admin = user(1, true);
        let demoted = User { is_superuser: false, ..admin.clone() };
        let inactive = User { is_active: false, ..admin.clone() };
        for after in [&demoted, &inactive] {
            assert_eq!(keeps_a_superuser(&admin, after, false), Err(Denied::LastSuperuser));
            assert_eq!(keeps_a_superuser(&admin, after, true), Ok(()));
        }
        assert_eq!(keeps_a_superuser(&inactive, &demoted, false), Ok(()));
        assert_eq!(keeps_a_superuser(&user(2, false), &user(2, false), false), Ok(()));
    }

    #[test]
    fn an_api_key_never_creates_one_that_outlives_it() {
        let end = user(1, false).create_at;
        let later = end + chrono::TimeDelta::seconds(1);
        let key = by_key(1, false, Some(end));
        assert_eq!(may_create_api_key(&signed_in(1, false), None), Ok(()));
        assert_eq!(may_create_api_key(&by_key(1, false, None), None), Ok(()));
        assert_eq!(may_create_api_key(&key, Some(end)), Ok(()));
        assert_eq!(may_create_api_key(&key, Some(later)), Err(Denied::KeyOutlivesKey));
        assert_eq!(may_create_api_key(&key, None), Err(Denied::KeyOutlivesKey));
    }
}
