//! A site behind forward authentication, through each proxy: access, the headers that the site gets, and attacks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::echo::{Echo, header_names, received};
use crate::proxies::{self, Proxy, Setting, test_each_proxy};
use crate::sites::{as_navigation, enter};
use crate::support::server::{Builder, PASSWORD};
use crate::support::{Response, Server};

const APP: &str = "app.example.org";
const COOKIE: &str = "usher_entry";

/// usher, a site behind it, and a proxy in front of both, over HTTP.
struct Setup {
    name: &'static str,
    server: Server,
    echo: Echo,
    proxy: Proxy,
}

impl Setup {
    /// Adds a user and signs in. Returns the access token and the site token.
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
fn behind(name: &'static str, test: fn(&Setup)) {
    let (server, echo) = (guarding().start(), Echo::start());
    let site = echo.address.to_string();
    let setting = Setting { put: &[("127.0.0.1:3000", &site)], https: false };
    let proxy = proxies::guarding(name, server.address, &setting);
    test(&Setup { name, server, echo, proxy });
}

fn a_signed_in_user_reaches_the_site_which_gets_only_the_identity(setup: &Setup) {
    let (_, token) = setup.member("alice");
    let cookies = format!("theme=dark; {COOKIE}={token}; lang=en");
    let get = || setup.proxy.request("GET", APP, "/a?b=c%20d").header("Cookie", &cookies);
    let answer = get().send().expect(200);
    assert_eq!(answer.json()["line"], "GET /a?b=c%20d HTTP/1.1", "{}", setup.name);
    assert_eq!(received(&answer, "remote-user"), ["alice"]);
    assert_eq!(received(&answer, "remote-groups"), ["users"]);
    assert_eq!(received(&answer, "remote-user-id")[0].len(), 36);
    let cookies = received(&answer, "cookie").concat();
    assert!(cookies.contains("theme=dark") && cookies.contains("lang=en"), "{cookies}");
    assert!(!answer.text().contains(&token) && !answer.text().contains(COOKIE), "{}", answer.text());
    let post = setup.proxy.request("POST", APP, "/form").cookie(COOKIE, &token).form(&[("a", "b")]).send();
    assert_eq!(post.expect(200).json()["line"], "POST /form HTTP/1.1");
}

fn a_signed_out_client_is_redirected_or_refused_and_never_reaches_the_site(setup: &Setup) {
    let get = || setup.proxy.request("GET", APP, "/a?b=c%20d&e");
    let browser = as_navigation(get()).send().expect(302);
    let there = "http://auth.example.org/?return_to=http%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%2520d%26e";
    assert_eq!(browser.header("location"), Some(there), "{}", setup.name);
    as_navigation(get().header("X-Original-URL", "http://app.example.org/")).send().expect(302);
    get().send().expect(401);
    get().cookie(COOKIE, "wrong").send().expect(401);
    setup.proxy.request("POST", APP, "/form").form(&[("a", "b")]).send().expect(401);
    let form = as_navigation(setup.proxy.request("POST", APP, "/form")).form(&[("a", "b")]).send();
    assert!([302, 303].contains(&form.status), "{form:?}");
    assert!(form.header("location").unwrap().ends_with("return_to=http%3A%2F%2Fapp.example.org%2F"));
    assert_eq!(setup.echo.request_count(), 0);
    // The sign-in page exists.
    let page = setup.proxy.get("auth.example.org", "/?return_to=x").expect(200);
    assert!(page.text().contains("<title>usher</title>"));
    // Only the proxy can call the verify route.
    assert_ne!(setup.proxy.get(APP, "/.usher/verify").status, 200);
}

fn a_user_without_access_is_refused(setup: &Setup) {
    let (_, token) = setup.member("alice");
    let admins = Setting {
        put: &[("127.0.0.1:3000", &setup.echo.address.to_string()), (APP, "admin.example.org")],
        https: false,
    };
    let proxy = proxies::guarding(setup.name, setup.server.address, &admins);
    let get = || proxy.request("GET", "admin.example.org", "/").cookie(COOKIE, &token);
    assert_eq!(get().send().expect(403).header("location"), None);
    let person = as_navigation(get()).send();
    if setup.name == "nginx" {
        let there = "http://auth.example.org/?return_to=http%3A%2F%2Fadmin.example.org%2F";
        assert_eq!(person.expect(302).header("location"), Some(there));
    } else {
        assert!(person.expect(403).text().contains("alice"), "{}", setup.name);
    }
    assert_eq!(setup.echo.request_count(), 0);
}

fn the_site_sets_its_own_limit_for_bodies(setup: &Setup) {
    let site = setup.echo.address.to_string();
    let more = [("127.0.0.1:3000", site.as_str()), ("location / {", "location / { client_max_body_size 3m;")];
    let put = if setup.name == "nginx" { &more[..] } else { &more[..1] };
    let proxy = proxies::guarding(setup.name, setup.server.address, &Setting { put, https: false });
    let (_, token) = setup.member("alice");
    let post = proxy.request("POST", APP, "/").cookie(COOKIE, &token).body("text/plain", vec![b'x'; 2_000_000]);
    assert_eq!(post.send().expect(200).json()["line"], "POST / HTTP/1.1", "{}", setup.name);
}

fn a_web_socket_handshake_passes_forward_auth(setup: &Setup) {
    let (_, token) = setup.member("alice");
    let socket = || {
        let get = setup.proxy.request("GET", APP, "/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
        get.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    socket().send().expect(401);
    assert_eq!(setup.echo.request_count(), 0);
    // This site has no web sockets. The request reached it, with a user.
    let answer = socket().cookie(COOKIE, &token).send().expect(200);
    let header = |name: &str| received(&answer, name).concat().to_ascii_lowercase();
    assert_eq!([header("upgrade"), header("connection")], ["websocket", "upgrade"], "{}", setup.name);
    assert_eq!(received(&answer, "remote-user"), ["alice"]);
}

fn an_api_key_grants_access_and_does_not_reach_the_site(setup: &Setup) {
    let (access, _) = setup.member("alice");
    let (_, key) = setup.server.create_key(&access, "script");
    let answer = setup.proxy.request("GET", APP, "/").key(&key).send().expect(200);
    assert_eq!(received(&answer, "remote-user"), ["alice"], "{}", setup.name);
    assert!(!answer.text().contains(&key), "{}", answer.text());
    // A key of the site's own stays what it is.
    let token = setup.member("bob").1;
    let own = setup.proxy.request("GET", APP, "/").cookie(COOKIE, &token).header("Authorization", "Bearer own");
    assert_eq!(received(&own.send().expect(200), "authorization"), ["Bearer own"]);
}

fn basic_credentials_enter_where_a_rule_accepts_them_and_do_not_reach_the_site(setup: &Setup) {
    let (access, token) = setup.member("Jörg");
    let (_, key) = setup.server.create_key(&access, "phone");
    let basic = |name: &str, key: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{key}")));
    let get = |host: &str| setup.proxy.request("GET", host, "/");
    let right = basic("jörg", &key);
    get(APP).header("Authorization", &right).send().expect(401);
    let own = get(APP).cookie(COOKIE, &token).header("Authorization", &right).send().expect(200);
    assert_eq!(received(&own, "authorization"), [right.as_str()], "a site's own credentials");

    let site = setup.echo.address.to_string();
    let put = [("127.0.0.1:3000", site.as_str()), (APP, "dav.example.org")];
    let proxy = proxies::guarding(setup.name, setup.server.address, &Setting { put: &put, https: false });
    let get = || proxy.request("GET", "dav.example.org", "/");
    for scheme in ["Basic ", "bAsIC ", "Basic  "] {
        let answer = get().header("Authorization", right.replace("Basic ", scheme)).send().expect(200);
        assert_eq!(received(&answer, "remote-user"), ["J%C3%B6rg"], "{}", setup.name);
        assert_eq!(received(&answer, "authorization"), [""; 0], "{}", setup.name);
        assert!(!answer.text().contains(&right["Basic ".len()..]), "{}", answer.text());
    }
    let both = get().cookie(COOKIE, &token).header("Authorization", basic("x", "y")).send().expect(200);
    assert_eq!(received(&both, "authorization"), [""; 0], "{}", setup.name);
    let bearer = get().cookie(COOKIE, &token).header("Authorization", "Bearer own").send().expect(200);
    assert_eq!(received(&bearer, "authorization"), ["Bearer own"], "{}", setup.name);
    let asked = setup.echo.request_count();
    for wrong in
        [basic("jörg", "sk-wrong"), basic("jörg", PASSWORD), basic("admin", &key), basic("", &key), "Basic".into()]
    {
        get().header("Authorization", wrong).send().expect(401);
    }
    let challenge = |answer: Response| answer.header("www-authenticate").map(ToOwned::to_owned);
    let program = challenge(get().send().expect(401));
    assert_eq!(program.as_deref(), Some("Basic realm=\"usher\", charset=\"UTF-8\""), "{}", setup.name);
    let script = challenge(get().header("Sec-Fetch-Mode", "cors").send().expect(401));
    assert_eq!(script.as_deref(), Some("ApiKey"), "{}: a browser would show a dialog", setup.name);
    assert_eq!(setup.echo.request_count(), asked);
}

fn clients_cannot_set_identity_headers(setup: &Setup) {
    let (_, token) = setup.member("alice");
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
    let mut request = setup.proxy.request("GET", APP, "/").cookie(COOKIE, &token);
    for name in smuggled {
        request = request.header(name, "root").header(name, "superusers");
    }
    let answer = request.header("Connection", "close, Remote-User, Remote-Groups").send().expect(200);
    assert_eq!(received(&answer, "remote-user"), ["alice"], "{}", setup.name);
    assert_eq!(received(&answer, "remote-groups"), ["users"]);
    let same = |name: &String| name.replace(['_', '.', '~'], "-").starts_with("remote-");
    let mut remote: Vec<String> = header_names(&answer).into_iter().filter(same).collect();
    remote.sort();
    assert_eq!(remote, ["remote-groups", "remote-user", "remote-user-id"], "{}", setup.name);
    assert!(!received(&answer, "remote-user-id").concat().contains("root"));
}

/// Carol can enter the site. Alice can't, with any headers.
fn forged_target_headers_open_no_other_site(setup: &Setup) {
    let site = setup.echo.address.to_string();
    let put = [("127.0.0.1:3000", site.as_str()), (APP, "admin.example.org")];
    let secret = Setting { put: &put, https: false };
    let proxy = proxies::guarding(setup.name, setup.server.address, &secret);
    let (_, token) = setup.member("carol");
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
        assert!([401, 403].contains(&answer.status), "{}: {trick:?} {answer:?}", setup.name);
    }
    // Two hosts in one request.
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
        // Caddy responds to unknown hosts with an empty page.
        let empty = answer.as_ref().is_some_and(|answer| answer.status == 200 && answer.body.is_empty());
        assert!(empty || status.is_none_or(|status| status >= 400), "{}: {line} {host} {answer:?}", setup.name);
    }
    let hosts = proxy.request("GET", "admin.example.org", "/").header("Host", APP).cookie(COOKIE, &token);
    assert!(hosts.try_send().is_none_or(|answer| answer.status >= 400));
    assert_eq!(setup.echo.request_count(), 0, "{}", setup.name);
}

fn unusual_paths_do_not_bypass_forward_auth(setup: &Setup) {
    let (_, token) = setup.member("alice");
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
        let outside = setup.proxy.request("GET", APP, path).try_send();
        assert!(outside.is_none_or(|answer| answer.status >= 400), "{}: {path}", setup.name);
        let led = as_navigation(setup.proxy.request("GET", APP, path)).try_send();
        if let Some(location) = led.as_ref().filter(|led| led.status < 400).and_then(|led| led.header("location")) {
            let start = "http://auth.example.org/?return_to=http%3A%2F%2Fapp.example.org%2F";
            assert!(location.starts_with(start), "{}: {path} {location}", setup.name);
        }
    }
    assert_eq!(setup.echo.request_count(), 0);
    setup.proxy.request("GET", APP, "//a/%2e%2e;/x?y=//z").cookie(COOKIE, &token).send().expect(200);
}

