//! usher at an address of its own, `https://auth.example.org/`, through each proxy.

use crate::proxies::{Proxy, Setting, caddy, nginx, test_each_proxy, traefik};
use crate::support::Server;
use crate::support::server::ADMIN;

const HOST: &str = "auth.example.org";

fn behind(name: &str, test: fn(&Server, &Proxy)) {
    let setting = Setting { put: &[], https: false };
    let server = Server::with().set("trusted_proxies", "127.0.0.1").start();
    let proxy = match name {
        "nginx" => nginx(&["usher"], server.address, &setting),
        "traefik" => traefik(server.address, &setting),
        _ => caddy("Caddyfile", server.address, &setting),
    };
    test(&server, &proxy);
}

fn forged_address_and_scheme_headers_do_not_get_through(server: &Server, proxy: &Proxy) {
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    let login = proxy.request("POST", HOST, "/api/v1/login").form(&form);
    let login = login.header("X-Forwarded-For", "203.0.113.9").header("X-Forwarded-Proto", "https").send().expect(200);
    assert!(!login.set_cookie("refresh_token_lf").unwrap().contains("Secure"), "{login:?}");
    let address = server.query::<String>("SELECT address FROM audit WHERE action = 'login' ORDER BY id DESC");
    assert_eq!(address, "127.0.0.1");
}

/// A browser that sends no `Sec-Fetch-Site`, as over plain HTTP, names its page's origin with the port.
fn usher_gets_the_host_and_port_that_the_browser_asked_for(_: &Server, proxy: &Proxy) {
    let host = format!("{HOST}:{}", proxy.address.port());
    let sign_in = |origin: &str| {
        let form = [("username", ADMIN.0), ("password", ADMIN.1)];
        proxy.request("POST", &host, "/api/v1/login").form(&form).header("Origin", origin).send().status
    };
    assert_eq!(sign_in(&format!("http://{host}")), 200);
    assert_eq!(sign_in(&format!("http://{HOST}")), 403);
    assert_eq!(sign_in(&format!("http://app.example.org:{}", proxy.address.port())), 403);
}

test_each_proxy!(behind: nginx(nginx) caddy(caddy) => [
    forged_address_and_scheme_headers_do_not_get_through,
    usher_gets_the_host_and_port_that_the_browser_asked_for,
]);
test_each_proxy!(behind: traefik(traefik, openssl) => [
    usher_gets_the_host_and_port_that_the_browser_asked_for,
]);
