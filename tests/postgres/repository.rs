//! Calls every function of the repository with the same arguments on both engines.

use std::fmt::Debug;

use chrono::TimeDelta;
use usher::domain::api_key::ApiKey;
use usher::domain::audit::{Action, Actor, Event};
use usher::domain::clock::Timestamp;
use usher::domain::secret::{Fingerprint, PasswordHash};
use usher::domain::session::Session;
use usher::domain::throttle::AttemptCount;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::audit::AuditFilter;
use usher::store::{
    Connection, StoreError, api_keys, audit, database_counts, heartbeat, reserved_names, reset_links, secret_key,
    sessions, sign_ups, site_tokens, throttle, users,
};
use uuid::Uuid;

use crate::both::{block_on, both};
use crate::repository_links::{invitations, second_factors};

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_000_000 + micros).unwrap()
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn user(number: u128, name: &str) -> User {
    User { id: id(number), ..User::new(Username::parse(name).unwrap(), true, false, at(1)) }
}

/// The result of each call, including errors.
#[derive(Default)]
pub struct Log(Vec<String>);

impl Log {
    pub fn add(&mut self, call: &str, result: Result<impl Debug, StoreError>) {
        self.0.push(format!("{call}: {:?}", result.map_err(|error| error.to_string())));
    }
}

fn accounts(log: &mut Log, c: &Connection) {
    let hash = PasswordHash::new("hash");
    let ann = User { profile_image: Some("é".into()), store_api_key: Some("k".into()), ..user(1, "Ann") };
    let root = User { is_superuser: true, last_login_at: Some(at(5)), ..user(2, "root") };
    log.add("insert", users::insert(c, &ann, &hash));
    log.add("insert", users::insert(c, &root, &hash));
    log.add("insert a taken name", users::insert(c, &user(3, "ANN"), &hash));
    log.add("find", users::find(c, id(1)));
    log.add("find none", users::find(c, id(9)));
    log.add("find by name", users::find_by_name(c, " aNN ").map(|found| found.map(|(user, _)| user)));
    log.add("all", users::all_with_hashes(c).map(|all| all.len()));
    log.add("with hash", users::find_with_hash(c, id(1)).map(|found| found.map(|(user, _)| user)));
    log.add("hash", users::password_hash(c, id(1)).map(|hash| hash.map(|hash| hash.expose().to_owned())));
    log.add("superuser", users::superuser_exists(c));
    log.add("first", users::first_superuser(c));
    log.add("other", users::other_superuser_exists(c, id(2)));
    log.add("update", users::update(c, &ann, &User { profile_image: None, updated_at: at(6), ..ann.clone() }));
    let renamed = User { username: Username::parse("Anna").unwrap(), is_active: false, ..ann.clone() };
    log.add("rename", users::update(c, &ann, &renamed));
    let taken = User { username: Username::parse("ROOT").unwrap(), ..ann.clone() };
    log.add("rename to a taken name", users::update(c, &ann, &taken));
    log.add("waiting", sign_ups::queue_is_full(c, 1));
    log.add("replace hash", users::replace_hash(c, id(1), &hash, &PasswordHash::new("new")));
    log.add("last login", users::set_last_login(c, id(1), at(7)));
    log.add("password", users::set_password(c, id(1), &hash, at(8)));
    log.add("find", users::find(c, id(1)));
}

fn names(log: &mut Log, c: &Connection) {
    let hash = PasswordHash::new("hash");
    let (ann, bob) = (user(20, "names-ann"), user(21, "names-bob"));
    log.add("on", reserved_names::set_enabled(c, true));
    log.add("on again", reserved_names::set_enabled(c, true));
    log.add("insert", users::insert(c, &ann, &hash));
    let renamed = User { username: Username::parse("names-anna").unwrap(), ..ann.clone() };
    log.add("rename", users::update(c, &ann, &renamed));
    log.add("a reserved name", users::insert(c, &User { username: ann.username.clone(), ..bob.clone() }, &hash));
    log.add("owner", reserved_names::former_owner(c, &ann.username));
    log.add("insert", users::insert(c, &bob, &hash));
    let stolen = User { username: ann.username.clone(), ..bob.clone() };
    log.add("rename to a reserved name", users::update(c, &bob, &stolen));
    log.add("off", reserved_names::set_enabled(c, false));
    log.add("rename to a former name", users::update(c, &bob, &stolen));
    log.add("names", reserved_names::all(c));
    log.add("holders", reserved_names::holders_of_former_names(c));
    log.add("delete", users::delete(c, id(21)));
    log.add("delete none", users::delete(c, id(21)));
    log.add("release", reserved_names::release(c, &ann.username));
}

