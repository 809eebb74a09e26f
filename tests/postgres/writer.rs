//! Writes on PostgreSQL: errors, conflicts, several servers.

use usher::domain::clock::Timestamp;
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::{Db, StoreError, users};

use crate::both::{block_on, server};

fn user(name: &str) -> User {
    User::new(Username::parse(name).unwrap(), true, false, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_refused_write_changes_nothing_and_a_conflict_spoils_no_other_write() {
    let db = Db::open_postgres(&server(), 1, true).unwrap();
    let hash = PasswordHash::new("x");
    block_on(async {
        let (first, taken) = (user("ann"), user("ANN"));
        let outcome = db.write(move |connection| {
            users::insert(connection, &first, &hash)?;
            let refused = users::insert(connection, &taken, &hash);
            assert!(matches!(refused, Err(StoreError::UsernameTaken)), "{refused:?}");
            users::count(connection)
        });
        assert_eq!(outcome.await.unwrap(), 1);
        let refused = db.write(|connection| {
            users::insert(connection, &user("bob"), &PasswordHash::new("x"))?;
            Err::<(), _>(StoreError::UsernameTaken)
        });
        assert!(matches!(refused.await, Err(StoreError::UsernameTaken)));
        assert_eq!(db.read(users::count).await.unwrap(), 1);
        let read_only = db.read(|connection| users::insert(connection, &user("carl"), &PasswordHash::new("x")));
        assert!(matches!(read_only.await, Err(StoreError::Unavailable(_))));
    });
}

#[test]
fn two_servers_write_one_after_the_other_and_ids_are_in_commit_order() {
    const EACH: u32 = 100;
    let server = server();
    let servers = [Db::open_postgres(&server, 1, true).unwrap(), Db::open_postgres(&server, 1, true).unwrap()];
    std::thread::scope(|scope| {
        for (number, db) in servers.iter().enumerate() {
            scope.spawn(move || {
                block_on(async {
                    for n in 0..EACH {
                        let added = db.write(move |connection| {
                            let before = users::count(connection)?;
                            users::insert(connection, &user(&format!("u{number}-{n}")), &PasswordHash::new("x"))?;
                            Ok::<_, StoreError>((before, users::count(connection)?))
                        });
                        let (before, after) = added.await.unwrap();
                        assert_eq!(before + 1, after);
                    }
                });
            });
        }
    });
    assert_eq!(block_on(servers[0].read(users::count)).unwrap(), i64::from(2 * EACH));
}

#[test]
fn reads_alone_open_no_second_connection() {
    let db = Db::open_postgres(&server(), 1, true).unwrap();
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    let open = db.read(move |connection| connection.one(count, &[], |row| row.get::<i64>(0)));
    assert_eq!(block_on(open).unwrap(), 1);
}

#[test]
fn a_lost_connection_fails_one_call_at_most_and_is_opened_again() {
    let db = Db::open_postgres(&server(), 1, true).unwrap();
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    block_on(async {
        db.read(users::count).await.unwrap();
        db.write(move |connection| connection.one(kill, &[], |_| Ok(()))).await.unwrap();
        let _ = db.read(users::count).await;
        assert_eq!(db.read(users::count).await.unwrap(), 0);
        let added = db.write(|connection| users::insert(connection, &user("ann"), &PasswordHash::new("x")));
        added.await.unwrap();
        assert_eq!(db.read(users::count).await.unwrap(), 1);
    });
}
