//! Lists users in all orders on both engines, among few and among many.

use std::sync::LazyLock;

use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::store::user_index::search::{self, SharedUserIndex};
use usher::store::user_list::{self, UserQuery, UserSort, UserState};
use usher::store::{Connection, Db, StoreError, users};

use crate::both::{block_on, both};
use crate::repository::{at, id, user};

/// Adds users with various names, states and last sign-ins.
fn add_users(connection: &Connection, numbers: std::ops::Range<u32>) -> Result<(), StoreError> {
    for n in numbers {
        let user = User {
            is_active: n % 3 > 0,
            is_superuser: n % 40 == 0,
            last_login_at: (n % 4 > 0).then(|| at(i64::from(n * 7919 % 101))),
            ..user(1000 + u128::from(n), &format!("U{:x}-{}", n * 7919 % 10_007, if n % 2 == 0 { "é" } else { "ß" }))
        };
        users::insert(connection, &user, &PasswordHash::new("x"))?;
    }
    Ok(())
}

/// Lists users in all orders. Returns each query with its results.
fn lists(connection: &Connection, index: &SharedUserIndex) -> Result<Vec<(String, String)>, StoreError> {
    let mut lists = Vec::new();
    for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
        for state in [None, Some(UserState::Waiting), Some(UserState::Active), Some(UserState::Superuser)] {
            for (descending, text, skip) in
                [(false, None, 0), (false, None, 5_100), (true, None, 30), (true, Some("A"), 3)]
            {
                let search = text.map(str::to_owned);
                let query = UserQuery { skip, limit: 7, search, sort, descending, state };
                let results = user_list::list(connection, &query)?;
                assert_eq!(search::list(connection, index, &query)?, results, "{query:?}");
                lists.push((format!("{query:?}"), format!("{results:?}")));
            }
        }
    }
    Ok(lists)
}

/// Lists of users on one engine.
pub struct Lists {
    /// The queries with their results.
    found: Vec<(String, String)>,
    /// What PostgreSQL prepared.
    pub statements: Vec<String>,
}

/// Lists few and many users, and again after changes.
fn all_lists(db: &Db) -> Lists {
    let (index, mut all, mut prepared) = (SharedUserIndex::default(), Vec::new(), Vec::new());
    for numbers in [0..50, 50..2_500, 2_500..5_300, 0..0] {
        let write = db.write(move |connection| {
            connection.batch("UPDATE users SET username_folded = username_folded || 'x' WHERE id < 20")?;
            let now = i64::from(numbers.end);
            add_users(connection, numbers)?;
            (0..40).step_by(3).try_for_each(|n| users::set_last_login(connection, id(1000 + n), at(1_000 + now)))
        });
        block_on(write).unwrap();
        let index = index.clone();
        let read = db.read(move |connection| {
            let found = lists(connection, &index)?;
            let Some(session) = connection.postgres() else { return Ok((found, Vec::new())) };
            Ok::<_, StoreError>((found, session.prepared_statements()))
        });
        let (found, statements) = block_on(read).unwrap();
        all.extend(found);
        prepared.extend(statements);
    }
    Lists { found: all, statements: prepared }
}

/// Two tests need them.
pub static LISTS_ON_POSTGRES: LazyLock<Lists> = LazyLock::new(|| all_lists(&both().1[1]));

#[test]
fn lists_of_users_are_the_same_on_both_engines_few_or_many() {
    let (_dir, [sqlite, _]) = both();
    let (sqlite, postgres) = (all_lists(&sqlite).found, &LISTS_ON_POSTGRES.found);
    assert_eq!(sqlite.len(), postgres.len());
    for ((query, one), (_, other)) in sqlite.iter().zip(postgres) {
        assert_eq!(one, other, "{query}");
    }
}
