//! The sign-in form: urlencoded, or multipart.

use serde_json::json;

use crate::support::server::{ADMIN, PASSWORD};
use crate::support::{Response, Server};

const TYPE: &str = "multipart/form-data; boundary=xYz";

/// A part of a multipart form.
fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--xYz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn text(name: &str, content: &str) -> Vec<u8> {
    part(&format!("name=\"{name}\""), content.as_bytes())
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--xYz--\r\n".to_vec()].concat()
}

fn post(server: &Server, content_type: &str, body: impl AsRef<[u8]>) -> Response {
    server.post("/api/v1/login").body(content_type, body).send()
}

#[test]
fn a_multipart_form_signs_in_and_the_last_of_repeated_fields_counts() {
    let server = Server::start();
    let (name, password) = (text("username", ADMIN.0), text("password", ADMIN.1));
    let file = part("name=\"x\"; filename=\"a.bin\"", &[0xff, 0]);
    for parts in [
        vec![name.clone(), password.clone()],
        vec![text("grant_type", ""), file, password.clone(), text("username", "nobody"), name.clone()],
    ] {
        assert_eq!(post(&server, TYPE, form(&parts)).expect(200).json()["token_type"], "bearer");
    }
    let quoted = "Multipart/Form-Data; charset=utf-8; Boundary=\"xYz\"";
    post(&server, quoted, form(&[name.clone(), password.clone()])).expect(200);
    post(&server, TYPE, form(&[password, name, text("username", "nobody")]))
        .refused(401, "Incorrect username or password");
}

#[test]
fn a_multipart_form_that_is_malformed_cut_off_or_too_large_is_refused() {
    let server = Server::start();
    let whole = form(&[text("username", ADMIN.0), text("password", ADMIN.1)]);
    let sentence = "There was an error parsing the body";
    for (content_type, body) in [
        ("multipart/form-data", &whole[..]),
        ("multipart/form-data; boundary=", &whole),
        ("multipart/form-data; boundary=other", &whole),
        (TYPE, &whole[..whole.len() - 6]),
        (TYPE, &form(&[part("filename=\"x\"", b"")])),
    ] {
        post(&server, content_type, body).refused(400, sentence);
    }
    let large = form(&[text("username", ADMIN.0), text("password", &"x".repeat(64 * 1024))]);
    post(&server, TYPE, large).expect(413);
    let ended = std::time::Instant::now();
    // As many incomplete delimiters as fit in.
    post(&server, TYPE, form(&[text("username", &"\r\n--xYz-".repeat(7000))])).expect(422);
    assert!(ended.elapsed().as_secs() < 5);
}

/// As Starlette, which Langflow uses, reads them.
#[test]
fn forms_in_other_charsets_sign_in() {
    let server = Server::start();
    server.add_active(&server.admin(), "zoë €");
    let with = |type_: &str, name: &[u8]| {
        let parts = form(&[part("name=\"username\"", name), text("password", PASSWORD)]);
        post(&server, &format!("{TYPE}{type_}"), parts).status
    };
    assert_eq!(with("", "zoë €".as_bytes()), 200);
    assert_eq!(with("; charset=UTF-8", "zoë €".as_bytes()), 200);
    assert_eq!(with("; charset=iso-8859-1", "zoë €".as_bytes()), 401);
    assert_eq!(with("; charset=\"windows-1252\"", b"zo\xeb \x80"), 200);
    assert_eq!(with("; charset=iso-8859-15", b"zo\xeb \xa4"), 200);

    server.add_active(&server.admin(), "noël");
    for type_ in ["", "; charset=utf-8", "; charset=iso-8859-1", "; charset=us-ascii", "; charset=unknown"] {
        assert_eq!(with(type_, b"no\xebl"), 200, "{type_}");
    }
    let part_head = "name=\"username\"\r\nContent-Type: text/plain; charset=iso-8859-1";
    let parts = form(&[part(part_head, b"no\xebl"), text("password", PASSWORD)]);
    post(&server, TYPE, parts).expect(200);

    let password = format!("&password={}", PASSWORD.replace(' ', "+"));
    let urlencoded = |type_: &str, name: &[u8]| {
        let body = [b"username=", name, password.as_bytes()].concat();
        post(&server, &format!("application/x-www-form-urlencoded{type_}"), body).status
    };
    for type_ in ["", "; charset=utf-8", "; charset=iso-8859-1", "; charset=us-ascii", "; charset=unknown"] {
        // Escapes are UTF-8, whatever the charset.
        assert_eq!(urlencoded(type_, b"no%C3%ABl"), 200, "{type_}");
        assert_eq!(urlencoded(type_, b"no\xebl"), 200, "{type_}");
    }
    assert_eq!(urlencoded("", "noël".as_bytes()), 200);
    assert_eq!(urlencoded("; charset=UTF-8", "noël".as_bytes()), 200);
    assert_eq!(urlencoded("; charset=iso-8859-1", "noël".as_bytes()), 401);
}

#[test]
fn both_content_types_of_the_form_are_described() {
    let server = Server::start();
    let description = server.get("/openapi.json").send().expect(200).json();
    let content = &description["paths"]["/api/v1/login"]["post"]["requestBody"]["content"];
    let types: Vec<&String> = content.as_object().unwrap().keys().collect();
    assert_eq!(types, ["application/x-www-form-urlencoded", "multipart/form-data"]);
    let fields = |content_type: &str| {
        let reference = content[content_type]["schema"]["$ref"].as_str().unwrap();
        let schema = &description["components"]["schemas"][reference.rsplit('/').next().unwrap()];
        (schema["properties"].clone(), schema["required"].clone())
    };
    assert_eq!(fields("application/x-www-form-urlencoded"), fields("multipart/form-data"));
    assert_eq!(fields("multipart/form-data").1, json!(["username", "password"]));
}

#[test]
fn an_empty_field_counts_as_missing_and_a_file_as_invalid() {
    let server = Server::start();
    let missing = |name: &str| json!({"type": "missing", "loc": ["body", name], "msg": "Field required"});
    let urlencoded = "application/x-www-form-urlencoded";
    let faults =
        |content_type: &str, body: &[u8]| post(&server, content_type, body).expect(422).json()["detail"].clone();
    assert_eq!(faults(urlencoded, b"username=&password=x"), json!([missing("username")]));
    assert_eq!(faults(TYPE, &form(&[text("username", "a"), text("password", "")])), json!([missing("password")]));
    assert_eq!(faults(TYPE, b""), json!([missing("username"), missing("password")]));
    assert_eq!(faults("multipart/mixed; boundary=xYz", &form(&[])), json!([missing("username"), missing("password")]));
    let file = part("name=\"username\"; filename=\"\"", b"a");
    let no_text = json!({"type": "string_type", "loc": ["body", "username"], "msg": "Input should be a valid string"});
    assert_eq!(faults(TYPE, &form(&[text("username", "a"), file, text("password", "x")])), json!([no_text]));
    let body = format!("grant_type=&username={}&password={}", ADMIN.0, ADMIN.1.replace(' ', "+"));
    post(&server, urlencoded, body).expect(200);
}
