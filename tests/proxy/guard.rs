//! A site that usher guards, through each proxy: who gets in, what the site is told, and what an attacker tries.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::echo::{Echo, names, told};
use crate::proxies::{self, Proxy, Setting, test_each_proxy};
use crate::sites::{by_browser, enter};
use crate::support::server::{Builder, PASSWORD};
use crate::support::{Response, Server};

const APP: &str = "app.example.org";
const COOKIE: &str = "usher_entry";

/// usher, a site behind it, and a proxy in front of both, over HTTP.
struct Place {
    name: &'static str,
    server: Server,
    echo: Echo,
    proxy: Proxy,
}

impl Place {
    /// Somebody who is signed in, and the token for the site.
    fn member(&self, name: &str) -> (String, String) {
        let (_, tokens) = self.server.member(&self.server.admin(), name);
        let entered = enter(&self.server, &tokens.access, "http://app.example.org/").expect(200);
        (tokens.access, entered.cookie(COOKIE).unwrap().to_owned())
    }
}

fn guarding() -> Builder {
    crate::sites::guarding().set("public_url", "http://auth.example.org")
}

/// Runs `test` behind the proxy of this name.
fn behind(name: &'static str, test: fn(&Place)) {
    let (server, echo) = (guarding().start(), Echo::start());
    let site = echo.address.to_string();
    let setting = Setting { put: &[("127.0.0.1:3000", &site)], https: false };
    let proxy = proxies::guarding(name, server.address, &setting);
    test(&Place { name, server, echo, proxy });
}

fn who_is_signed_in_comes_to_the_site_which_is_told_who_that_is_and_nothing_else(place: &Place) {
    let (_, token) = place.member("alice");
    let cookies = format!("theme=dark; {COOKIE}={token}; lang=en");
    let get = || place.proxy.request("GET", APP, "/a?b=c%20d").header("Cookie", &cookies);
    let answer = get().send().expect(200);
    assert_eq!(answer.json()["line"], "GET /a?b=c%20d HTTP/1.1", "{}", place.name);
    assert_eq!(told(&answer, "remote-user"), ["alice"]);
    assert_eq!(told(&answer, "remote-groups"), ["users"]);
    assert_eq!(told(&answer, "remote-user-id")[0].len(), 36);
    let cookies = told(&answer, "cookie").concat();
    assert!(cookies.contains("theme=dark") && cookies.contains("lang=en"), "{cookies}");
    assert!(!answer.text().contains(&token) && !answer.text().contains(COOKIE), "{}", answer.text());
    let post = place.proxy.request("POST", APP, "/form").cookie(COOKIE, &token).form(&[("a", "b")]).send();
    assert_eq!(post.expect(200).json()["line"], "POST /form HTTP/1.1");
}

fn who_is_not_is_led_to_sign_in_or_told_so_and_the_site_hears_nothing(place: &Place) {
    let get = || place.proxy.request("GET", APP, "/a?b=c%20d&e");
    let browser = by_browser(get()).send().expect(302);
    let there = "http://auth.example.org/?return_to=http%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%2520d%26e";
    assert_eq!(browser.header("location"), Some(there), "{}", place.name);
    by_browser(get().header("X-Original-URL", "http://app.example.org/")).send().expect(302);
    get().send().expect(401);
    get().cookie(COOKIE, "wrong").send().expect(401);
    place.proxy.request("POST", APP, "/form").form(&[("a", "b")]).send().expect(401);
    let form = by_browser(place.proxy.request("POST", APP, "/form")).form(&[("a", "b")]).send();
    assert!([302, 303].contains(&form.status), "{form:?}");
    assert!(form.header("location").unwrap().ends_with("return_to=http%3A%2F%2Fapp.example.org%2F"));
    assert_eq!(place.echo.asked(), 0);
    // The page is where it is said to be.
    let page = place.proxy.get("auth.example.org", "/?return_to=x").expect(200);
    assert!(page.text().contains("<title>usher</title>"));
    // The question itself cannot be asked by anybody else.
    assert_ne!(place.proxy.get(APP, "/.usher/verify").status, 200);
}

