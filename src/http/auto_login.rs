//! Owns automatic log-in: for one person on one machine, without a password, and only for requests that come straight
//! from that machine.

use actix_web::HttpRequest;

use super::body::Kind;
use super::call::{Call, Input, Source};
use super::caller::Anyone;
use super::cookies::Jar;
use super::error::ApiError;
use super::fault::Faults;
use super::openapi::Operation;
use super::reply::Reply;
use super::schema::{boolean, object, string};
use super::session_start;
use crate::auth::random;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::{Connection, audit, sessions, users};

/// What the person is called where nobody was made before.
const NAME: &str = "local";
/// Headers by which a proxy tells of itself.
const FORWARDING: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

/// Whether the request came straight from this machine.
pub struct Local(bool);

impl Input for Local {
    const BODY: Kind = Kind::None;

    fn read(source: &Source<'_>, _: &mut Faults) -> Option<Self> {
        Some(Self(is_local(source.request)))
    }

    fn describe(_: &mut Operation) {}
}

/// From a loopback address, through no proxy, to a loopback name (another name that leads here is another site's trick,
/// DNS rebinding), and not on another site's behalf.
fn is_local(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let by_loopback = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let proxied = FORWARDING.iter().any(|name| headers.contains_key(*name));
    let foreign = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    by_loopback && !proxied && !foreign && is_loopback_name(host)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The original's refusal, whose `detail` is an object.
pub fn off_schema() -> serde_json::Value {
    let detail = object(&[("message", string(), true), ("auto_login", boolean(), true)]);
    object(&[("detail", detail, true)])
}

pub async fn auto_login(call: Call<Anyone, Local>) -> Result<Reply, ApiError> {
    let Call { app, now, client, input: Local(local), .. } = call;
    if !app.config.auto_login {
        return Err(ApiError::AutoLoginOff);
    }
    if !local {
        return Err(ApiError::AutoLoginNotLocal);
    }
    let newcomer = if app.db.read(person).await?.is_some() {
        None
    } else {
        let unguessable = Secret::new(random::text()?);
        Some((newcomer(now), app.hasher.hash(&unguessable, client.address).await?))
    };
    let (state, address) = (app.clone(), client.address.to_string());
    let started = app.db.write(move |connection| {
        let user = match (person(connection)?, newcomer) {
            (Some(user), _) => user,
            (None, Some((user, hash))) => add(connection, user, &hash, &address, now)?,
            (None, None) => return Err(ApiError::UserGone),
        };
        users::set_last_login(connection, user.id, now)?;
        let session = session_start::new_session(&state, &user, &client, now);
        sessions::insert(connection, &session)?;
        let actor = Actor { id: Some(user.id), name: Some(user.username.to_string()), address: Some(address) };
        let detail = Some("automatic".to_owned());
        audit::record(
            connection,
            &Event { actor, action: Action::LoggedIn, target: None, success: true, detail },
            now,
        )?;
        Ok((user, session, client))
    });
    let (user, session, client) = started.await?;
    Ok(session_start::reply(&app, &session, Some(&user), Jar::new(&app.config, client.https), now))
}

/// Who is signed in: the oldest active superuser.
fn person(connection: &Connection) -> Result<Option<User>, ApiError> {
    Ok(users::first_superuser(connection)?)
}

fn newcomer(now: Timestamp) -> User {
    User::new(Username::parse(NAME).expect("the constant is a name"), true, true, now)
}

fn add(
    connection: &Connection,
    user: User,
    hash: &PasswordHash,
    address: &str,
    now: Timestamp,
) -> Result<User, ApiError> {
    users::insert(connection, &user, hash)?;
    let actor = Actor { id: None, name: None, address: Some(address.to_owned()) };
    let event = super::users::about(actor, Action::SetUp, &user, Some("automatic log-in".to_owned()));
    audit::record(connection, &event, now)?;
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn local(peer: &str, host: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = TestRequest::default().peer_addr(peer.parse().unwrap()).insert_header(("host", host));
        for header in headers {
            request = request.insert_header(*header);
        }
        is_local(&request.to_http_request())
    }

    #[test]
    fn only_requests_straight_from_this_machine_to_a_loopback_name_are_local() {
        assert!(local("127.0.0.1:5", "localhost:7860", &[]));
        assert!(local("[::1]:5", "[::1]:7860", &[]));
        assert!(local("127.0.0.1:5", "127.0.0.1", &[("sec-fetch-site", "same-origin")]));
        assert!(!local("192.0.2.1:5", "localhost", &[]));
        assert!(!local("127.0.0.1:5", "evil.example:7860", &[]));
        assert!(!local("127.0.0.1:5", "", &[]));
        assert!(!local("127.0.0.1:5", "localhost", &[("x-forwarded-for", "127.0.0.1")]));
        assert!(!local("127.0.0.1:5", "localhost", &[("forwarded", "for=127.0.0.1")]));
        assert!(!local("127.0.0.1:5", "localhost", &[("sec-fetch-site", "cross-site")]));
    }
}
