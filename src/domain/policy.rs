//! Owns who may do what, as pure functions over values. Must not know HTTP, SQL or sentences.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::user::{User, UserPatch};

/// Why something is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody deactivates oneself.
    DeactivateSelf,
    /// Not without being a superuser.
    Permission,
    /// One's own password is set by reset-password, which can ask for the current one.
    PasswordByPatch,
    /// Reset-password is for one's own password alone.
    AnothersPassword,
    /// An API key must not set its owner's password, nor see or end sessions.
    NotInteractive,
    /// An API key must not make cookies.
    EntryByKey,
    /// Names stand for people elsewhere; one's own is for others to change.
    RenameSelf,
    /// Nobody deletes oneself.
    DeleteSelf,
    /// Somebody must be left to administer.
    LastSuperuser,
    /// A key must not make one that outlives it.
    KeyOutlivesKey,
}

/// Whether `caller`, who came with a password's session or with a key, may ask for `patch` on the user `target`, before
/// it is known whether that user exists. The first rule that applies decides.
pub fn may_patch(caller: &User, interactive: bool, target: Uuid, patch: &UserPatch) -> Result<(), Denied> {
    let own = caller.id == target;
    if own && patch.is_active == Some(false) {
        return Err(Denied::DeactivateSelf);
    }
    if caller.is_superuser {
        // A stolen key must not become the account itself.
        let by_key = own && patch.password.is_some() && !interactive;
        return if by_key { Err(Denied::NotInteractive) } else { Ok(()) };
    }
    if !own || patch.is_superuser == Some(true) {
        return Err(Denied::Permission);
    }
    if patch.password.is_some() {
        return Err(Denied::PasswordByPatch);
    }
    let elevates = patch.is_active.is_some_and(|wanted| wanted != caller.is_active)
        || patch.is_superuser.is_some_and(|wanted| wanted != caller.is_superuser)
        || patch.last_login_at.is_some_and(|wanted| Some(wanted) != caller.last_login_at);
    if elevates { Err(Denied::Permission) } else { Ok(()) }
}

/// Whether turning `before` into `after` leaves somebody who can administer; `others` is whether any other
/// active superuser exists.
pub fn keeps_a_superuser(before: &User, after: &User, others: bool) -> Result<(), Denied> {
    let was = before.is_active && before.is_superuser;
    let is = after.is_active && after.is_superuser;
    if was && !is && !others { Err(Denied::LastSuperuser) } else { Ok(()) }
}

/// Whether `caller` may see the user `target`.
pub fn may_read(caller: &User, target: Uuid) -> Result<(), Denied> {
    if caller.is_superuser || caller.id == target { Ok(()) } else { Err(Denied::Permission) }
}

/// Whether a superuser `caller` may delete the user `target`.
pub fn may_delete(caller: &User, target: Uuid) -> Result<(), Denied> {
    if caller.id == target { Err(Denied::DeleteSelf) } else { Ok(()) }
}

/// Whether `caller`, who came with a password's session or with a key, may reset the password of `target`.
pub fn may_reset_password(caller: &User, interactive: bool, target: Uuid) -> Result<(), Denied> {
    if caller.id != target {
        return Err(Denied::AnothersPassword);
    }
    if interactive { Ok(()) } else { Err(Denied::NotInteractive) }
}

/// Whether a caller, who came with a password's session or with a key, may see and end sessions.
pub fn may_manage_sessions(interactive: bool) -> Result<(), Denied> {
    if interactive { Ok(()) } else { Err(Denied::NotInteractive) }
}

/// Whether a caller, who came with a password's session or with a key, may be given a cookie for other sites.
pub fn may_open_sites(interactive: bool) -> Result<(), Denied> {
    if interactive { Ok(()) } else { Err(Denied::EntryByKey) }
}

/// Whether `caller` may give the user `target` the name in `patch`, where sites behind the proxy know people by name:
/// with another's name one would come into what is theirs. Sending the name that one has is no change.
pub fn may_rename(caller: &User, target: Uuid, patch: &UserPatch, names_are_kept: bool) -> Result<(), Denied> {
    let renames_self = caller.id == target
        && patch.username.as_ref().is_some_and(|wanted| wanted.as_str() != caller.username.as_str());
    if names_are_kept && renames_self { Err(Denied::RenameSelf) } else { Ok(()) }
}

/// Whether a superuser `caller` may make a link that sets the password of `target`.
pub fn may_make_reset_link(caller: &User, interactive: bool, target: Uuid) -> Result<(), Denied> {
    if interactive || caller.id != target { Ok(()) } else { Err(Denied::NotInteractive) }
}