fn who_may_not_enter_is_refused(place: &Place) {
    let (_, token) = place.member("alice");
    let admins = Setting {
        put: &[("127.0.0.1:3000", &place.echo.address.to_string()), (APP, "admin.example.org")],
        https: false,
    };
    let proxy = proxies::guarding(place.name, place.server.address, &admins);
    let get = || proxy.request("GET", "admin.example.org", "/").cookie(COOKIE, &token);
    assert_eq!(get().send().expect(403).header("location"), None);
    let person = by_browser(get()).send();
    if place.name == "nginx" {
        let there = "http://auth.example.org/?return_to=http%3A%2F%2Fadmin.example.org%2F";
        assert_eq!(person.expect(302).header("location"), Some(there));
    } else {
        assert!(person.expect(403).text().contains("alice"), "{}", place.name);
    }
    assert_eq!(place.echo.asked(), 0);
}

fn how_much_a_site_takes_is_for_its_own_settings_to_say(place: &Place) {
    let site = place.echo.address.to_string();
    let more = [("127.0.0.1:3000", site.as_str()), ("location / {", "location / { client_max_body_size 3m;")];
    let put = if place.name == "nginx" { &more[..] } else { &more[..1] };
    let proxy = proxies::guarding(place.name, place.server.address, &Setting { put, https: false });
    let (_, token) = place.member("alice");
    let post = proxy.request("POST", APP, "/").cookie(COOKIE, &token).body("text/plain", vec![b'x'; 2_000_000]);
    assert_eq!(post.send().expect(200).json()["line"], "POST / HTTP/1.1", "{}", place.name);
}

