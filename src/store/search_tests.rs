//! The list of users is the same however it is found.

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::username::Username;
use crate::store::schema;
use proptest::prelude::*;
use uuid::Uuid;

/// So few that lists of some dozens are beyond.
const SMALL: Bounds = Bounds { walk: 4, few: 3 };

/// What happens to the users between two looks at the list.
#[derive(Clone, Debug)]
enum Step {
    Add(String, State, bool),
    Rename(usize, String),
    Become(usize, State),
    Delete(usize),
    Look(Page),
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::Waiting, State::Active, State::Inactive, State::Superuser])
}

fn step() -> impl Strategy<Value = Step> {
    let name = || "[aAbBéÉß]{1,4}";
    let sort = prop::sample::select(vec![Sort::Created, Sort::Name, Sort::LastLogin]);
    let page = (0i64..40, 0i64..9, prop::option::of("[aAbBéß]{0,2}"), sort, any::<bool>(), prop::option::of(state()));
    prop_oneof![
        6 => (name(), state(), any::<bool>()).prop_map(|(name, state, signed_in)| Step::Add(name, state, signed_in)),
        1 => (any::<usize>(), name()).prop_map(|(at, name)| Step::Rename(at, name)),
        1 => (any::<usize>(), state()).prop_map(|(at, state)| Step::Become(at, state)),
        1 => any::<usize>().prop_map(Step::Delete),
        4 => page.prop_map(|(skip, limit, search, sort, descending, state)| {
            Step::Look(Page { skip, limit, search, sort, descending, state })
        }),
    ]
}

fn user(name: &str) -> User {
    User {
        id: Uuid::new_v4(),
        username: Username::parse(name).unwrap(),
        profile_image: None,
        store_api_key: None,
        is_active: true,
        is_superuser: false,
        create_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        last_login_at: None,
    }
}

/// The same person in another state; times of log-ins are few, so that some are the same.
fn in_state(user: User, state: State, signed_in: bool) -> User {
    let at = user.id.as_bytes()[0] % 4;
    let last_login_at = Timestamp::from_timestamp(i64::from(at), 0);
    User {
        is_active: !matches!(state, State::Waiting | State::Inactive),
        is_superuser: state == State::Superuser,
        last_login_at: match state {
            State::Waiting => None,
            State::Inactive => last_login_at,
            State::Active | State::Superuser => last_login_at.filter(|_| signed_in),
        },
        ..user
    }
}

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    schema::bring_up_to_date(&connection).unwrap();
    connection
}

fn everyone(connection: &Connection) -> Vec<User> {
    users::list(connection, &Page { skip: 0, limit: 1000, ..Page::default() }).unwrap().1
}

proptest! {
    #[test]
    fn the_list_is_what_looking_at_every_row_gives_whatever_happened_before(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (connection, index) = (database(), NameIndex::default());
        for step in steps {
            let people = everyone(&connection);
            match step {
                // A name that is taken is refused, which is as good.
                Step::Add(name, state, signed_in) => {
                    let new = in_state(user(&name), state, signed_in);
                    drop(users::insert(&connection, &new, &PasswordHash::new("x")));
                }
                Step::Rename(at, name) if !people.is_empty() => {
                    let username = Username::parse(&name).unwrap();
                    let before = &people[at % people.len()];
                    drop(users::update(&connection, before, &User { username, ..before.clone() }));
                }
                Step::Become(at, state) if !people.is_empty() => {
                    let before = &people[at % people.len()];
                    let after = in_state(before.clone(), state, true);
                    users::update(&connection, before, &after).unwrap();
                }
                Step::Delete(at) if !people.is_empty() => {
                    prop_assert!(users::delete(&connection, people[at % people.len()].id).unwrap());
                }
                Step::Look(page) => {
                    let plain = users::list(&connection, &page).unwrap();
                    prop_assert_eq!(&list(&connection, &index, &page).unwrap(), &plain);
                    prop_assert_eq!(&list_within(&connection, &index, &page, SMALL).unwrap(), &plain);
                }
                Step::Rename(..) | Step::Become(..) | Step::Delete(_) => {}
            }
        }
    }
}

#[test]
fn every_page_of_a_long_list_is_the_same_from_either_end_and_from_memory() {
    let (connection, index) = (database(), NameIndex::default());
    connection.execute_batch("BEGIN").unwrap();
    for number in 0..3 * BOUNDS.walk {
        users::insert(&connection, &user(&format!("{number}")), &PasswordHash::new("x")).unwrap();
    }
    connection.execute_batch("DELETE FROM users WHERE id % 7 = 3; COMMIT").unwrap();
    let (total, walk) = (users::count(&connection).unwrap(), BOUNDS.walk);
    for skip in [0, 1, walk, walk + 1, total / 2, total - walk - 3, total - 3, total - 1, total, total + 5, i64::MAX] {
        for (sort, descending) in [(Sort::Created, false), (Sort::Created, true), (Sort::Name, false)] {
            let page = Page { skip, limit: 3, sort, descending, ..Page::default() };
            assert_eq!(list(&connection, &index, &page).unwrap(), users::list(&connection, &page).unwrap(), "{page:?}");
        }
    }
}

#[test]
fn more_changes_than_are_kept_lead_to_reading_all_names_anew() {
    let (connection, index) = (database(), NameIndex::default());
    for name in ["ada", "bea"] {
        users::insert(&connection, &user(name), &PasswordHash::new("x")).unwrap();
    }
    let page = Page { skip: 0, limit: 5, search: Some("ADA".to_owned()), ..Page::default() };
    assert_eq!(list(&connection, &index, &page).unwrap().0, 1);
    let mut person = everyone(&connection).remove(0);
    for round in 0..1100 {
        let username = Username::parse(&format!("cid {round}")).unwrap();
        let after = User { username, ..person.clone() };
        users::update(&connection, &person, &after).unwrap();
        person = after;
    }
    let kept: i64 = connection.query_row("SELECT count(*) FROM name_changes", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1000);
    assert_eq!(list(&connection, &index, &page).unwrap().0, 0);
    let page = Page { search: Some("1099".to_owned()), ..page };
    assert_eq!(list(&connection, &index, &page).unwrap().0, 1);
}
