//! Two servers on one database.

use chrono::TimeDelta;
use serde_json::json;
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::users;

use crate::both::block_on;
use crate::support::Server;
use crate::support::postgres::{connect, empty};
use crate::support::server::{ADMIN, Builder, PASSWORD};
use crate::support::wait::until;

const KEY: &str = "a secret key that all of the servers have";

/// Starts a server on this database.
fn on(database: &str) -> Builder {
    Server::with().set("database", database).set("secret_key", KEY)
}

fn pair() -> (String, Server, Server) {
    let database = empty();
    let (one, other) = (on(&database).start(), on(&database).start());
    (database, one, other)
}

fn number(database: &str, sql: &str) -> i64 {
    connect(database).query_one(sql, &[]).unwrap().get(0)
}

/// Runs both at the same time.
fn at_once<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> [T; 2] {
    std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(one), scope.spawn(other));
        [one.join().unwrap(), other.join().unwrap()]
    })
}

#[test]
fn a_session_that_ends_on_one_server_is_refused_by_the_other_at_once() {
    let (_, one, other) = pair();
    let token = one.admin();
    assert_eq!(other.whoami(&token).status, 200);
    one.post("/api/v1/logout").bearer(&token).send();
    assert_eq!(other.whoami(&token).status, 401);
}

#[test]
fn two_superusers_who_demote_each_other_on_two_servers_leave_one() {
    let (database, one, other) = pair();
    let admin = one.admin();
    let root = one.add_active(&admin, "root");
    let me = one.whoami(&admin).json()["id"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        connect(&database).batch_execute("UPDATE users SET is_superuser = 1").unwrap();
        let (admin, rooted) = (one.admin(), other.login("root", PASSWORD).access);
        let demote = |server: &Server, id: &str, token: &str| {
            let body = json!({ "is_superuser": false });
            server.patch(format!("/api/v1/users/{id}")).bearer(token).json(&body).send().status
        };
        let mut statuses = at_once(|| demote(&one, &root, &admin), || demote(&other, &me, &rooted));
        statuses.sort_unstable();
        assert!(statuses[0] == 200 && [401, 403].contains(&statuses[1]), "{statuses:?}");
        assert_eq!(number(&database, "SELECT count(*) FROM users WHERE is_superuser = 1"), 1);
    }
}

#[test]
fn a_thousand_writes_on_two_servers_are_all_there_with_ids_in_order() {
    let (database, one, other) = pair();
    let before = number(&database, "SELECT max(id) FROM users");
    let write = |server: &Server, name: &'static str| {
        std::thread::scope(|scope| {
            for thread in 0..10 {
                scope.spawn(move || {
                    for n in 0..50 {
                        let username = Username::parse(&format!("{name}{thread}-{n}")).unwrap();
                        let user = User::new(username, true, false, server.clock.now());
                        let insert = server.app.db.write(move |c| users::insert(c, &user, &PasswordHash::new("x")));
                        block_on(insert).unwrap();
                    }
                });
            }
        });
    };
    at_once(|| write(&one, "a"), || write(&other, "b"));
    assert_eq!(number(&database, "SELECT n FROM user_count"), 1001);
    // No write was undone or done twice: their ids have no gaps.
    assert_eq!(number(&database, "SELECT max(id) FROM users") - before, 1000);
}

#[test]
fn failed_sign_ins_are_counted_together() {
    let database = empty();
    let start = || on(&database).set("throttle", "true").start();
    let servers = [start(), start()];
    let statuses: Vec<u16> = (0..20).map(|n| servers[n % 2].try_login(ADMIN.0, "wrong password").status).collect();
    assert_eq!((statuses[15], statuses[16]), (401, 429), "{statuses:?}");
}

#[test]
fn the_last_attempt_before_a_wait_is_one_however_many_servers_check_it_at_once() {
    let database = empty();
    let start = || on(&database).set("throttle", "true").bcrypt_cost(10).start();
    let (one, other) = (start(), start());
    let access = one.admin();
    let change = format!("/api/v1/users/{}/reset-password", one.whoami(&access).field("id"));
    // Connected already, so that this takes less time than a hash.
    let mut client = connect(&database);
    let mut failed = |count: u32| client.batch_execute(&format!("UPDATE attempts SET count = {count}")).unwrap();
    for (changes, refused) in [(false, 401), (true, 400)] {
        let attempt = |server: &Server, password: &str| {
            if !changes {
                return server.try_login(ADMIN.0, password).status;
            }
            let body = json!({ "password": "zebra-mug-41", "current_password": password });
            server.patch(&change).bearer(&access).json(&body).send().status
        };
        assert_eq!(attempt(&one, "wrong password"), refused);
        failed(15);
        let mut statuses = at_once(|| attempt(&one, "wrong password"), || attempt(&other, "wrong password"));
        statuses.sort_unstable();
        assert_eq!(statuses, [refused, 429]);
        // The right password isn't told apart either, once others have failed while it was hashed.
        failed(15);
        let fail_elsewhere = || {
            failed(26);
            429
        };
        assert_eq!(at_once(|| attempt(&one, ADMIN.1), fail_elsewhere), [429, 429]);
        connect(&database).batch_execute("DELETE FROM attempts").unwrap();
    }
}

