//! The requests of every row, for usher and for the peers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Failure;
use super::client::{self, Load, request};
use super::peer::{Kind, POCKETBASE_SUPERUSER, Peer};
use super::process::{PASSWORD, SUPERUSER, Server};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// The number of users, apart from the superuser, unless a row needs more.
pub const PEOPLE: usize = 10;

/// A server with its requests: a list for each row, sent in turn.
pub struct Target {
    pub server: Server,
    pub health: Vec<Vec<u8>>,
    pub whoami: Vec<Vec<u8>>,
    pub list: Vec<Vec<u8>>,
    pub patch: Vec<Vec<u8>>,
    pub login: Vec<Vec<u8>>,
    /// The superuser's token.
    pub token: String,
}

impl Target {
    /// usher with its users; missing ones are added.
    pub fn usher(program: &Path, data_dir: &Path, flags: &[&str]) -> Result<Self, Failure> {
        Self::users_api(Server::usher(program, data_dir, flags)?)
    }

    /// usher or Langflow.
    fn users_api(server: Server) -> Result<Self, Failure> {
        let at = server.address;
        let token = usher_token(at, SUPERUSER)?;
        let listed = body(client::once(at, &request("GET", "/api/v1/users/?limit=12", Some(&token), None))?)?;
        if listed["total_count"].as_u64() <= Some(1) {
            let mut number = 0;
            let mut add = |out: &mut Vec<u8>| {
                number += 1;
                let body = json!({ "username": format!("person {number}"), "password": PASSWORD }).to_string();
                out.extend(request("POST", "/api/v1/users/", None, Some((JSON, &body))));
            };
            let load = Load { answers: PEOPLE, ..Load::closed(1, Duration::from_mins(1)) };
            client::run(at, load, &mut add)?;
        }
        let listed = body(client::once(at, &request("GET", "/api/v1/users/?limit=12", Some(&token), None))?)?;
        let people: Vec<(String, String)> =
            items(&listed["users"], "username").filter(|(_, name)| name != SUPERUSER).take(PEOPLE).collect();
        let mut target = Self {
            server,
            health: vec![request("GET", "/health", None, None)],
            whoami: Vec::new(),
            list: vec![request("GET", "/api/v1/users/?limit=10", Some(&token), None)],
            patch: Vec::new(),
            login: Vec::new(),
            token,
        };
        for (id, name) in &people {
            let own = usher_token(at, name)?;
            target.whoami.push(request("GET", "/api/v1/users/whoami", Some(&own), None));
            for picture in ["Fox", "Owl"] {
                let body = json!({ "profile_image": picture }).to_string();
                let path = format!("/api/v1/users/{id}");
                target.patch.push(request("PATCH", &path, Some(&target.token), Some((JSON, &body))));
            }
            target.login.push(request("POST", "/api/v1/login", None, Some((FORM, &usher_form(name)))));
        }
        Ok(target)
    }

    /// A peer with its users.
    pub fn peer(peer: &Peer, data_dir: &Path, usher_flags: &[&str]) -> Result<Self, Failure> {
        let server = peer.start(data_dir, usher_flags)?;
        match peer.kind {
            Kind::PocketBase => Self::pocketbase(server),
            Kind::Langflow | Kind::Usher => Self::users_api(server),
        }
    }

    /// PocketBase, with the closest requests that it has: `whoami` reads the user's own record.
    fn pocketbase(server: Server) -> Result<Self, Failure> {
        let at = server.address;
        let sign_in = |collection: &str, name: &str| {
            let body = json!({ "identity": name, "password": PASSWORD }).to_string();
            request("POST", &format!("/api/collections/{collection}/auth-with-password"), None, Some((JSON, &body)))
        };
        let token = |collection: &str, name: &str| -> Result<String, Failure> {
            text(&body(client::once(at, &sign_in(collection, name))?)?, "token")
        };
        let mut target = Self {
            health: vec![request("GET", "/api/health", None, None)],
            whoami: Vec::new(),
            list: Vec::new(),
            patch: Vec::new(),
            login: Vec::new(),
            token: token("_superusers", POCKETBASE_SUPERUSER)?,
            server,
        };
        let records = "/api/collections/users/records";
        let asks = |method, path: &str, token: &str, body: Option<&str>| {
            request(method, path, Some(token), body.map(|body| (JSON, body)))
        };
        for number in 0..PEOPLE {
            let name = format!("person{number}@example.com");
            let person = json!({ "email": name, "password": PASSWORD, "passwordConfirm": PASSWORD }).to_string();
            let made = body(client::once(at, &asks("POST", records, &target.token, Some(&person)))?)?;
            let path = format!("{records}/{}", text(&made, "id")?);
            target.whoami.push(asks("GET", &path, &token("users", &name)?, None));
            for picture in ["Fox", "Owl"] {
                let body = json!({ "name": picture }).to_string();
                target.patch.push(asks("PATCH", &path, &target.token, Some(&body)));
            }
            target.login.push(sign_in("users", &name));
        }
        target.list.push(asks("GET", &format!("{records}?perPage=10"), &target.token, None));
        Ok(target)
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }
}

/// Sends these requests in turn.
pub fn in_turn(requests: &[Vec<u8>]) -> impl FnMut(&mut Vec<u8>) + '_ {
    let mut all = requests.iter().cycle();
    move |out| out.extend(all.next().into_iter().flatten())
}

/// Sign-ins of one user after another, each as if from one of eight addresses behind a trusted proxy.
pub fn from_many_places(requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let from = |place: usize, request: &Vec<u8>| {
        let text = String::from_utf8_lossy(request);
        text.replacen("Host:", &format!("X-Forwarded-For: 192.0.2.{place}\r\nHost:"), 1).into_bytes()
    };
    (0..8 * requests.len()).map(|number| from(number % 8 + 1, &requests[number % requests.len()])).collect()
}

fn usher_form(name: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("username", name)
        .append_pair("password", PASSWORD)
        .finish()
}

fn usher_token(at: SocketAddr, name: &str) -> Result<String, Failure> {
    let request = request("POST", "/api/v1/login", None, Some((FORM, &usher_form(name))));
    text(&body(client::once(at, &request)?)?, "access_token")
}

/// The JSON of a successful response.
pub fn body((status, answer): (u16, String)) -> Result<Value, Failure> {
    if !(200..300).contains(&status) {
        return Err(format!("unexpected answer: {answer}").into());
    }
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    // In a chunked body, as peers send it, the JSON is between the first and the last brace.
    let json = body.find('{').zip(body.rfind('}')).map(|(from, to)| &body[from..=to]).ok_or("no JSON")?;
    Ok(serde_json::from_str(json)?)
}

fn text(value: &Value, field: &str) -> Result<String, Failure> {
    Ok(value[field].as_str().ok_or_else(|| format!("no {field} in {value}"))?.to_owned())
}

fn items<'a>(list: &'a Value, name: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let of = move |item: &Value| Some((item["id"].as_str()?.to_owned(), item[name].as_str()?.to_owned()));
    list.as_array().into_iter().flatten().filter_map(of)
}
