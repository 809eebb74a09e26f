//! Random requests to every route never cause a server error, and every body is JSON.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::client::Client;
use crate::support::Server;

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
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
    ]
    .prop_map(ToOwned::to_owned)
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

fn body() -> impl Strategy<Value = String> {
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
    prop_oneof![6 => object, 2 => "[ -~]{0,80}", 1 => any::<String>(), 1 => Just(String::new())]
}

#[test]
fn random_requests_get_json_and_no_server_error() {
    let server = Server::with().in_dir(&super::scratch()).start();
    let signed_in = Some(server.admin());
    let method = prop_oneof![
        Just("GET"),
        Just("POST"),
        Just("PATCH"),
        Just("DELETE"),
        Just("PUT"),
        Just("OPTIONS"),
        Just("BREW")
    ];
    let kind = prop_oneof![
        4 => Just("application/json"), 1 => Just("application/x-www-form-urlencoded"), 1 => Just("text/plain"),
        1 => Just(""),
    ];
    let token = prop_oneof![4 => Just(signed_in), 1 => Just(None), 1 => "[!-~]{1,60}".prop_map(Some)];
    let cases = super::long_or("PROPTEST_CASES", 2000);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let client = std::cell::RefCell::new(Client::new(server.address));
    runner
        .run(&(method, path(), kind, body(), token), |(method, path, kind, body, token)| {
            let mut client = client.borrow_mut();
            client.token = token;
            let mut request = client.request(method, &path).raw_body(&body);
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = client.send(request).unwrap();
            prop_assert!((200..500).contains(&answer.status), "{answer:?}");
            let empty = answer.status == 307 || answer.header("content-length") == Some("0");
            let page = answer.header("content-type").is_some_and(|kind| !kind.starts_with("application/json"));
            prop_assert!(
                empty || page || serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok(),
                "{answer:?}"
            );
            prop_assert!(answer.header("x-request-id").is_some(), "{answer:?}");
            Ok(())
        })
        .unwrap();
    println!("{cases} requests");
}
