//! The responses to a proxy's verify requests.

use chrono::TimeDelta;
use serde_json::json;

use crate::sites::{COOKIE, as_navigation, enter, guarding, proxy_request, token, verify};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const APP: &str = "https://app.example.org/a?b=c%20d&e=f";
/// The sign-in page, which returns to [`APP`].
const SIGN_IN: &str = "https://auth.example.org/?return_to=https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%2520d%26e%3Df";

#[test]
fn without_rules_the_routes_do_not_exist() {
    let server = Server::with().set("trusted_proxies", "127.0.0.1").start();
    let admin = server.admin();
    verify(&server, APP, "x").refused(404, "Not Found");
    enter(&server, &admin, APP).refused(404, "Not Found");
    let out = server.post("/api/v1/logout").bearer(&admin).send().expect(200);
    assert_eq!(out.set_cookie("usher_entry").or(out.set_cookie(COOKIE)), None);
}

#[test]
fn browsers_are_redirected_to_sign_in_and_programs_get_401() {
    let server = guarding().start();
    let browser = as_navigation(proxy_request(&server, APP)).send().expect(302);
    assert_eq!(browser.header("location"), Some(SIGN_IN));
    assert_eq!((browser.header("cache-control"), browser.body.len()), (Some("no-store"), 0));
    let program = proxy_request(&server, APP).send().refused(401, "Sign in to enter this site");
    assert_eq!((program.header("location"), program.header("www-authenticate")), (None, Some("ApiKey")));
    // A form can't be sent again, so sign-in returns to the site's first page.
    let form = server.get("/api/v1/verify").header("X-Forwarded-Proto", "https").header("X-Forwarded-Uri", "/form");
    let form = form.header("X-Forwarded-Host", "app.example.org").header("X-Forwarded-Method", "POST");
    let location = as_navigation(form).send().expect(303).header("location").unwrap().to_owned();
    assert_eq!(location, "https://auth.example.org/?return_to=https%3A%2F%2Fapp.example.org%2F");
}

#[test]
fn nginx_gets_401_or_403_with_the_redirect_address() {
    let server = guarding().start();
    let ask = || server.get("/api/v1/verify").header("X-Original-URL", APP).header("X-Original-Method", "GET");
    let browser = as_navigation(ask()).send().refused(401, "Sign in to enter this site");
    assert_eq!(browser.header("location"), Some(SIGN_IN));
    assert_eq!(ask().send().expect(401).header("location"), None);
    let (_, alice) = server.member(&server.admin(), "alice");
    let token = token(&server, &alice.access);
    assert_eq!(ask().cookie(COOKIE, &token).send().expect(200).header("remote-user"), Some("alice"));
    let ask =
        || server.get("/api/v1/verify").header("X-Original-URL", "https://admin.example.org/").cookie(COOKIE, &token);
    let there = "https://auth.example.org/?return_to=https%3A%2F%2Fadmin.example.org%2F";
    let closed = as_navigation(ask()).send().refused(403, "You aren't allowed to enter this site");
    assert_eq!(closed.header("location"), Some(there));
    assert_eq!(ask().send().refused(403, "You aren't allowed to enter this site").header("location"), None);
}

#[test]
fn an_allowed_request_gets_name_id_and_groups() {
    let server = guarding().start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let entered = enter(&server, &alice.access, APP).expect(200);
    assert_eq!(entered.json(), json!({ "location": APP }));
    let cookie = entered.set_cookie(COOKIE).unwrap();
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(value.len(), COOKIE.len() + 1 + 43);
    assert!(
        ["604799", "604800"].iter().any(|seconds| {
            attributes == format!("Domain=example.org; Max-Age={seconds}; Path=/; SameSite=Lax; HttpOnly; Secure")
        }),
        "{attributes}"
    );
    let let_in = verify(&server, APP, entered.cookie(COOKIE).unwrap()).expect(200);
    let header = |name: &str| let_in.header(name).map(ToOwned::to_owned);
    assert_eq!(header("remote-user").as_deref(), Some("alice"));
    assert_eq!(header("remote-user-id"), Some(id));
    assert_eq!(header("remote-groups").as_deref(), Some("users"));
    assert!(let_in.body.is_empty());
    let root = verify(&server, APP, &token(&server, &admin)).expect(200);
    assert_eq!(root.header("remote-groups"), Some("users,superusers"));
}

