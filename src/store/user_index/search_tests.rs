//! Lists of many users against SQLite's looking at every row.

use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::username::Username;
use crate::store::engine::connection::in_memory;
use crate::store::factors::{self, NewFactor};
use crate::store::user_index::search::*;
use crate::store::user_list::UserState;
use proptest::prelude::*;
use uuid::Uuid;

/// What happens to the users between two looks at the list.
#[derive(Clone, Debug)]
enum Step {
    Add(String),
    Change(usize, Option<String>, bool, bool, Option<i64>),
    Delete(usize),
    SignIn(usize, i64),
    Factor(usize, bool),
    Look(UserQuery),
}

fn page() -> impl Strategy<Value = UserQuery> {
    let sort = prop_oneof![Just(UserSort::Created), Just(UserSort::Name), Just(UserSort::LastLogin)];
    let states =
        [UserState::Waiting, UserState::Active, UserState::Inactive, UserState::Superuser, UserState::NoSecondFactor];
    let state = prop::option::of(prop::sample::select(states.to_vec()));
    let search = prop::option::of("[aAbBéßæł]{0,2}");
    (prop_oneof![0i64..12, 190i64..205], 0i64..5, search, sort, any::<bool>(), state).prop_map(
        |(skip, limit, search, sort, descending, state)| UserQuery { skip, limit, search, sort, descending, state },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let name = || "[aAbBeéÉßsæłl]{1,4}";
    let change = (any::<usize>(), prop::option::of(name()), any::<bool>(), any::<bool>(), prop::option::of(0i64..5));
    prop_oneof![
        4 => name().prop_map(Step::Add),
        2 => change.prop_map(|(at, name, active, superuser, login)| Step::Change(at, name, active, superuser, login)),
        1 => any::<usize>().prop_map(Step::Delete),
        3 => (any::<usize>(), 0i64..9).prop_map(|(at, seconds)| Step::SignIn(at, seconds)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(at, on)| Step::Factor(at, on)),
        4 => page().prop_map(Step::Look),
    ]
}

fn user(name: &str) -> User {
    User::new(Username::parse(name).unwrap(), true, false, Timestamp::UNIX_EPOCH)
}

/// Gives a user a confirmed authenticator app, beside one that doesn't count, or takes all away.
fn set_factor(connection: &Connection, user: Uuid, on: bool) {
    if !on {
        factors::remove_all(connection, user).unwrap();
        return;
    }
    for confirm in [true, false] {
        let id = Uuid::new_v4();
        factors::insert(connection, user, id, "app", &NewFactor::Totp("secret"), Timestamp::UNIX_EPOCH).unwrap();
        if confirm {
            factors::accept_step(connection, id, 1, Timestamp::UNIX_EPOCH).unwrap();
        }
    }
}

fn all_of(connection: &Connection) -> Vec<User> {
    user_list::list(connection, &UserQuery { skip: 0, limit: 1000, ..UserQuery::default() }).unwrap().1
}

proptest! {
    #[test]
    fn every_list_equals_a_full_scan_after_any_changes(
        // Among few users, many changes sort an order anew. Among more, each change is merged into it.
        count in prop_oneof![Just(0), Just(200)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (connection, index) = (in_memory(), SharedUserIndex::default());
        for number in 0..count {
            users::insert(&connection, &user(&format!("{number}")), &PasswordHash::new("x")).unwrap();
        }
        for step in steps {
            let people = if matches!(step, Step::Add(_) | Step::Look(_)) { vec![] } else { all_of(&connection) };
            match step {
                // A name that is taken is refused, which is as good.
                Step::Add(name) => drop(users::insert(&connection, &user(&name), &PasswordHash::new("x"))),
                Step::Change(at, name, is_active, is_superuser, login) if !people.is_empty() => {
                    let before = &people[at % people.len()];
                    let username = name.map_or_else(|| before.username.clone(), |name| Username::parse(&name).unwrap());
                    let last_login_at = login.and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
                    let after = User { username, is_active, is_superuser, last_login_at, ..before.clone() };
                    drop(users::update(&connection, before, &after));
                }
                Step::Delete(at) if !people.is_empty() => {
                    prop_assert!(users::delete(&connection, people[at % people.len()].id).unwrap());
                }
                Step::SignIn(at, seconds) if !people.is_empty() => {
                    let at = people[at % people.len()].id;
                    users::set_last_login(&connection, at, Timestamp::from_timestamp(seconds, 0).unwrap()).unwrap();
                }
                Step::Factor(at, on) if !people.is_empty() => set_factor(&connection, people[at % people.len()].id, on),
                Step::Look(page) => {
                    let plain = user_list::list(&connection, &page).unwrap();
                    prop_assert_eq!(list_many(&connection, &index, &page).unwrap(), plain);
                }
                Step::Change(..) | Step::Delete(_) | Step::SignIn(..) | Step::Factor(..) => {}
            }
        }
    }
}

#[test]
fn every_page_of_a_long_list_is_the_same_from_either_end_and_from_memory() {
    let (connection, index) = (in_memory(), SharedUserIndex::default());
    connection.batch("BEGIN").unwrap();
    for number in 0..3 * MAX_SCAN {
        let last_login_at = Timestamp::from_timestamp(number * 7919 % 1000, 0).filter(|_| number % 5 > 0);
        let user = User { last_login_at, is_active: number % 3 > 0, ..user(&format!("{number}")) };
        users::insert(&connection, &user, &PasswordHash::new("x")).unwrap();
    }
    connection.batch("DELETE FROM users WHERE id % 7 = 3; COMMIT").unwrap();
    let total = users::count(&connection).unwrap();
    for skip in [
        0,
        1,
        MAX_SCAN,
        MAX_SCAN + 1,
        total / 2,
        total - MAX_SCAN - 3,
        total - 3,
        total - 1,
        total,
        total + 5,
        i64::MAX,
    ] {
        for (sort, descending, state) in [
            (UserSort::Created, false, None),
            (UserSort::Created, true, Some(UserState::Active)),
            (UserSort::Name, true, None),
            (UserSort::LastLogin, false, None),
            (UserSort::LastLogin, true, Some(UserState::Inactive)),
        ] {
            let page = UserQuery { skip, limit: 3, sort, descending, state, ..UserQuery::default() };
            let plain = user_list::list(&connection, &page).unwrap();
            assert_eq!(list(&connection, &index, &page).unwrap(), plain, "{page:?}");
        }
    }
}

#[test]
fn a_sign_in_read_by_a_list_by_name_moves_its_user_in_the_next_by_last_sign_in() {
    for count in [5, 500] {
        let (connection, index) = (in_memory(), SharedUserIndex::default());
        for number in 0..count {
            users::insert(&connection, &user(&format!("{number}")), &PasswordHash::new("x")).unwrap();
        }
        let by_last_login = UserQuery { limit: 3, sort: UserSort::LastLogin, descending: true, ..UserQuery::default() };
        let by_name = UserQuery { sort: UserSort::Name, ..by_last_login.clone() };
        for (second, at) in (1..).zip([3, 1, 4, 1]) {
            let id = all_of(&connection)[at].id;
            users::set_last_login(&connection, id, Timestamp::from_timestamp(second, 0).unwrap()).unwrap();
            list_many(&connection, &index, &by_name).unwrap();
            assert_eq!(list_many(&connection, &index, &by_last_login).unwrap().1[0].id, id);
        }
    }
}

#[test]
fn many_new_people_at_once_are_put_into_every_order() {
    let (connection, index) = (in_memory(), SharedUserIndex::default());
    for from in [0, 1_000] {
        for number in from..from + 600 {
            let last_login_at = Timestamp::from_timestamp(number * 31 % 97, 0).filter(|_| number % 5 > 0);
            let user = User { last_login_at, ..user(&format!("{}", number * 7919 % 9973)) };
            users::insert(&connection, &user, &PasswordHash::new("x")).unwrap();
        }
        for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
            let page = UserQuery { limit: 5, skip: 100, sort, ..UserQuery::default() };
            let plain = user_list::list(&connection, &page).unwrap();
            assert_eq!(list_many(&connection, &index, &page).unwrap(), plain);
        }
    }
}

#[test]
fn more_changes_than_are_kept_lead_to_reading_everybody_anew() {
    let (connection, index) = (in_memory(), SharedUserIndex::default());
    for name in ["ada", "bea"] {
        users::insert(&connection, &user(name), &PasswordHash::new("x")).unwrap();
    }
    let page = UserQuery { skip: 0, limit: 5, search: Some("ADA".to_owned()), ..UserQuery::default() };
    assert_eq!(list_many(&connection, &index, &page).unwrap().0, 1);
    connection.batch("BEGIN").unwrap();
    let rename = "UPDATE users SET username = ?1, username_folded = ?1, username_sort = ?1 WHERE id = 1";
    for round in 0..10_100 {
        connection.run(rename, bind![&format!("cid {round}")]).unwrap();
    }
    connection.batch("COMMIT").unwrap();
    let kept: i64 = connection.one("SELECT count(*) FROM user_changes", &[], |row| row.get(0)).unwrap();
    assert_eq!(kept, 10_000);
    assert_eq!(list_many(&connection, &index, &page).unwrap().0, 0);
    let page = UserQuery { search: Some("10099".to_owned()), ..page };
    assert_eq!(list_many(&connection, &index, &page).unwrap().0, 1);
}