fn session(number: u128, automatic: bool) -> Session {
    Session {
        id: id(number),
        user_id: id(2),
        created_at: at(10),
        refreshed_at: at(i64::try_from(number).unwrap()),
        expires_at: at(1_000),
        generation: 3,
        address: "::1".into(),
        client: Some("browser".into()),
        automatic,
        authenticated_at: at(10),
        passkey_at: None,
    }
}

fn signed_in(log: &mut Log, c: &Connection) {
    for number in 30..36 {
        log.add("session", sessions::insert(c, &session(number, number > 31)));
    }
    log.add("authenticate", sessions::authenticate(c, id(2), id(30), at(999)));
    log.add("authenticate late", sessions::authenticate(c, id(2), id(30), at(1_000)));
    log.add("authenticate none", sessions::authenticate(c, id(2), id(99), at(1)));
    log.add("find", sessions::find(c, id(30), at(1)));
    log.add("find", sessions::find(c, id(30), at(1)));
    log.add("older", sessions::end_older_automatic(c, id(2), 2));
    log.add("rotate", sessions::rotate(c, &Session { generation: 4, ..session(30, false) }));
    log.add("of user", sessions::of_user(c, id(2), at(1)));
    log.add("token", site_tokens::add(c, id(30), &[1; 32], at(20)));
    log.add("token", site_tokens::add(c, id(30), &[2; 32], at(60_000_000)));
    log.add("token found", site_tokens::find(c, &[2; 32], at(21)).map(|found| found.is_some()));
    log.add("token found", site_tokens::find(c, &[1; 32], at(999)).map(|found| found.is_some()));
    log.add("token end", site_tokens::end(c, &[1; 32]));
    log.add("tokens end", site_tokens::end_all_of_user(c, id(2)));
    log.add("end", sessions::end(c, id(35)));
    log.add("end none", sessions::end(c, id(35)));
    log.add("end own", sessions::end_own(c, id(1), id(34)));
    log.add("end others", sessions::end_all_of_user(c, id(2), Some(id(30))));
    log.add("end rest", sessions::end_all_of_user(c, id(2), None));
    log.add("session", sessions::insert(c, &session(36, false)));
    log.add("sweep", sessions::sweep(c, at(0) + TimeDelta::days(2)));
    log.add("end all", sessions::end_all(c));
    log.add("link", reset_links::replace(c, id(2), &[3; 32], at(1), at(50)));
    log.add("link again", reset_links::replace(c, id(2), &[4; 32], at(2), at(60)));
    log.add("link found", reset_links::find(c, &[4; 32], at(59)));
    log.add("link late", reset_links::find(c, &[4; 32], at(60)));
    log.add("links sweep", reset_links::sweep(c, at(61)));
    log.add("links revoke", reset_links::revoke(c, id(2), at(62)));
    log.add("links delete", reset_links::delete_all(c));
}

fn keys(log: &mut Log, c: &Connection) {
    let key = |number: u128| ApiKey {
        id: id(number),
        user_id: id(2),
        name: None,
        prefix: "sk-abcde".into(),
        length: 46,
        is_active: true,
        created_at: at(1),
        expires_at: Some(at(123_456)),
        last_used_at: None,
        total_uses: 0,
    };
    log.add("key", api_keys::insert(c, &key(40), &[5; 32]));
    log.add("key", api_keys::insert(c, &key(41), &[6; 32]));
    let conflict = api_keys::insert(c, &key(42), &[6; 32]);
    log.add("the same key", Ok(conflict.is_err_and(|error| error.violates_unique("api_keys.sha256"))));
    log.add("uses", api_keys::add_uses(c, id(40), 3, at(9)));
    log.add("found", api_keys::find(c, &[5; 32]));
    log.add("of user", api_keys::of_user(c, id(2)));
    log.add("all", api_keys::all_with_hashes(c));
    log.add("active", api_keys::is_active(c, id(40)));
    log.add("delete", api_keys::delete(c, id(2), id(41)));
}

fn waiting(log: &mut Log, c: &Connection) {
    let waiting = User { is_active: false, ..user(60, "waiting") };
    log.add("insert", users::insert(c, &waiting, &PasswordHash::new("hash")));
    log.add("sign-up", sign_ups::add(c, id(60), &[9; 16], at(1)));
    log.add("full", sign_ups::network_is_full(c, &[9; 16], 1));
    log.add("queue", sign_ups::queue_is_full(c, 1));
    log.add("since", sign_ups::waiting_since_before(c, at(2), 5));
    log.add("approve", users::update(c, &waiting, &User { is_active: true, ..waiting.clone() }));
    log.add("approved", sign_ups::waiting_since_before(c, at(2), 5));
}