fn signing_out_invalidates_a_kept_site_token(setup: &Setup) {
    let (access, token) = setup.member("alice");
    let get = || -> Response { setup.proxy.request("GET", APP, "/").cookie(COOKIE, &token).send() };
    get().expect(200);
    setup.proxy.request("POST", "auth.example.org", "/api/v1/logout").bearer(&access).send().expect(200);
    for _ in 0..3 {
        get().expect(401);
    }
    assert_eq!(setup.echo.request_count(), 1, "{}", setup.name);
}

fn no_site_gets_one_of_ushers_cookies_in_any_spelling(setup: &Setup) {
    let (access, token) = setup.member("alice");
    let refresh = setup.server.login("alice", PASSWORD).refresh;
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
        let answer = setup.proxy.request("GET", APP, "/").header("Cookie", &cookies).send().expect(200);
        let left = received(&answer, "cookie").concat();
        for secret in [&token, &access, &refresh] {
            assert!(!answer.text().contains(secret), "{}: {left}", setup.name);
        }
        assert!(!left.replace("busher_entry", "").to_lowercase().contains(COOKIE), "{}: {left}", setup.name);
        assert_eq!(left.contains("a=b"), cookies.contains("a=b"), "{}: {cookies} {left}", setup.name);
    }
    for cookies in [format!("{many}; {COOKIE}={token}; a=b"), format!("a=b; {COOKIE}={token}; copy=x{token}")] {
        let answer = setup.proxy.request("GET", APP, "/").header("Cookie", &cookies).send();
        assert!(!answer.text().contains(&token) || setup.name == "caddy" && cookies.contains("copy"), "{answer:?}");
    }
    // The site's own cookies arrive unchanged.
    let odd = [b"name=J\xf6rg; a[b]=\"c d\"; usher_entry=".as_slice(), token.as_bytes()].concat();
    let answer = setup.proxy.request("GET", APP, "/").header("Cookie", odd).send().expect(200);
    let left = |answer: &Response| received(answer, "cookie").concat().trim_end_matches([';', ' ']).to_owned();
    assert_eq!(left(&answer), "name=J\u{fffd}rg; a[b]=\"c d\"", "{}", setup.name);
    let large = format!("big={}; {COOKIE}={token}", "x".repeat(7000));
    let answer = setup.proxy.request("GET", APP, "/").header("Cookie", large).send().expect(200);
    assert_eq!(left(&answer).len(), 7004, "{}", setup.name);
}

test_each_proxy!(behind: nginx(nginx) caddy(caddy) traefik(traefik, openssl) => [
    a_signed_in_user_reaches_the_site_which_gets_only_the_identity,
    a_signed_out_client_is_redirected_or_refused_and_never_reaches_the_site,
    a_user_without_access_is_refused,
    the_site_sets_its_own_limit_for_bodies,
    a_web_socket_handshake_passes_forward_auth,
    an_api_key_grants_access_and_does_not_reach_the_site,
    basic_credentials_enter_where_a_rule_accepts_them_and_do_not_reach_the_site,
    clients_cannot_set_identity_headers,
    forged_target_headers_open_no_other_site,
    unusual_paths_do_not_bypass_forward_auth,
    signing_out_invalidates_a_kept_site_token,
    no_site_gets_one_of_ushers_cookies_in_any_spelling,
]);