#[test]
fn of_codes_sent_to_two_servers_at_once_five_are_compared() {
    let database = empty();
    let start = || on(&database).start();
    let servers = [start(), start()];
    let access = servers[0].admin();
    let id = servers[0].whoami(&access).field("id");
    servers[0].enroll(&id, &access, ADMIN.1);
    let challenge = servers[0].try_login(ADMIN.0, ADMIN.1).expect(401).field("challenge");
    let details: Vec<String> = std::thread::scope(|scope| {
        let answer = |n: usize| servers[n % 2].answer(&challenge, &format!("{n:06}")).expect(401).detail();
        let threads: Vec<_> = (0..30).map(|n| scope.spawn(move || answer(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(details.iter().filter(|detail| *detail == "Incorrect code").count(), 5, "{details:?}");
}

#[test]
fn the_uses_of_a_key_add_up() {
    let (database, one, other) = pair();
    let (_, key) = one.create_key(&one.admin(), "shared");
    for server in [&one, &other] {
        for _ in 0..3 {
            server.get("/api/v1/users/whoami").key(&key).send().expect(200);
        }
    }
    drop((one.stop(), other.stop()));
    assert_eq!(number(&database, "SELECT total_uses FROM api_keys"), 6);
}

#[test]
fn servers_that_start_at_the_same_time_set_up_one_superuser_and_one_schema() {
    for _ in 0..3 {
        let database = empty();
        drop(at_once(|| on(&database).start(), || on(&database).start()));
        assert_eq!(number(&database, "SELECT count(*) FROM users"), 1);
        assert_eq!(number(&database, "SELECT count(*) FROM audit WHERE action = 'setup'"), 1);
    }
}

#[test]
fn a_setup_link_works_on_every_server_and_once() {
    let database = empty();
    let start = || on(&database).without_superuser().start();
    let (one, other) = (start(), start());
    let usher::server::FirstSuperuser::Link(link) = &one.first_superuser else { panic!("there is no link") };
    let token = link.expose().split_once("#token=").unwrap().1;
    let body = json!({ "token": token, "username": "ann", "password": PASSWORD });
    other.post("/api/v1/setup").json(&body).send().expect(201);
    assert!(one.post("/api/v1/setup").json(&body).send().status >= 400);
    assert_eq!(number(&database, "SELECT count(*) FROM users"), 1);
}

#[test]
fn a_server_with_another_secret_key_or_none_does_not_start() {
    let database = empty();
    let _one = on(&database).start();
    let other = on(&database).set("secret_key", "another secret key that only this server has");
    let Err(error) = other.try_start() else { panic!("it started") };
    assert!(error.to_string().contains("all need the same `secret_key`"), "{error}");
    let Err(error) = Server::with().set("database", &database).try_start() else { panic!("it started") };
    assert!(error.to_string().contains("or set `secret_key_file`"), "{error}");
}

#[test]
fn one_of_the_servers_sweeps() {
    let database = empty();
    let swept = || number(&database, "SELECT (extract(epoch FROM believed_at) * 1000)::bigint FROM heartbeat");
    let one = on(&database).manual_clock().start();
    let first = swept();
    one.clock.advance(TimeDelta::minutes(1));
    let other = on(&database).clock(&one.clock).start();
    other.get("/health_check").send().expect(200);
    assert_eq!(swept(), first, "it has just been done");
    one.clock.advance(TimeDelta::minutes(5));
    let _third = on(&database).clock(&one.clock).start();
    until("the third server deletes nothing", || {
        other.get("/health_check").send().expect(200);
        swept() != first
    });
}

#[test]
fn a_long_list_follows_what_other_servers_change() {
    let (database, one, other) = pair();
    let people = "INSERT INTO users (uuid, username, username_folded, password_hash, is_active, is_superuser, create_at, \
         updated_at, username_sort) SELECT gen_random_uuid(), 'u' || n, 'u' || n, 'x', 1, 0, now(), now(), 'u' || n FROM generate_series(1, 3000) n";
    connect(&database).batch_execute(people).unwrap();
    let (admin, found) = (one.admin(), |server: &Server, token: &str, part: &str| {
        let path = format!("/api/v1/users/?search={part}&sort=name");
        server.get(path).bearer(token).send().expect(200).json()
    });
    assert_eq!(found(&one, &admin, "u")["total_count"], 3000);
    let user = found(&one, &admin, "u2999")["users"][0]["id"].as_str().unwrap().to_owned();
    let rename = json!({ "username": "zoe" });
    other.patch(format!("/api/v1/users/{user}")).bearer(&admin).json(&rename).send().expect(200);
    assert_eq!(found(&one, &admin, "zoe")["total_count"], 1);
    assert_eq!(found(&one, &admin, "u2999")["total_count"], 0);
    other.delete(format!("/api/v1/users/{user}")).bearer(&admin).send().expect(200);
    assert_eq!(found(&one, &admin, "zoe")["total_count"], 0);
}
