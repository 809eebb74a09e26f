//! What the audit log keeps.

use super::*;
use crate::domain::audit::{Action, Actor};
use crate::domain::user::User;
use crate::domain::username::Username;

fn database() -> Connection {
    let connection = Connection::from(rusqlite::Connection::open_in_memory().unwrap());
    connection.batch(include_str!("../../schema.sql")).unwrap();
    connection
}

fn by(actor: Uuid, action: Action) -> Event {
    Event::new(Actor { id: Some(actor), ..Actor::default() }, action)
}

/// Records an action so often that no repeats are merged.
fn record_many(connection: &Connection, actor: Uuid, action: Action, count: i64) {
    for n in 0..count {
        let at = Timestamp::UNIX_EPOCH + TimeDelta::hours(n);
        record_without_log(connection, &by(actor, action), at).unwrap();
    }
}

fn count(connection: &Connection, condition: &str) -> i64 {
    connection.one(&format!("SELECT count(*) FROM audit WHERE {condition}"), &[], |row| row.get(0)).unwrap()
}

#[test]
fn a_user_who_repeats_an_action_displaces_only_their_own_entries_of_that_kind() {
    let connection = database();
    let (alice, bob) = (Uuid::new_v4(), Uuid::new_v4());
    record_many(&connection, alice, Action::KeyMade, 1);
    record_many(&connection, bob, Action::UserChanged, 1);
    record_many(&connection, alice, Action::UserChanged, 4000);
    assert_eq!(count(&connection, "action = 'key.add'"), 1);
    let changes = count(&connection, "action = 'user.change'") - 1;
    assert!((2000..2256).contains(&changes), "{changes}");
}

#[test]
fn repeats_within_a_minute_are_one_entry_with_a_count_and_the_last_time() {
    let connection = database();
    let (alice, start) = (Uuid::new_v4(), Timestamp::UNIX_EPOCH);
    let at = |seconds| start + TimeDelta::seconds(seconds);
    for seconds in [0, 20, 59, 60, 61] {
        record_without_log(&connection, &by(alice, Action::UserChanged), at(seconds)).unwrap();
        record_without_log(&connection, &by(Uuid::new_v4(), Action::UserChanged), at(seconds)).unwrap();
    }
    let (_, entries) = list(&connection, &AuditFilter { limit: 100, user: Some(alice), ..Default::default() }).unwrap();
    let found: Vec<_> = entries.iter().map(|entry| (entry.at, entry.count, entry.last_at)).collect();
    assert_eq!(found, [(at(60), 2, Some(at(61))), (at(0), 3, Some(at(59)))]);
    assert_eq!(count(&connection, "count = 1 AND last_at IS NULL"), 5);
}

#[test]
fn what_happened_in_between_keeps_its_place() {
    let connection = database();
    let user = User::new(Username::parse("bob").unwrap(), true, false, Timestamp::UNIX_EPOCH);
    for (actor, action) in [(1, Action::UserPromoted), (2, Action::UserDemoted), (1, Action::UserPromoted)] {
        let event = by(Uuid::from_u128(actor), action).target(&user);
        for event in [event.clone(), event] {
            record_without_log(&connection, &event, Timestamp::UNIX_EPOCH).unwrap();
        }
    }
    assert_eq!((count(&connection, "1"), count(&connection, "count = 2")), (3, 3));
    let login = by(user.id, Action::LoggedIn);
    let wrong = Event::new(Actor::default(), Action::LoggedIn).target(&user).failed();
    for event in [&login, &wrong, &login] {
        record_without_log(&connection, event, Timestamp::UNIX_EPOCH).unwrap();
    }
    assert_eq!(count(&connection, "action = 'login'"), 3);
}

#[test]
fn entries_about_rights_and_credentials_outlast_profile_changes() {
    let connection = database();
    let fill = "INSERT INTO audit (at, action, success, actor) WITH RECURSIVE n (i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) SELECT 't', ?1, 1, zeroblob(16) FROM n";
    connection.run(fill, bind!["user.promote", 1000_i64]).unwrap();
    connection.run(fill, bind!["user.change", MAX_DONE]).unwrap();
    trim(&connection).unwrap();
    assert_eq!((count(&connection, "action = 'user.promote'"), count(&connection, "1")), (1000, MAX_DONE));
    connection.run(fill, bind!["key.delete", MAX_DONE]).unwrap();
    trim(&connection).unwrap();
    assert_eq!((count(&connection, "action = 'user.change'"), count(&connection, "1")), (0, MAX_DONE));
}
