//! `GET /api/v1/session`: the user who is signed in.

use crate::support::Server;

#[test]
fn the_session_is_found_by_token_and_by_cookie() {
    let server = Server::start();
    let access = server.admin();
    let session = |request: crate::support::Request| request.send().expect(200).json();
    let by_token = session(server.get("/api/v1/session").bearer(&access));
    let by_cookie = session(server.get("/api/v1/session").cookie("access_token_lf", &access));
    assert_eq!(by_token, by_cookie);
    assert_eq!((&by_token["authenticated"], &by_token["user"]["username"]), (&true.into(), &"admin".into()));
}

#[test]
fn the_session_has_no_store_key() {
    let server = Server::start();
    let access = server.admin();
    let stored = serde_json::json!({ "api_key": "store-secret" });
    server.post("/api/v1/api_key/store").bearer(&access).json(&stored).send().expect(200);
    let session = server.get("/api/v1/session").bearer(&access).send().expect(200).json();
    assert_eq!((&session["store_api_key"], &session["user"]["store_api_key"]), (&().into(), &().into()));
}

#[test]
fn without_a_valid_token_the_session_is_empty() {
    let server = Server::start();
    for request in [server.get("/api/v1/session"), server.get("/api/v1/session").cookie("access_token_lf", "x")] {
        let answer = request.send().expect(200).json();
        assert_eq!((&answer["authenticated"], &answer["user"]), (&false.into(), &serde_json::Value::Null));
    }
}