#[test]
fn names_are_encoded_in_headers_unambiguously() {
    let server = guarding().start();
    let admin = server.admin();
    for (name, header) in [
        ("jörg", "j%C3%B6rg"),
        ("ann@example.org", "ann@example.org"),
        ("a-b_c.d~e", "a-b_c.d~e"),
        ("Ada Lovelace", "Ada%20Lovelace"),
        ("root,eve", "root%2Ceve"),
        ("100%2Ceve", "100%252Ceve"),
        ("<b>\"x\"; y=z", "%3Cb%3E%22x%22%3B%20y%3Dz"),
        ("李小龙", "%E6%9D%8E%E5%B0%8F%E9%BE%99"),
    ] {
        let (_, tokens) = server.member(&admin, name);
        let token = token(&server, &tokens.access);
        assert_eq!(verify(&server, APP, &token).expect(200).header("remote-user"), Some(header));
    }
}

#[test]
fn an_api_key_grants_access_only_in_its_header() {
    let server = guarding().start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let (_, key) = server.create_key(&alice.access, "script");
    assert_eq!(proxy_request(&server, APP).key(&key).send().expect(200).header("remote-user"), Some("alice"));
    proxy_request(&server, "https://admin.example.org/")
        .key(&key)
        .send()
        .refused(403, "You aren't allowed to enter this site");
    proxy_request(&server, APP).key("sk-wrong").send().expect(401);
    proxy_request(&server, APP).bearer(&key).send().expect(401);
    // The site's own API key doesn't override a valid cookie.
    let token = token(&server, &alice.access);
    proxy_request(&server, APP).cookie(COOKIE, &token).key("a key of the site's own").send().expect(200);
    enter_by_key(&server, &key);
    let off = json!({ "is_active": false });
    server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&off).send().expect(200);
    proxy_request(&server, APP).key(&key).send().expect(401);
}

fn enter_by_key(server: &Server, key: &str) {
    let wish = json!({ "return_to": APP });
    let refused = server.post("/api/v1/enter").key(key).json(&wish).send();
    refused.refused(403, "An API key can't open other sites in a browser; sign in instead");
}

#[test]
fn api_tokens_and_site_tokens_are_not_interchangeable() {
    let server = guarding().start();
    let (id, alice) = server.member(&server.admin(), "alice");
    let token = token(&server, &alice.access);
    for other in [&alice.access, &alice.refresh] {
        verify(&server, APP, other).expect(401);
        proxy_request(&server, APP).bearer(other).send().expect(401);
    }
    proxy_request(&server, APP).cookie("access_token_lf", &alice.access).send().expect(401);
    proxy_request(&server, APP).cookie("refresh_token_lf", &alice.refresh).send().expect(401);

    let user = format!("/api/v1/users/{id}");
    for path in ["/api/v1/users/whoami", user.as_str(), "/api/v1/sessions", "/api/v1/api_key/"] {
        server.get(path).cookie(COOKIE, &token).send().expect(403);
        server.get(path).bearer(&token).send().expect(401);
        server.get(path).key(&token).send().expect(403);
    }
    let session = server.get("/api/v1/session").cookie(COOKIE, &token).send().expect(200).json();
    assert_eq!(session["authenticated"], false);
    for name in [COOKIE, "refresh_token_lf"] {
        server.post("/api/v1/refresh").cookie(name, &token).send().expect(401);
    }
    let wish = json!({ "return_to": APP });
    server.post("/api/v1/enter").cookie(COOKIE, &token).json(&wish).send().expect(403);
    // Only the name with the prefix counts: other sites can set one without it.
    proxy_request(&server, APP).cookie("usher_entry", &token).send().expect(401);
    verify(&server, APP, &token).expect(200);
}

#[test]
fn injected_cookies_are_ignored_or_refused_if_valid() {
    let server = guarding().start();
    let admin = server.admin();
    let (_, alice) = server.member(&admin, "alice");
    let (mine, other) = (token(&server, &alice.access), token(&server, &alice.access));
    let foreign = token(&server, &admin);
    let both = |first: &str, second: &str| {
        proxy_request(&server, APP).header("Cookie", format!("{COOKIE}={first}; a=b; {COOKIE}={second}")).send()
    };
    for (first, second) in [("evil", mine.as_str()), (&mine, "evil"), (&mine, &other), (&mine, &mine)] {
        assert_eq!(both(first, second).expect(200).header("remote-user"), Some("alice"));
    }
    both(&mine, &foreign).expect(401);
    both(&foreign, &mine).expect(401);
    let many: Vec<String> = (0..20).map(|n| format!("{COOKIE}=x{n}")).collect();
    proxy_request(&server, APP).header("Cookie", format!("{}; {COOKIE}={mine}", many.join("; "))).send().expect(401);
}

