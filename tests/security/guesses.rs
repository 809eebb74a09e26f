//! Guesses that are sent at once: each is counted before its outcome is known.

use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::factors::App;
use crate::support::requests::{ALICE, with_alice};
use crate::support::{Response, Server};

const ENDED: &str = "This sign-in has expired; sign in again";

/// Starts a server with a user who has an authenticator app. Returns the server, a superuser's token, the user's id and
/// the app.
fn enrolled(settings: &[(&str, &str)]) -> (Server, String, String, App) {
    let (server, admin, id) = with_alice(settings);
    let app = server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    server.advance(30);
    (server, admin, id, app)
}

/// Sends these requests at once. Returns each response's status and message.
fn at_once<T: Sync>(inputs: &[T], request: impl Fn(&T) -> Response + Sync) -> Vec<(u16, String)> {
    let sent = |input| {
        let answer = request(input);
        (answer.status, if answer.status == 200 { String::new() } else { answer.detail() })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = inputs.iter().map(|input| scope.spawn(move || sent(input))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn count(answers: &[(u16, String)], status: u16, detail: &str) -> usize {
    answers.iter().filter(|answer| **answer == (status, detail.to_owned())).count()
}

#[test]
fn of_thirty_codes_sent_at_once_five_are_compared() {
    for throttle in ["false", "true"] {
        let (server, ..) = enrolled(&[("throttle", throttle)]);
        let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge");
        let codes: Vec<String> = (0..30).map(|n| format!("{n:06}")).collect();
        let answers = at_once(&codes, |code| server.answer(&challenge, code));
        assert_eq!((count(&answers, 401, "Incorrect code"), count(&answers, 401, ENDED)), (5, 25), "{answers:?}");
    }
}

#[test]
fn after_five_tries_a_right_code_gets_the_same_answer_as_a_wrong_one() {
    let (server, _, id, app) = enrolled(&[("throttle", "false")]);
    let access = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    let recovery = server.recovery_codes(&id, &access, ALICE.1);
    server.advance(30);
    let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge");
    for _ in 0..5 {
        server.answer(&challenge, "000000").refused(401, "Incorrect code");
    }
    for code in ["000000", &server.code(&app), &recovery[0], "no code at all"] {
        server.answer(&challenge, code).refused(401, ENDED);
    }
    assert_eq!(server.factors(&id, &access)["recovery_codes_left"], 10);
}

#[test]
fn of_thirty_passkey_answers_sent_at_once_five_are_checked() {
    let (server, _, id, app) = enrolled(&[("throttle", "false")]);
    let access = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    let passkey = server.add_passkey(&id, &access, ALICE.1);
    let path = "/api/v1/login/second-factor";
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let mut elsewhere = Authenticator { origin: "https://evil.example".to_owned(), ..passkey };
    let wrong: Vec<Value> = (0..30).map(|_| elsewhere.get(&asked["passkey_options"])).collect();
    let answers = at_once(&wrong, |credential| server.send_assertion(path, &asked["challenge"], credential));
    let invalid = "The passkey could not be verified";
    assert_eq!((count(&answers, 401, invalid), count(&answers, 401, ENDED)), (5, 25), "{answers:?}");
}

#[test]
fn answers_of_a_copied_passkey_are_counted() {
    let (server, admin, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let mut passkey = server.add_passkey(&id, &access, ALICE.1);
    let mut copy = passkey.clone();
    for _ in 0..8 {
        server.passkey_login(&mut passkey).expect(200);
    }
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let answers: Vec<String> = (0..6)
        .map(|_| {
            let credential = copy.get(&asked["passkey_options"]);
            let path = "/api/v1/login/second-factor";
            server.send_assertion(path, &asked["challenge"], &credential).expect(401).detail()
        })
        .collect();
    assert!(answers[..5].iter().all(|detail| detail.contains("counter went back")), "{answers:?}");
    assert_eq!(answers[5], ENDED);
    let failed = &server.audit(&admin, "login")[0];
    assert_eq!((&failed["success"], &failed["count"]), (&json!(false), &json!(5)));
}

#[test]
fn codes_sent_at_once_in_a_session_do_not_outrun_the_throttle() {
    let (server, _, id, app) = enrolled(&[]);
    let access = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    let codes: Vec<Value> = (0..40).map(|n| json!({ "code": format!("{n:06}") })).collect();
    let answers = at_once(&codes, |code| server.call("POST", "/api/v1/login/again", &access, code));
    assert_eq!(count(&answers, 400, "Incorrect code"), 16, "{answers:?}");
    // The same for the first code of a new app, from where nothing has failed yet.
    server.advance(24 * 3600);
    let access = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    let path = format!("/api/v1/users/{id}/factors/totp");
    server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 })).expect(201);
    let answers = at_once(&codes, |code| server.call("POST", &format!("{path}/confirm"), &access, code));
    assert_eq!(count(&answers, 400, "Incorrect code"), 16, "{answers:?}");
}

#[test]
fn passwords_with_a_code_sent_at_once_do_not_outrun_the_throttle() {
    let (server, ..) = enrolled(&[]);
    let typed: Vec<String> = (0..40).map(|n| format!("{}{n:06}", ALICE.1)).collect();
    let answers = at_once(&typed, |typed| server.try_login(ALICE.0, typed));
    let compared = count(&answers, 401, "Incorrect username or password");
    assert!((12..=16).contains(&compared), "{answers:?}");
}

#[test]
fn a_code_that_another_sign_in_used_sets_no_password_through_a_reset_link() {
    let (server, admin, id, app) = enrolled(&[("throttle", "false")]);
    for _ in 0..10 {
        let link = server.call("POST", &format!("/api/v1/users/{id}/reset-link"), &admin, &Value::Null).expect(201);
        let token = link.field("link").split_once("#token=").unwrap().1.to_owned();
        let body = json!({ "token": token, "password": "brave-otter-8" });
        let challenge = server.post("/api/v1/reset-password").json(&body).send().expect(401).field("challenge");
        let code = server.code(&app);
        let answers = at_once(&[true, false], |by_link| match by_link {
            true => server.answer(&challenge, &code),
            false => server.try_login(ALICE.0, &format!("{}{code}", ALICE.1)),
        });
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1, "{answers:?}");
        let is_set = server.try_login(ALICE.0, "brave-otter-8").detail() == "Second factor required";
        assert_eq!(is_set, answers[0].0 == 200, "{answers:?}");
        if is_set {
            return;
        }
        server.advance(30);
    }
}