fn log_and_counts(log: &mut Log, c: &Connection) {
    let actor = Actor { id: Some(id(2)), name: Some("root".into()), address: None, request: None };
    // Enough for the entries of one user to be trimmed.
    for n in 0..200 {
        let event = Event::new(actor.clone(), Action::UserChanged).target_id(id(1), "Anna".into()).detail("a");
        log.add("event", audit::record(c, &event, at(n)));
        log.add("event", audit::record_without_log(c, &event.failed(), at(n)));
    }
    for (user, action) in [(None, None), (Some(id(1)), None), (None, Some("user.change")), (Some(id(2)), Some("x"))] {
        let filter = AuditFilter { skip: 1, limit: 2, user, action: action.map(Into::into), ..AuditFilter::default() };
        log.add(
            "entries",
            audit::list(c, &filter).map(|(total, entries)| {
                (
                    total,
                    entries
                        .into_iter()
                        .map(|entry| (entry.at, entry.action, entry.success, entry.actor))
                        .collect::<Vec<_>>(),
                )
            }),
        );
    }
    let filter = AuditFilter {
        limit: 9,
        success: Some(false),
        since: Some(at(0)),
        until: Some(at(2)),
        before: Some(i64::MAX),
        address: None,
        ..AuditFilter::default()
    };
    log.add("filtered", audit::list(c, &filter).map(|(total, _)| total));
    log.add("newest", audit::newest(c));
    log.add("after", audit::after(c, 1, 2).map(|entries| entries.len()));
    log.add("trim", audit::trim(c));
    log.add("sweep", audit::sweep(c, at(1)));
    log.add("sweep all", audit::sweep(c, at(100_000_000)));
    let count = |count| AttemptCount { count, last_at: at(3) };
    log.add("attempt", throttle::set(c, &[1; 16], count(1)));
    log.add("attempt", throttle::set(c, &[1; 16], count(2)));
    log.add("count", throttle::count(c, &[1; 16]));
    log.add("trim", throttle::trim(c));
    log.add("sweep", throttle::sweep(c, at(1)));
    log.add("clear", throttle::clear(c, &[1; 16]));
    for n in 0..25 {
        log.add("network", throttle::remember_network(c, id(2), &[n; 16], at(n.into())));
    }
    log.add("known", throttle::is_known_network(c, id(2), &[24; 16]));
    log.add("forgotten", throttle::is_known_network(c, id(2), &[1; 16]));
    log.add("read", heartbeat::read(c));
    log.add("write", heartbeat::write(c, at(1)));
    log.add("trusted", heartbeat::trusted_until(c));
    log.add("trust", heartbeat::set_trusted_until(c, at(2)));
    log.add("trusted", heartbeat::trusted_until(c));
    log.add("no fingerprint", secret_key::fingerprint(c));
    log.add("set", secret_key::set_fingerprint(c, &Fingerprint([7; 16])));
    log.add("fingerprint", secret_key::fingerprint(c));
    log.add("store key", secret_key::set_store_key(c, id(1), "new"));
    log.add("store keys", secret_key::store_keys(c).map(|keys| keys.len()));
    log.add("clear", secret_key::clear_keyed_counts(c));
    log.add("counts", database_counts::count(c, at(1)).map(|found| (found.active, found.waiting, found.sessions)));
}

pub fn everything(connection: &Connection) -> Vec<String> {
    let mut log = Log::default();
    accounts(&mut log, connection);
    names(&mut log, connection);
    signed_in(&mut log, connection);
    waiting(&mut log, connection);
    second_factors(&mut log, connection);
    invitations(&mut log, connection);
    keys(&mut log, connection);
    log_and_counts(&mut log, connection);
    log.0
}

#[test]
fn every_function_of_the_repository_gives_the_same_on_both_engines() {
    let (_dir, databases) = both();
    let [sqlite, postgres] =
        databases.map(|db| block_on(db.write(|connection| Ok::<_, StoreError>(everything(connection)))).unwrap());
    for (one, other) in sqlite.iter().zip(&postgres) {
        assert_eq!(one, other);
    }
    assert_eq!(sqlite.len(), postgres.len());
    assert!(sqlite.iter().all(|line| !line.contains("reported an error")), "{sqlite:#?}");
}
