//! Invalid bodies get a 4xx with JSON, and the server answers the next request.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::Server;
use crate::support::server::ADMIN;

#[test]
fn invalid_bodies_are_refused_and_the_server_works_on() {
    let server = Server::start();
    let admin = server.admin();
    let big = vec![b'a'; 10_000_000];
    let deep = "[".repeat(60_000);
    let long = json!({"username": "n".repeat(8192), "password": "quiet-otter-7"}).to_string();
    let bodies: [(&[u8], u16); 10] = [
        (b"{\"username\": \"a\"", 422),
        (&big, 413),
        (deep.as_bytes(), 400),
        (b"\"\xff\xfe\"", 400),
        (b"\0\0\0", 422),
        (b"\"\\ud800\"", 422),
        (b"{\"username\": NaN}", 422),
        (b"[]", 422),
        (b"\xff\xfe{\0}\0", 400),
        (b"", 422),
    ];
    for body in [b"{\"username\": \"a\\u0000b\", \"password\": \"quiet-otter-7\"}", long.as_bytes()] {
        server.post("/api/v1/users/").body("application/json", body).send().expect(400);
    }
    for (body, status) in bodies {
        for path in ["/api/v1/users/", "/api/v1/setup"] {
            let answer = server.post(path).body("application/json", body).send().expect(status);
            assert!(!answer.json()["detail"].is_null());
        }
        let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
        let login = server.post("/api/v1/login").body("application/x-www-form-urlencoded", body).send();
        assert!((400..500).contains(&login.status), "{shown}");
        assert_eq!(server.post("/nothing").body("application/json", body).send().status, 404, "{shown}");
        assert_eq!(server.whoami(&admin).status, 200, "{shown}");
    }
}

#[test]
fn an_incomplete_body_is_refused() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.write(b"POST /api/v1/users/ HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{\"a\":");
    connection.half_close();
    assert_eq!(connection.read(false).unwrap().status, 400);
}

#[test]
fn chunked_bodies_are_read_and_malformed_chunks_are_refused() {
    let server = Server::start();
    let send = |chunks: &[u8]| {
        let mut connection = server.connect();
        connection.write(b"POST /api/v1/users/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        connection.write(chunks);
        connection.read(false).unwrap()
    };
    let body = json!({"username": "alice", "password": "quiet-otter-7"}).to_string();
    let (a, b) = body.split_at(10);
    assert_eq!(send(format!("{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", a.len(), b.len()).as_bytes()).status, 201);
    assert_eq!(send(b"zz\r\n{}\r\n").status, 400);
}

#[test]
fn bodies_over_64_kib_are_refused() {
    let server = Server::start();
    let padded = |bytes: usize| {
        let body = json!({"username": "alice", "password": "quiet-otter-7"}).to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    server.post("/api/v1/users/").body("application/json", padded(65_537)).send().expect(413);
    server.post("/api/v1/users/").body("application/json", padded(65_536)).send().expect(201);
}

#[test]
fn a_requests_time_is_its_arrival_even_with_a_slow_body() {
    let server = Server::with().manual_clock().start();
    let arrived = server.clock.now();
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/api_key/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {admin}\r\nexpect: 100-continue\r\n\
         content-length: 2\r\n\r\n"
    );
    connection.write(head.as_bytes());
    // The server sends this once the handler has started.
    connection.read_continue();
    server.clock.advance(TimeDelta::days(1));
    connection.write(b"{}");
    connection.read(false).unwrap().expect(200);
    let created: chrono::DateTime<chrono::Utc> = server.query("SELECT created_at FROM api_keys");
    assert_eq!(created, arrived, "the token was valid when the request arrived");
}