/// Whether a caller whose own key ends at `own_end` may make a key that ends at `wanted`.
/// `None` on the left is a caller without a key, or with one that never ends.
pub fn may_make_key(own_end: Option<Timestamp>, wanted: Option<Timestamp>) -> Result<(), Denied> {
    match (own_end, wanted) {
        (None, _) => Ok(()),
        (Some(own), Some(end)) if end <= own => Ok(()),
        _ => Err(Denied::KeyOutlivesKey),
    }
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
        }
    }

    fn patch() -> UserPatch {
        UserPatch::default()
    }

    #[test]
    fn nobody_deactivates_oneself_not_even_a_superuser() {
        let off = UserPatch { is_active: Some(false), ..patch() };
        for superuser in [true, false] {
            assert_eq!(may_patch(&user(1, superuser), true, Uuid::from_u128(1), &off), Err(Denied::DeactivateSelf));
        }
        assert_eq!(may_patch(&user(1, true), true, Uuid::from_u128(2), &off), Ok(()));
    }

    #[test]
    fn without_being_a_superuser_one_changes_only_oneself_and_no_rights() {
        let me = user(1, false);
        let (mine, other) = (me.id, Uuid::from_u128(2));
        let last = me.last_login_at;
        for (target, asked, answer) in [
            (other, patch(), Err(Denied::Permission)),
            (mine, UserPatch { is_superuser: Some(true), ..patch() }, Err(Denied::Permission)),
            (mine, UserPatch { is_superuser: Some(false), is_active: Some(true), ..patch() }, Ok(())),
            (mine, UserPatch { password: Some(Secret::new("x")), ..patch() }, Err(Denied::PasswordByPatch)),
            (other, UserPatch { password: Some(Secret::new("x")), ..patch() }, Err(Denied::Permission)),
            (
                mine,
                UserPatch { last_login_at: Some(me.create_at + chrono::TimeDelta::days(1)), ..patch() },
                Err(Denied::Permission),
            ),
            (mine, UserPatch { last_login_at: last, ..patch() }, Ok(())),
            (mine, UserPatch { profile_image: Some("p".into()), ..patch() }, Ok(())),
        ] {
            assert_eq!(may_patch(&me, true, target, &asked), answer, "{asked:?}");
        }
    }

    #[test]
    fn where_names_are_kept_nobody_renames_oneself_not_even_in_another_spelling() {
        for me in [user(1, false), user(1, true)] {
            let to = |name: &str| UserPatch { username: Some(Username::parse(name).unwrap()), ..patch() };
            assert_eq!(may_rename(&me, me.id, &to("root"), true), Err(Denied::RenameSelf));
            assert_eq!(may_rename(&me, me.id, &to("USER1"), true), Err(Denied::RenameSelf));
            assert_eq!(may_rename(&me, me.id, &to("user1"), true), Ok(()));
            assert_eq!(may_rename(&me, me.id, &patch(), true), Ok(()));
            assert_eq!(may_rename(&me, me.id, &to("root"), false), Ok(()));
            assert_eq!(
                may_rename(&me, Uuid::from_u128(2), &to("root"), true),
                Ok(()),
                "another's, which rights decide"
            );
        }
    }

    #[test]
    fn a_key_never_sets_its_owners_password_not_even_a_superusers() {
        let admin = user(1, true);
        let asked = UserPatch { password: Some(Secret::new("x")), ..patch() };
        assert_eq!(may_patch(&admin, false, admin.id, &asked), Err(Denied::NotInteractive));
        assert_eq!(may_patch(&admin, true, admin.id, &asked), Ok(()));
        assert_eq!(may_patch(&admin, false, Uuid::from_u128(2), &asked), Ok(()));
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
    fn passwords_are_reset_by_their_owner_who_signed_in() {
        let me = user(1, true);
        assert_eq!(may_reset_password(&me, true, me.id), Ok(()));
        assert_eq!(may_reset_password(&me, false, me.id), Err(Denied::NotInteractive));
        assert_eq!(may_reset_password(&me, false, Uuid::nil()), Err(Denied::AnothersPassword));
    }

    #[test]
    fn a_key_never_makes_one_that_outlives_it() {
        let end = user(1, false).create_at;
        let later = end + chrono::TimeDelta::seconds(1);
        assert_eq!(may_make_key(None, None), Ok(()));
        assert_eq!(may_make_key(Some(end), Some(end)), Ok(()));
        assert_eq!(may_make_key(Some(end), Some(later)), Err(Denied::KeyOutlivesKey));
        assert_eq!(may_make_key(Some(end), None), Err(Denied::KeyOutlivesKey));
    }
}