#[test]
fn another_applications_non_ascii_cookie_hides_nothing() {
    let server = guarding().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let token = token(&server, &alice.access);
    let odd = [b"name=J\xf6rg; ".as_slice(), COOKIE.as_bytes(), b"=", token.as_bytes(), b"; \xff=\xc3"].concat();
    proxy_request(&server, APP).header("Cookie", odd).send().expect(200);
}

#[test]
fn a_host_only_cookie_has_a_name_no_other_host_can_set() {
    let server = guarding().set("cookie_domain", "").set("forward_auth", "auth.example.org:* = signed-in");
    let server = server.set("allow_sites_on_own_host", "true").start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let entered = enter(&server, &alice.access, "https://auth.example.org:8443/").expect(200);
    let token = entered.cookie("__Host-usher_entry").unwrap();
    let proxy_request = || proxy_request(&server, "https://auth.example.org:8443/");
    proxy_request().cookie("__Host-usher_entry", token).send().expect(200);
    for name in ["usher_entry", COOKIE, "__host-usher_entry"] {
        proxy_request().cookie(name, token).send().expect(401);
    }
}

#[test]
fn ending_a_session_closes_every_site_at_once() {
    let server = guarding().manual_clock().start();
    let admin = server.admin();
    let new = json!({ "password": "another one 7", "current_password": PASSWORD });
    let ends =
        ["logout", "end all", "superuser", "off", "password", "superuser's password", "link", "deletion", "time"];
    for (n, how) in ends.iter().enumerate() {
        let (id, tokens) = server.member(&admin, &format!("user{n}"));
        let (user, token) = (format!("/api/v1/users/{id}"), token(&server, &tokens.access));
        verify(&server, APP, &token).expect(200);
        let by_admin = |json| drop(server.patch(&user).bearer(&admin).json(json).send().expect(200));
        match *how {
            "logout" => drop(server.post("/api/v1/logout").bearer(&tokens.access).send().expect(200)),
            "end all" => drop(server.delete("/api/v1/sessions").bearer(&tokens.access).send().expect(200)),
            "superuser" => drop(server.delete(format!("{user}/sessions")).bearer(&admin).send().expect(200)),
            "off" => by_admin(&json!({ "is_active": false })),
            "password" => {
                let own = server.patch(format!("{user}/reset-password")).bearer(&tokens.access).json(&new).send();
                own.expect(200);
                // The session lives on and can get another site token.
                self::token(&server, &tokens.access);
            }
            "superuser's password" => by_admin(&json!({ "password": "another one 7" })),
            "link" => {
                let made = server.post(format!("{user}/reset-link")).bearer(&admin).json(&json!({})).send().expect(201);
                let secret = made.json()["link"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
                let use_it = json!({ "token": secret, "password": "another one 7" });
                server.post("/api/v1/reset-password").json(&use_it).send().expect(200);
            }
            "deletion" => drop(server.delete(&user).bearer(&admin).send().expect(200)),
            _ => server.clock.advance(TimeDelta::days(7)),
        }
        assert_eq!(verify(&server, APP, &token).status, 401, "{how}");
    }
}

#[test]
fn signing_out_ends_the_sent_site_token_even_of_another_session() {
    let server = guarding().start();
    let (_, here) = server.member(&server.admin(), "alice");
    let there = server.login("alice", PASSWORD);
    let (mine, others) = (token(&server, &here.access), token(&server, &there.access));
    let cookies = format!("refresh_token_lf={}; {COOKIE}={others}", here.refresh);
    let out = server.post("/api/v1/logout").header("Cookie", cookies).send().expect(200);
    assert_eq!(
        out.set_cookie(COOKIE),
        Some("__Secure-usher_entry=; Domain=example.org; Max-Age=0; Path=/; SameSite=Lax; HttpOnly; Secure")
    );
    verify(&server, APP, &mine).expect(401);
    verify(&server, APP, &others).expect(401);
    server.whoami(&there.access).expect(200);
}

#[test]
fn a_newer_site_token_replaces_older_ones() {
    let server = guarding().manual_clock().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let first = token(&server, &alice.access);
    server.clock.advance(TimeDelta::seconds(60));
    // Two tabs at once: each response's token must stay valid, as the browser keeps one of them.
    let (second, third) = (token(&server, &alice.access), token(&server, &alice.access));
    server.clock.advance(TimeDelta::seconds(29));
    assert_eq!([&first, &second, &third].map(|token| verify(&server, APP, token).status), [200, 200, 200]);
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!([&first, &second, &third].map(|token| verify(&server, APP, token).status), [401, 200, 200]);
    server.clock.advance(TimeDelta::seconds(60));
    let fourth = token(&server, &alice.access);
    server.clock.advance(TimeDelta::seconds(30));
    assert_eq!([&second, &third, &fourth].map(|token| verify(&server, APP, token).status), [401, 401, 200]);
    token(&server, &alice.access);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM entry_tokens"), 2, "what has ended is not kept");
}

#[test]
fn only_navigations_are_redirected_for_a_new_token_once_a_day() {
    let server = guarding().manual_clock().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let token = token(&server, &alice.access);
    let go = || as_navigation(proxy_request(&server, APP).cookie(COOKIE, &token)).send();
    server.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    go().expect(200);
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!(go().expect(302).header("location"), Some(SIGN_IN));
    verify(&server, APP, &token).expect(200);
    let post = server.get("/api/v1/verify").header("X-Original-URL", APP).header("X-Original-Method", "POST");
    as_navigation(post.cookie(COOKIE, &token)).send().expect(200);
}

#[test]
fn only_trusted_proxies_get_an_answer() {
    let server = guarding().set("trusted_proxies", "10.0.0.0/8").start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let token = token(&server, &alice.access);
    let refusal = "The proxy's headers don't say which site was requested; see the server's log";
    verify(&server, APP, &token).refused(403, refusal);
    server.get("/api/v1/verify").header("X-Original-URL", APP).cookie(COOKIE, &token).send().refused(403, refusal);
}

#[test]
fn users_without_a_required_factor_are_sent_to_the_console_but_keys_work() {
    let server = guarding().set("second_factor", "everybody").manual_clock().start();
    let admin = server.admin();
    let own = server.whoami(&admin).field("id");
    server.enroll(&own, &admin, ADMIN.1);
    let (id, alice) = server.member(&admin, "alice");
    enter(&server, &alice.access, APP).refused(403, "Set up a second factor first");
    server.enroll(&id, &alice.access, PASSWORD);
    let key = server.create_key(&alice.access, "script").1;
    let token = token(&server, &alice.access);
    verify(&server, APP, &token).expect(200);
    let factor = server.factors(&id, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
    server.call("DELETE", &format!("/api/v1/users/{id}/factors/{factor}"), &admin, &json!({})).expect(200);
    let browser = as_navigation(proxy_request(&server, APP).cookie(COOKIE, &token)).send().expect(302);
    assert_eq!(browser.header("location"), Some(SIGN_IN));
    let program = verify(&server, APP, &token).refused(401, "Set up a second factor first");
    assert_eq!(program.header("remote-user"), None);
    enter_by_key(&server, &key);
    server.enroll(&id, &alice.access, PASSWORD);
    verify(&server, APP, &token).expect(200);
}

#[test]
fn users_who_must_change_their_password_are_sent_to_the_console_but_keys_work() {
    let server = guarding().start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let key = server.create_key(&alice.access, "script").1;
    let site = token(&server, &alice.access);
    verify(&server, APP, &site).expect(200);
    let require = json!({ "must_change_password": true });
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &require).expect(200);
    let browser = as_navigation(proxy_request(&server, APP).cookie(COOKIE, &site)).send().expect(302);
    assert_eq!(browser.header("location"), Some(SIGN_IN));
    let program = verify(&server, APP, &site).refused(401, "Choose a new password first");
    assert_eq!(program.header("remote-user"), None);
    enter(&server, &alice.access, APP).refused(403, "Choose a new password first");
    enter_by_key(&server, &key);
    let new = json!({ "password": "zebra-mug-41", "current_password": PASSWORD });
    server.call("PATCH", &format!("/api/v1/users/{id}/reset-password"), &alice.access, &new).expect(200);
    verify(&server, APP, &token(&server, &alice.access)).expect(200);
}
