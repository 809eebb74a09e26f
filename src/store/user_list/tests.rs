//! The list's orders, filters and counts.

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::username::Username;
use crate::store::engine::connection::in_memory;
use crate::store::users::{delete, insert, update};
use uuid::Uuid;

fn user(n: u32, name: &str, is_active: bool, last_login: Option<i64>) -> User {
    let at = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
    User {
        id: Uuid::from_u128(n.into()),
        username: Username::parse(name).unwrap(),
        profile_image: None,
        store_api_key: None,
        is_active,
        is_superuser: name == "Dora",
        create_at: at(n.into()),
        updated_at: at(n.into()),
        last_login_at: last_login.map(at),
        optins: None,
        must_change_password: false,
    }
}

fn people() -> (Connection, Vec<User>) {
    let connection = in_memory();
    let people = vec![
        user(1, "Dora", true, Some(50)),
        user(2, "anna", false, None),
        user(3, "Carl", false, Some(70)),
        user(4, "Berta", true, Some(60)),
        user(5, "emil", true, None),
    ];
    for person in &people {
        insert(&connection, person, &PasswordHash::new("hash".to_owned())).unwrap();
    }
    (connection, people)
}

fn names(connection: &Connection, page: &UserQuery) -> (i64, String) {
    let (total, users) = list(connection, page).unwrap();
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    (total, names.join(" "))
}

#[test]
fn the_list_is_sorted_by_creation_name_or_last_sign_in() {
    let (connection, _) = people();
    for (sort, descending, expected) in [
        (UserSort::Created, false, "Dora anna Carl Berta emil"),
        (UserSort::Created, true, "emil Berta Carl anna Dora"),
        (UserSort::Name, false, "anna Berta Carl Dora emil"),
        (UserSort::Name, true, "emil Dora Carl Berta anna"),
        (UserSort::LastLogin, false, "anna emil Dora Berta Carl"),
        (UserSort::LastLogin, true, "Carl Berta Dora emil anna"),
    ] {
        let page = UserQuery { limit: 9, sort, descending, ..UserQuery::default() };
        assert_eq!(names(&connection, &page), (5, expected.to_owned()), "{sort:?} {descending}");
        let part = UserQuery { skip: 1, limit: 2, ..page };
        let part_of: Vec<&str> = expected.split(' ').skip(1).take(2).collect();
        assert_eq!(names(&connection, &part), (5, part_of.join(" ")), "a part of {sort:?} {descending}");
    }
}

#[test]
fn the_list_is_filtered_by_state_and_search_with_its_count() {
    let (connection, _) = people();
    for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
        for (state, search, expected) in [
            (UserState::Waiting, None, "anna"),
            (UserState::Inactive, None, "Carl"),
            (UserState::Superuser, None, "Dora"),
            (UserState::Active, Some("ER"), "Berta"),
            (UserState::Inactive, Some("a"), "Carl"),
            (UserState::Waiting, Some("z"), ""),
        ] {
            let search = search.map(ToOwned::to_owned);
            let page = UserQuery { limit: 9, sort, state: Some(state), search, ..UserQuery::default() };
            let total = i64::try_from(expected.split_whitespace().count()).unwrap();
            assert_eq!(names(&connection, &page), (total, expected.to_owned()), "{page:?}");
        }
    }
}

#[test]
fn counts_by_state_follow_every_change() {
    let (connection, people) = people();
    let counts = || {
        [UserState::Waiting, UserState::Active, UserState::Inactive, UserState::Superuser]
            .map(|state| count_of(&connection, state).unwrap())
    };
    assert_eq!(counts(), [1, 3, 1, 1]);
    update(&connection, &people[1], &User { is_active: true, is_superuser: true, ..people[1].clone() }).unwrap();
    assert_eq!(counts(), [0, 4, 1, 2]);
    update(&connection, &people[3], &User { is_active: false, ..people[3].clone() }).unwrap();
    assert_eq!(counts(), [0, 3, 2, 2]);
    delete(&connection, people[0].id).unwrap();
    delete(&connection, people[2].id).unwrap();
    assert_eq!(counts(), [0, 2, 1, 1]);
}

#[test]
fn every_order_and_state_works_with_every_count() {
    // A statement that names an index which does not fit is an error, not merely slow.
    let (connection, _) = people();
    for n in [5_i64, 10_000] {
        connection.run("UPDATE user_count SET n = ?", bind![n]).unwrap();
        for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
            for state in [UserState::Waiting, UserState::Active, UserState::Inactive, UserState::Superuser].map(Some) {
                for (descending, search) in [(false, None), (true, Some("a".to_owned()))] {
                    let page = UserQuery { skip: 0, limit: 9, search, sort, descending, state };
                    list(&connection, &page).unwrap();
                }
            }
        }
    }
}
