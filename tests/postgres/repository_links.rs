//! Calls the functions for second factors, challenges and invitations with the same arguments on both engines.

use usher::domain::invitation::Invitation;
use usher::domain::second_factor::StoredCredential;
use usher::store::challenges::{Challenge, ChallengePurpose};
use usher::store::factors::NewFactor;
use usher::store::{Connection, challenges, factors, invitations, secret_key};

use crate::repository::{Log, at, id};

pub fn second_factors(log: &mut Log, c: &Connection) {
    let passkey = |json: &str| StoredCredential { id: vec![1, 2, 3], json: json.into() };
    let (before, after) = (passkey("1"), passkey("2"));
    log.add("app", factors::insert(c, id(2), id(50), "app", &NewFactor::Totp("secret"), at(1)));
    log.add("not confirmed", factors::is_enrolled(c, id(2)));
    log.add("step", factors::accept_step(c, id(50), 7, at(2)));
    log.add("same step", factors::accept_step(c, id(50), 7, at(3)));
    log.add("passkey", factors::insert(c, id(2), id(51), "key", &NewFactor::Passkey(&before, "a"), at(4)));
    log.add("of user", factors::of_user(c, id(2)));
    log.add("available", factors::available(c, id(2), Some("a")));
    log.add("available", factors::available(c, id(2), None));
    log.add("enrolled", factors::is_enrolled(c, id(2)));
    log.add("apps", factors::totp_of_user(c, id(2)));
    log.add("passkeys", factors::passkeys_of_user(c, id(2), "a"));
    log.add("find", factors::find_passkey(c, &[1, 2, 3]));
    log.add("assertion", factors::accept_assertion(c, id(51), &before, &after, at(5)));
    log.add("assertion again", factors::accept_assertion(c, id(51), &before, &after, at(6)));
    log.add("orphaned", factors::orphaned_passkeys(c, Some("b")));
    log.add("orphaned", factors::orphaned_passkeys(c, None));
    log.add("rename", factors::rename(c, id(2), id(51), "phone"));
    log.add(
        "secrets",
        secret_key::authenticator_apps(c)
            .map(|apps| apps.into_iter().map(|app| (app.id, app.username, app.token)).collect::<Vec<_>>()),
    );
    log.add("secret", secret_key::set_authenticator_app(c, id(50), "other"));
    log.add("codes", factors::replace_recovery_codes(c, id(2), &[[1; 32], [2; 32]]));
    log.add("has", factors::has_recovery_code(c, id(2), &[1; 32]));
    log.add("use", factors::use_recovery_code(c, id(2), &[1; 32], at(7)));
    log.add("use again", factors::use_recovery_code(c, id(2), &[1; 32], at(8)));
    log.add("left", factors::recovery_codes_left(c, id(2)));
    log.add("unconfirmed", factors::remove_unconfirmed(c, id(2)));
    log.add("remove", factors::remove(c, id(2), id(51)));
    log.add("remove all", factors::remove_all(c, id(2)));
    for n in 0..12 {
        let challenge = Challenge {
            sha256: [n; 32],
            purpose: ChallengePurpose::SecondFactor,
            user_id: id(2),
            network: "::1".into(),
            state: String::new(),
            tries: 0,
            expires_at: at(90),
            password: None,
        };
        log.add("challenge", challenges::insert(c, &challenge));
    }
    let find = |n| challenges::find(c, &[n; 32], ChallengePurpose::SecondFactor, "::1", at(9));
    log.add("oldest", find(0));
    log.add("newest", find(11));
    let answer = |network| challenges::count_try(c, &[11; 32], ChallengePurpose::SecondFactor, network, 2, at(9));
    log.add("elsewhere", answer("::2"));
    log.add("try", answer("::1"));
    log.add("last try", answer("::1"));
    log.add("no try", answer("::1"));
    log.add("end", challenges::end(c, &[10; 32]));
    log.add("spend", challenges::spend(c, &[20; 32], id(2), at(99)));
    log.add("spend again", challenges::spend(c, &[20; 32], id(2), at(99)));
    log.add("sweep", challenges::sweep(c, at(95)));
}

pub fn invitations(log: &mut Log, c: &Connection) {
    let invitation = |number: u128, username: Option<&str>| Invitation {
        id: id(number),
        username: username.map(str::to_owned),
        max_uses: 2,
        uses: 0,
        created_at: at(1),
        expires_at: at(50),
    };
    log.add("invite", invitations::insert(c, &invitation(70, None), &[1; 32]));
    log.add("invite", invitations::insert(c, &invitation(71, Some("erika")), &[2; 32]));
    log.add("count", invitations::count(c, at(49)));
    log.add("open", invitations::open(c, at(49)));
    log.add("found", invitations::find(c, &[2; 32], at(49)));
    log.add("late", invitations::find(c, &[2; 32], at(50)));
    log.add("use", invitations::count_use(c, &invitation(70, None)));
    log.add("revoke", invitations::revoke(c, id(71), at(2)));
    log.add("sweep", invitations::sweep(c, at(50)));
    log.add("delete", invitations::delete_all(c));
}
