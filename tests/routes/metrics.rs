//! `/metrics`: contents, access, and bounded labels.

use std::collections::BTreeMap;

use needs::needs;
use serde_json::json;

use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvw";

fn measured() -> Server {
    Server::with().set("metrics", "true").set("metrics_token", TOKEN).start()
}

/// Every sample with its labels, such as `usher_users{state="active"}`, with its value rounded down.
#[track_caller]
fn read(server: &Server) -> BTreeMap<String, u64> {
    let answer = server.get("/metrics").bearer(TOKEN).send().expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(name, value)| (name.to_owned(), value.split('.').next().unwrap().parse().unwrap())).collect()
}

fn requests(route: &str, method: &str, status: u16) -> String {
    format!("usher_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
}

#[test]
fn without_the_setting_the_metrics_route_does_not_exist() {
    let server = Server::start();
    for request in [server.get("/metrics"), server.get("/metrics").bearer(&server.admin())] {
        request.send().refused(404, "Not Found");
    }
}

#[test]
fn metrics_need_a_superuser_or_the_metrics_token() {
    let server = measured();
    let admin = server.admin();
    let (_, member) = server.member(&admin, "erika");
    server.get("/metrics").send().expect(403);
    server.get("/metrics").bearer(&member.access).send().refused(403, "The user doesn't have enough privileges");
    for wrong in [&TOKEN[1..], "", &format!("{TOKEN}x"), "Bearer"] {
        let answer = server.get("/metrics").bearer(wrong).send();
        assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
    }
    server.get(format!("/metrics?metrics_token={TOKEN}")).send().expect(403);
    server.get("/metrics").key(TOKEN).send().expect(403);
    server.get("/metrics").bearer(&admin).send().expect(200);
    server.get("/metrics").key(&server.create_key(&admin, "prometheus").1).send().expect(200);
    server.request("HEAD", "/metrics").bearer(TOKEN).send().expect(200);
    // The token is valid for this route only.
    server.get("/api/v1/users/").bearer(TOKEN).send().refused(401, "Could not validate credentials");
    // Without a token, only superusers can read metrics.
    let server = Server::with().set("metrics", "true").start();
    server.get("/metrics").bearer(TOKEN).send().expect(401);
    server.get("/metrics").bearer(&server.admin()).send().expect(200);
}

#[test]
fn requests_are_counted_by_route_and_status_and_timed() {
    let server = measured();
    let admin = server.admin();
    let whoami = "/api/v1/users/whoami";
    for _ in 0..3 {
        server.whoami(&admin).expect(200);
    }
    server.whoami("wrong").expect(401);
    server.request("HEAD", whoami).bearer(&admin).send().expect(200);
    let path = "/api/v1/users/{user_id}";
    server.get("/api/v1/users/6b1a1c9e-0000-4000-8000-000000000000").bearer(&admin).send().expect(404);
    server.patch("/api/v1/users/whoami").bearer(&admin).json(&json!({})).send().expect(422);
    server.get("/nowhere").send().expect(404);
    server.request("PURGE", whoami).send().expect(405);
    server.get("/api/v1/users").send().expect(307);
    let found = read(&server);
    for (name, count) in [
        (requests(whoami, "GET", 200), 4),
        (requests(whoami, "GET", 401), 1),
        (requests(path, "GET", 404), 1),
        (requests(path, "PATCH", 422), 1),
        (requests("none", "other", 404), 1),
        (requests("none", "other", 405), 1),
        (requests("none", "other", 307), 1),
        (format!("usher_http_request_duration_seconds_count{{route=\"{whoami}\",method=\"GET\"}}"), 5),
        (format!("usher_http_request_duration_seconds_bucket{{route=\"{whoami}\",method=\"GET\",le=\"+Inf\"}}"), 5),
    ] {
        assert_eq!(found.get(&name), Some(&count), "{name}");
    }
    // This request isn't counted yet.
    assert_eq!(found.get(&requests("/metrics", "GET", 200)), None);
    assert_eq!(read(&server).get(&requests("/metrics", "GET", 200)), Some(&1));
}

#[test]
fn client_input_never_becomes_a_label() {
    let server = measured();
    let before = || read(&server).len();
    server.get("/somewhere").send();
    server.request("PURGE", "/health").send();
    read(&server);
    let count = before();
    let mut connection = server.connect();
    for n in 0..1000 {
        let request = match n % 4 {
            0 => server.get(format!("/mallory/{n}")),
            1 => server.request(&format!("PURGE{n}"), "/health"),
            2 => server.get(format!("/mallory-{n}?x-api-key=mallory")).header("host", format!("mallory{n}.example")),
            _ => server.get("/somewhere").header("user-agent", format!("mallory {n}")),
        };
        request.send_on(&mut connection);
    }
    server.try_login("mallory", "mallory");
    let text = server.get("/metrics").bearer(TOKEN).send().text();
    let login = "/api/v1/login";
    let new = text.lines().filter(|line| !line.starts_with('#') && !line.contains(login)).count();
    assert_eq!(new, count, "{text}");
    for word in ["mallory", "PURGE", "127.0.0.1", ADMIN.0] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn sign_ins_are_counted_by_outcome() {
    let server = Server::with().set("metrics", "true").set("metrics_token", TOKEN).set("throttle", "true");
    let server = server.set("auto_login", "true").manual_clock().start();
    let admin = server.admin();
    let erika = json!({ "username": "erika", "password": PASSWORD });
    server.post("/api/v1/users/").bearer(&admin).json(&erika).send().expect(201);
    server.try_login("erika", PASSWORD).expect(400);
    server.try_login(ADMIN.0, "wrong").expect(401);
    server.try_login("nobody", "wrong").expect(401);
    for _ in 0..17 {
        server.try_login("nobody", "wrong");
    }
    server.get("/api/v1/auto_login").send().expect(200);
    server.get("/api/v1/auto_login").header("via", "1.1 proxy").send().expect(403);
    let found = read(&server);
    let count =
        |kind: &str, outcome: &str| found[&format!("usher_logins_total{{kind=\"{kind}\",outcome=\"{outcome}\"}}")];
    assert_eq!(count("password", "success"), 1);
    assert_eq!(count("password", "inactive"), 1);
    assert_eq!(count("password", "refused") + count("password", "throttled"), 19);
    assert!(count("password", "throttled") >= 2);
    assert_eq!((count("automatic", "success"), count("automatic", "refused")), (1, 1));
    // A sign-in hashes once; a throttled one doesn't hash. The superuser's and Erika's passwords were hashed before.
    assert_eq!(found["usher_hashes_total"], 2 + 2 + count("password", "refused"));
    assert_eq!(found["usher_hashing_wait_seconds_count"], found["usher_hashes_total"]);
    assert_eq!((found["usher_hashing_queue_length"], found["usher_hashing_refused_total"]), (0, 0));
}

#[needs(sqlite)]
#[test]
fn metrics_count_sessions_accounts_writes_and_database_size() {
    let server = measured();
    let admin = server.admin();
    server.login(ADMIN.0, ADMIN.1);
    server.sign_up("erika");
    let before = read(&server);
    assert_eq!(before["usher_sessions"], 2);
    assert_eq!(before["usher_users{state=\"active\"}"], 1);
    assert_eq!(before["usher_users{state=\"waiting\"}"], 1);
    let file = std::fs::metadata(server.data_dir().join("usher.db")).unwrap().len();
    // Rows since the last checkpoint are in the write-ahead log.
    assert!(before["usher_database_bytes{file=\"database\"}"] >= file, "{before:?}");
    assert!(before["usher_database_bytes{file=\"log\"}"] > 0);
    assert!(before["usher_write_batch_size_count"] > 0);
    assert!(before["usher_write_batch_size_sum"] >= before["usher_write_batch_size_count"]);
    assert_eq!(before["usher_write_batch_seconds_count"], before["usher_write_batch_size_count"]);
    assert_eq!(before["usher_writes_failed_total"], 0);
    server.post("/api/v1/logout").bearer(&admin).send().expect(200);
    let after = read(&server);
    assert_eq!(after["usher_sessions"], 1);
    assert!(after["usher_write_batch_size_sum"] > before["usher_write_batch_size_sum"]);
    let version = concat!("usher_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(after[version], 1);
}

#[test]
fn a_stopped_database_does_not_hide_other_metrics() {
    let server = measured();
    server.app.db.close();
    let found = read(&server);
    assert!(found.contains_key("usher_hashes_total") && !found.contains_key("usher_sessions"));
}