fn a_web_socket_is_asked_for_through_the_guard(place: &Place) {
    let (_, token) = place.member("alice");
    let socket = || {
        let get = place.proxy.request("GET", APP, "/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
        get.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    socket().send().expect(401);
    assert_eq!(place.echo.asked(), 0);
    // The site here knows no web sockets; it was asked for one, by somebody whom it knows.
    let answer = socket().cookie(COOKIE, &token).send().expect(200);
    let asked = |name: &str| told(&answer, name).concat().to_ascii_lowercase();
    assert_eq!([asked("upgrade"), asked("connection")], ["websocket", "upgrade"], "{}", place.name);
    assert_eq!(told(&answer, "remote-user"), ["alice"]);
}

fn an_api_key_opens_the_door_and_is_not_handed_on(place: &Place) {
    let (access, _) = place.member("alice");
    let (_, key) = place.server.create_key(&access, "script");
    let answer = place.proxy.request("GET", APP, "/").key(&key).send().expect(200);
    assert_eq!(told(&answer, "remote-user"), ["alice"], "{}", place.name);
    assert!(!answer.text().contains(&key), "{}", answer.text());
    // A key of the site's own stays what it is.
    let token = place.member("bob").1;
    let own = place.proxy.request("GET", APP, "/").cookie(COOKIE, &token).header("Authorization", "Bearer own");
    assert_eq!(told(&own.send().expect(200), "authorization"), ["Bearer own"]);
}

fn where_a_rule_accepts_it_a_name_and_an_api_key_enter_as_basic_credentials_and_the_site_gets_neither(place: &Place) {
    let (access, token) = place.member("Jörg");
    let (_, key) = place.server.create_key(&access, "phone");
    let basic = |name: &str, key: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{key}")));
    let get = |host: &str| place.proxy.request("GET", host, "/");
    let right = basic("jörg", &key);
    get(APP).header("Authorization", &right).send().expect(401);
    let own = get(APP).cookie(COOKIE, &token).header("Authorization", &right).send().expect(200);
    assert_eq!(told(&own, "authorization"), [right.as_str()], "a site's own credentials");

    let site = place.echo.address.to_string();
    let put = [("127.0.0.1:3000", site.as_str()), (APP, "dav.example.org")];
    let proxy = proxies::guarding(place.name, place.server.address, &Setting { put: &put, https: false });
    let get = || proxy.request("GET", "dav.example.org", "/");
    for scheme in ["Basic ", "bAsIC ", "Basic  "] {
        let answer = get().header("Authorization", right.replace("Basic ", scheme)).send().expect(200);
        assert_eq!(told(&answer, "remote-user"), ["J%C3%B6rg"], "{}", place.name);
        assert_eq!(told(&answer, "authorization"), [""; 0], "{}", place.name);
        assert!(!answer.text().contains(&right["Basic ".len()..]), "{}", answer.text());
    }
    let both = get().cookie(COOKIE, &token).header("Authorization", basic("x", "y")).send().expect(200);
    assert_eq!(told(&both, "authorization"), [""; 0], "{}", place.name);
    let bearer = get().cookie(COOKIE, &token).header("Authorization", "Bearer own").send().expect(200);
    assert_eq!(told(&bearer, "authorization"), ["Bearer own"], "{}", place.name);
    let asked = place.echo.asked();
    for wrong in
        [basic("jörg", "sk-wrong"), basic("jörg", PASSWORD), basic("admin", &key), basic("", &key), "Basic".into()]
    {
        get().header("Authorization", wrong).send().expect(401);
    }
    let challenge = |answer: Response| answer.header("www-authenticate").map(ToOwned::to_owned);
    let program = challenge(get().send().expect(401));
    assert_eq!(program.as_deref(), Some("Basic realm=\"usher\", charset=\"UTF-8\""), "{}", place.name);
    let script = challenge(get().header("Sec-Fetch-Mode", "cors").send().expect(401));
    assert_eq!(script.as_deref(), Some("ApiKey"), "{}: a browser would show a dialog", place.name);
    assert_eq!(place.echo.asked(), asked);
}

fn nobody_says_of_oneself_who_one_is(place: &Place) {
    let (_, token) = place.member("alice");
    let smuggled = [
        "Remote-User",
        "remote-user",
        "REMOTE-USER",
        "Remote_User",
        "remote_user",
        "Remote-User_Id",
        "Remote_User-Id",
        "Remote-User-Id",
        "Remote_User_Id",
        "Remote.User",
        "remote.user_id",
        "Remote~User",
        "Remote-Groups",
        "Remote_Groups",
        "Remote-Name",
        "Remote-Email",
    ];
    let mut request = place.proxy.request("GET", APP, "/").cookie(COOKIE, &token);
    for name in smuggled {
        request = request.header(name, "root").header(name, "superusers");
    }
    let answer = request.header("Connection", "close, Remote-User, Remote-Groups").send().expect(200);
    assert_eq!(told(&answer, "remote-user"), ["alice"], "{}", place.name);
    assert_eq!(told(&answer, "remote-groups"), ["users"]);
    let same = |name: &String| name.replace(['_', '.', '~'], "-").starts_with("remote-");
    let mut remote: Vec<String> = names(&answer).into_iter().filter(same).collect();
    remote.sort();
    assert_eq!(remote, ["remote-groups", "remote-user", "remote-user-id"], "{}", place.name);
    assert!(!told(&answer, "remote-user-id").concat().contains("root"));
}

/// Carol may enter the site, and Alice may not; whatever Alice sends along, she stays outside.
fn what_a_client_says_about_where_it_goes_opens_no_other_site(place: &Place) {
    let site = place.echo.address.to_string();
    let put = [("127.0.0.1:3000", site.as_str()), (APP, "admin.example.org")];
    let secret = Setting { put: &put, https: false };
    let proxy = proxies::guarding(place.name, place.server.address, &secret);
    let (_, token) = place.member("carol");
    let tricks: [&[(&str, &str)]; 12] = [
        &[("X-Forwarded-Host", APP)],
        &[("X-Forwarded-Host", APP), ("X-Forwarded-Host", APP)],
        &[("X_Forwarded_Host", APP)],
        &[("X-Original-URL", "http://app.example.org/")],
        &[("X-Original-Url", "http://app.example.org/"), ("X-Forwarded-Host", APP), ("X-Forwarded-Proto", "http")],
        &[("X-Original-Method", "GET"), ("X-Forwarded-Uri", "//app.example.org/")],
        &[("X-Forwarded-Uri", "http://app.example.org/")],
        &[("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "host=app.example.org;for=127.0.0.1")],
        &[("X-Rewrite-URL", "http://app.example.org/"), ("X-Host", APP)],
        &[("Connection", "close, X-Original-URL, X-Forwarded-Host, Cookie")],
        &[("Connection", "close, X-Forwarded-Host"), ("X-Forwarded-Host", APP)],
        &[("Authorization", "Bearer x"), ("X-Api-Key", "x")],
    ];
    for trick in tricks {
        let mut request = proxy.request("GET", "admin.example.org", "/").cookie(COOKIE, &token);
        for (name, value) in trick {
            request = request.header(name, value);
        }
        let answer = request.send();
        assert!([401, 403].contains(&answer.status), "{}: {trick:?} {answer:?}", place.name);
    }
    // Two names for where it goes, in one request.
    for (line, host) in [
        ("http://app.example.org/", "admin.example.org"),
        ("http://admin.example.org/", APP),
        ("http://admin.example.org@app.example.org/", "admin.example.org"),
        ("//app.example.org/", "admin.example.org"),
        ("/", "admin.example.org."),
        ("/", "ADMIN.example.org"),
        ("/", "admin.example.org:80"),
        ("/", "app.example.org"),
        ("/", "admin.example.org, app.example.org"),
        ("/", "app.example.org@admin.example.org"),
        ("/", ""),
    ] {
        let answer = proxy.request("GET", host, line).cookie(COOKIE, &token).try_send();
        let status = answer.as_ref().map(|answer| answer.status);
        // Caddy answers for no site that it does not know, with an empty page.
        let empty = answer.as_ref().is_some_and(|answer| answer.status == 200 && answer.body.is_empty());
        assert!(empty || status.is_none_or(|status| status >= 400), "{}: {line} {host} {answer:?}", place.name);
    }
    let hosts = proxy.request("GET", "admin.example.org", "/").header("Host", APP).cookie(COOKIE, &token);
    assert!(hosts.try_send().is_none_or(|answer| answer.status >= 400));
    assert_eq!(place.echo.asked(), 0, "{}", place.name);
}

fn what_a_path_looks_like_makes_no_difference(place: &Place) {
    let (_, token) = place.member("alice");
    for path in [
        "/..%2f..%2fx",
        "//evil.net/",
        "/;/x",
        "/%2e%2e/x",
        "/a/../../api/v1/verify",
        "/\\evil.net",
        "/%00",
        "/?x=//y",
        "/.usher/x",
    ] {
        let outside = place.proxy.request("GET", APP, path).try_send();
        assert!(outside.is_none_or(|answer| answer.status >= 400), "{}: {path}", place.name);
        let led = by_browser(place.proxy.request("GET", APP, path)).try_send();
        if let Some(location) = led.as_ref().filter(|led| led.status < 400).and_then(|led| led.header("location")) {
            let start = "http://auth.example.org/?return_to=http%3A%2F%2Fapp.example.org%2F";
            assert!(location.starts_with(start), "{}: {path} {location}", place.name);
        }
    }
    assert_eq!(place.echo.asked(), 0);
    place.proxy.request("GET", APP, "//a/%2e%2e;/x?y=//z").cookie(COOKIE, &token).send().expect(200);
}

fn signing_out_shuts_the_site_for_the_token_that_somebody_kept(place: &Place) {
    let (access, token) = place.member("alice");
    let get = || -> Response { place.proxy.request("GET", APP, "/").cookie(COOKIE, &token).send() };
    get().expect(200);
    place.proxy.request("POST", "auth.example.org", "/api/v1/logout").bearer(&access).send().expect(200);
    for _ in 0..3 {
        get().expect(401);
    }
    assert_eq!(place.echo.asked(), 1, "{}", place.name);
}

fn no_site_gets_one_of_ushers_cookies_however_often_and_however_spelled(place: &Place) {
    let (access, token) = place.member("alice");
    let refresh = place.server.login("alice", PASSWORD).refresh;
    let many: Vec<String> = (0..40).map(|n| format!("{COOKIE}={n}")).collect();
    let many = many.join("; ");
    for cookies in [
        format!("{COOKIE}=evil; a=b; {COOKIE}={token}"),
        format!("a=b; __Secure-{COOKIE}={refresh}; {COOKIE}={token}; {COOKIE}=x; {COOKIE}=y"),
        format!("{COOKIE}={token}"),
        format!("b{COOKIE}=c; {COOKIE}={token}"),
        format!(
            "refresh_token_lf={refresh}; a=b; {COOKIE}={token}; access_token_lf={access}; __Host-usher_refresh={refresh}"
        ),
        format!("a=b;USHER_ENTRY={access};{COOKIE}={token};__host-usher_entry={refresh};usher_refresh=x"),
        format!("{COOKIE}={token};; ;\t__Host-{COOKIE} =\t{refresh};\trefresh_token_lf\t=\"{refresh}\"; a=b"),
    ] {
        let answer = place.proxy.request("GET", APP, "/").header("Cookie", &cookies).send().expect(200);
        let left = told(&answer, "cookie").concat();
        for secret in [&token, &access, &refresh] {
            assert!(!answer.text().contains(secret), "{}: {left}", place.name);
        }
        assert!(!left.replace("busher_entry", "").to_lowercase().contains(COOKIE), "{}: {left}", place.name);
        assert_eq!(left.contains("a=b"), cookies.contains("a=b"), "{}: {cookies} {left}", place.name);
    }
    for cookies in [format!("{many}; {COOKIE}={token}; a=b"), format!("a=b; {COOKIE}={token}; copy=x{token}")] {
        let answer = place.proxy.request("GET", APP, "/").header("Cookie", &cookies).send();
        assert!(!answer.text().contains(&token) || place.name == "caddy" && cookies.contains("copy"), "{answer:?}");
    }
    // A cookie of the site's own arrives as it was sent.
    let odd = [b"name=J\xf6rg; a[b]=\"c d\"; usher_entry=".as_slice(), token.as_bytes()].concat();
    let answer = place.proxy.request("GET", APP, "/").header("Cookie", odd).send().expect(200);
    let left = |answer: &Response| told(answer, "cookie").concat().trim_end_matches([';', ' ']).to_owned();
    assert_eq!(left(&answer), "name=J\u{fffd}rg; a[b]=\"c d\"", "{}", place.name);
    let large = format!("big={}; {COOKIE}={token}", "x".repeat(7000));
    let answer = place.proxy.request("GET", APP, "/").header("Cookie", large).send().expect(200);
    assert_eq!(left(&answer).len(), 7004, "{}", place.name);
}

test_each_proxy!(behind: nginx(nginx) caddy(caddy) traefik(traefik, openssl) => [
    who_is_signed_in_comes_to_the_site_which_is_told_who_that_is_and_nothing_else,
    who_is_not_is_led_to_sign_in_or_told_so_and_the_site_hears_nothing,
    who_may_not_enter_is_refused,
    how_much_a_site_takes_is_for_its_own_settings_to_say,
    a_web_socket_is_asked_for_through_the_guard,
    an_api_key_opens_the_door_and_is_not_handed_on,
    where_a_rule_accepts_it_a_name_and_an_api_key_enter_as_basic_credentials_and_the_site_gets_neither,
    nobody_says_of_oneself_who_one_is,
    what_a_client_says_about_where_it_goes_opens_no_other_site,
    what_a_path_looks_like_makes_no_difference,
    signing_out_shuts_the_site_for_the_token_that_somebody_kept,
    no_site_gets_one_of_ushers_cookies_however_often_and_however_spelled,
]);
