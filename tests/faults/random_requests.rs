//! Random requests to every route never cause a server error, and every body is JSON. An error has a `detail`.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::client::Client;
use crate::support::{Response, Server};

fn segment() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just("users"),
        Just("whoami"),
        Just("login"),
        Just("logout"),
        Just("refresh"),
        Just("session"),
        Just("sessions"),
        Just("api_key"),
        Just("store"),
        Just("audit"),
        Just("setup"),
        Just("reset-password"),
        Just("auto_login"),
        Just(""),
        Just(".."),
        Just("%00"),
        Just("%ff"),
        Just("%2F"),
        Just("~"),
        Just("00000000-0000-0000-0000-000000000000"),
        Just("urn:uuid:00000000000000000000000000000000"),
    ];
    prop_oneof![9 => known.prop_map(ToOwned::to_owned), 1 => "[a-z0-9%:.;-]{0,12}"]
}

fn path() -> impl Strategy<Value = String> {
    let query = prop_oneof![
        Just(String::new()),
        "\\?(skip|limit|search|user|x-api-key)=[-+0-9a-zA-Z.%&=]{0,24}",
        // The characters of a query (RFC 3986, section 3.4). Others are invalid HTTP and don't reach routing.
        "\\?[-!$%&'()*+,./0-9:;=?@A-Z_a-z~]{0,40}",
    ];
    (prop_oneof![4 => Just("/api/v1"), 1 => Just("")], prop::collection::vec(segment(), 1..4), any::<bool>(), query)
        .prop_map(|(base, parts, slash, query)| {
            format!("{base}/{}{}{query}", parts.join("/"), if slash { "/" } else { "" })
        })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e400".to_owned()),
        Just("\"\"".to_owned()),
        Just("[[]]".to_owned()),
        Just("{\"a\":{}}".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        "-?[0-9]{1,40}(\\.[0-9]{1,9})?".prop_map(|number| number),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        "[0-9:TZ.+-]{0,32}".prop_map(|text| format!("\"{text}\"")),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        Just("username"),
        Just("password"),
        Just("profile_image"),
        Just("is_active"),
        Just("is_superuser"),
        Just("last_login_at"),
        Just("current_password"),
        Just("name"),
        Just("expires_at"),
        Just("api_key"),
        Just("token"),
        Just("grant_type"),
    ];
    let object = prop::collection::vec((field, value()), 0..5).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    let form = "(username|password|grant_type|&|=|%[0-9a-g]{2}|[a-z]){0,20}";
    let text = prop_oneof![6 => object, 2 => form, 2 => "[ -~]{0,80}", 1 => any::<String>(), 1 => Just(String::new())];
    prop_oneof![9 => text.prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// Who sends a request.
#[derive(Clone, Debug)]
enum Caller {
    Superuser,
    Nobody,
    /// Somebody with this token.
    Token(String),
}

fn invalid(answer: &Response) -> TestCaseError {
    TestCaseError::fail(format!("no JSON: {answer:?}"))
}

#[test]
fn random_requests_get_json_and_no_server_error() {
    let server = Server::with().set("signup", "open").in_dir(&super::scratch()).start();
    let method = prop_oneof![
        Just("GET"),
        Just("POST"),
        Just("PATCH"),
        Just("DELETE"),
        Just("PUT"),
        Just("HEAD"),
        Just("OPTIONS"),
        Just("BREW")
    ];
    let kind = prop_oneof![
        4 => Just("application/json"), 1 => Just("application/x-www-form-urlencoded"), 1 => Just("text/plain"),
        1 => Just(""),
    ];
    let caller = prop_oneof![
        4 => Just(Caller::Superuser), 1 => Just(Caller::Nobody), 1 => "[!-~]{1,60}".prop_map(Caller::Token),
    ];
    let cases = super::long_or("PROPTEST_CASES", 2000);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let state = RefCell::new((Client::new(server.address), server.admin()));
    runner
        .run(&(method, path(), kind, body(), caller), |(method, path, kind, body, caller)| {
            let (client, access) = &mut *state.borrow_mut();
            client.token = match &caller {
                Caller::Superuser => Some(access.clone()),
                Caller::Nobody => None,
                Caller::Token(token) => Some(token.clone()),
            };
            let mut request = client.request(method, &path).raw_body(&body);
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = client.send(request).unwrap();
            prop_assert!((200..500).contains(&answer.status), "{answer:?}");
            let is_page = answer.header("content-type").is_some_and(|kind| !kind.starts_with("application/json"));
            if !answer.body.is_empty() && !is_page {
                let body: serde_json::Value = serde_json::from_slice(&answer.body).map_err(|_| invalid(&answer))?;
                prop_assert!(answer.status < 400 || !body["detail"].is_null(), "{answer:?}");
            }
            prop_assert!(answer.header("x-request-id").is_some(), "{answer:?}");
            if answer.status == 401 && matches!(caller, Caller::Superuser) {
                // A request before has ended the session.
                *access = server.admin();
            }
            Ok(())
        })
        .unwrap();
    server.get("/health_check").send().expect(200);
    println!("{cases} requests");
}
