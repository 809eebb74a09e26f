//! Attempts that have begun and not ended yet: they count, and users who sign in many times at once aren't rejected.

use serde_json::json;

use crate::support::Request;
use crate::support::requests::with;
use crate::support::server::ADMIN;
use crate::support::wait::until;

const WRONG: &str = "not-the-password";

/// The statuses of requests that are sent at the same moment.
fn at_once(requests: impl IntoIterator<Item = Request>) -> Vec<u16> {
    std::thread::scope(|scope| {
        let send = |request: Request| scope.spawn(move || request.send().status);
        let threads: Vec<_> = requests.into_iter().map(send).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn parallel_attempts_give_no_more_guesses_than_sequential_ones() {
    // Hashing is slow enough that all requests are pending before the first one fails.
    let server = with(&[]).bcrypt_cost(6).start();
    let guess = |from: &str, name: &str| {
        server.from(from, "POST", "/api/v1/login").form(&[("username", name), ("password", WRONG)])
    };
    let heard = |statuses: Vec<u16>| statuses.into_iter().filter(|status| *status == 401).count();
    let of_pair = at_once((0..40).map(|_| guess("192.0.2.1", "a")));
    assert!((1..=16).contains(&heard(of_pair)));
    let of_account = at_once((0..60).map(|n| guess(&format!("198.51.100.{n}"), "b")));
    assert!((1..=20).contains(&heard(of_account)));
    let of_place = at_once((0..120).map(|n| guess("192.0.2.2", &format!("c{n}"))));
    assert!((1..=80).contains(&heard(of_place)));
    let sign_ups = at_once((0..20).map(|n| {
        let body = json!({"username": format!("d{n}"), "password": "quiet-otter-7"});
        server.from("192.0.2.3", "POST", "/api/v1/users/").json(&body)
    }));
    let made = sign_ups.iter().filter(|status| **status == 201).count();
    assert!((1..=10).contains(&made), "{sign_ups:?}");
    assert_eq!(server.app.throttle.keys_in_flight(), 0, "nothing is kept of what has ended");
}

#[test]
fn parallel_sign_ins_with_the_right_password_all_succeed() {
    let server = with(&[]).bcrypt_cost(6).start();
    let sign_in =
        || server.from("192.0.2.1", "POST", "/api/v1/login").form(&[("username", ADMIN.0), ("password", ADMIN.1)]);
    assert_eq!(at_once((0..30).map(|_| sign_in())), [200; 30]);
}

#[test]
fn a_client_that_disconnects_during_the_hash_counts_as_a_failure() {
    let server = with(&[]).bcrypt_cost(7).start();
    for _ in 0..16 {
        let before = server.app.hasher.hash_count();
        let mut connection = server.connect();
        // Closing with unread data resets the connection.
        connection.write(&server.get("/health").bytes(true));
        connection.wait_for_response();
        let guess = server.from("192.0.2.1", "POST", "/api/v1/login");
        connection.write(&guess.form(&[("username", ADMIN.0), ("password", WRONG)]).bytes(true));
        until("nothing is hashed", || server.app.hasher.hash_count() != before);
        drop(connection);
        until("the attempt doesn\'t end", || server.app.throttle.keys_in_flight() == 0);
    }
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 429);
}
