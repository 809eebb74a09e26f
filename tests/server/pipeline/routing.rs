//! Paths and methods, which are checked before authentication.

use crate::support::Server;

#[test]
fn a_missing_or_extra_slash_redirects_and_keeps_the_query() {
    let server = Server::start();
    for (path, location) in [
        ("/api/v1/users", "/api/v1/users/"),
        ("/api/v1/users?skip=1&limit=2", "/api/v1/users/?skip=1&limit=2"),
        ("/api/v1/users/whoami/", "/api/v1/users/whoami"),
        ("/api/v1/users/x/", "/api/v1/users/x"),
        ("/api/v1/users/x/reset-password/", "/api/v1/users/x/reset-password"),
        ("/api/v1/api_key", "/api/v1/api_key/"),
        ("/health/", "/health"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let answer = server.request(method, path).send().expect(307);
            assert_eq!(answer.header("location"), Some(location), "{method} {path}");
        }
    }
}

#[test]
fn unknown_paths_are_404_for_every_request() {
    let server = Server::start();
    for path in
        ["/nothing", "/api/v1", "/api/v1/", "/API/V1/users/", "/api/v1//users/", "/api/v1/users//", "//", "/%ff"]
    {
        for method in ["GET", "POST", "BREW"] {
            server.request(method, path).body("application/json", "{bad").send().refused(404, "Not Found");
        }
    }
}

#[test]
fn known_paths_list_their_methods() {
    let server = Server::start();
    for (method, path, allowed) in [
        ("PUT", "/api/v1/users/", "POST, GET, HEAD"),
        ("POST", "/api/v1/users/whoami", "GET, PATCH, DELETE, HEAD"),
        ("GET", "/api/v1/login", "POST"),
        ("OPTIONS", "/health", "GET, HEAD"),
        ("BREW", "/api/v1/api_key/", "GET, POST, DELETE, HEAD"),
    ] {
        let answer = server.request(method, path).send().refused(405, "Method Not Allowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[test]
fn a_word_in_place_of_an_id_is_an_invalid_id() {
    let server = Server::start();
    let admin = server.admin();
    for (method, path, fault) in [
        ("PATCH", "/api/v1/users/whoami", "path.user_id uuid_parsing"),
        ("DELETE", "/api/v1/users/whoami", "path.user_id uuid_parsing"),
        ("DELETE", "/api/v1/api_key/store", "path.api_key_id uuid_parsing"),
    ] {
        let answer = server.request(method, path).bearer(&admin).body("application/json", "{}").send();
        assert_eq!(answer.validation_errors(), [fault]);
    }
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    let server = Server::start();
    for path in ["/health", "/health_check", "/api/v1/session", "/openapi.json"] {
        let (head, get) = (server.request("HEAD", path).send(), server.get(path).send());
        assert_eq!((head.status, get.status), (200, 200), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
    assert_eq!(server.request("HEAD", "/api/v1/users/whoami").send().status, 403);
}
