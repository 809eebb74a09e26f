//! Rules that need more than one setting.

use crate::config::tests::*;

#[test]
fn settings_must_fit_together() {
    let short = "must have at least 32 characters; `openssl rand -base64 32` prints a good one";
    let key = "0123456789012345678901234567890";
    assert_eq!(Machine::new().env("USHER_SECRET_KEY", key).refusal(), format!("USHER_SECRET_KEY {short}"));
    let file = from_file("secret_key_file = 'k'").file("work/k", "short\n");
    assert_eq!(file.refusal(), format!("`secret_key_file` in /work/usher.toml {short}"));
    assert!(Machine::new().env("USHER_SECRET_KEY", &format!("{key}é")).load().secret_key.is_some());
    assert_eq!(
        Machine::new().env("USHER_SUPERUSER", "ann").refusal(),
        "USHER_SUPERUSER is set, but `superuser_password` is not; set both or neither"
    );
    assert_eq!(
        from_file(&format!("superuser_password = '{SENTINEL}'")).refusal(),
        "`superuser_password` in /work/usher.toml is set, but `superuser` is not; set both or neither"
    );
    assert_eq!(
        Machine::new().env("USHER_LAUNCH_SECRET", SENTINEL).refusal(),
        "USHER_LAUNCH_SECRET is set, but `auto_login` is off; set `auto_login = true`, or remove the setting"
    );
    let url = "https://hooks.example.org/secret-path?a=b";
    assert_eq!(
        Machine::new().env("USHER_ON_EVENT", url).refusal(),
        "USHER_ON_EVENT is set, but `on_event_secret` is not; set both or neither"
    );
    let signed =
        |target: &str| Machine::new().env("USHER_ON_EVENT_SECRET", &format!("{key}é")).env("USHER_ON_EVENT", target);
    assert_eq!(signed(url).load().shown("on_event"), "https://hooks.example.org/***");
    assert_eq!(
        signed("/bin/true").refusal(),
        "USHER_ON_EVENT_SECRET is set, but `on_event` is not a URL; set it to a URL, or remove the setting"
    );
    for wrong in ["notify", "ftp://example.org", "https://ann@example.org/"] {
        assert!(signed(wrong).refusal().contains("the absolute path of a program, or an http or https URL"), "{wrong}");
    }
    let pair = from_file("superuser = 'ann'").env("USHER_SUPERUSER_PASSWORD", SENTINEL).load();
    assert_eq!((pair.superuser.as_deref(), pair.superuser_password.is_some()), (Some("ann"), true));
    assert_eq!(
        Machine::new().flag("access_token_seconds", "604801").refusal(),
        "the default of `refresh_token_seconds` is 604800 seconds, less than --access-token-seconds, 604801; \
         `refresh_token_seconds` must be at least `access_token_seconds`"
    );
}

#[test]
fn the_base_path_is_the_path_of_the_public_url() {
    let with = |url: &str| Machine::new().flag("public_url", url);
    assert_eq!(with("https://h/a/b").load().base_path, "/a/b");
    assert_eq!(with("https://h:81").load().base_path, "");
    assert_eq!(with("https://h/a").flag("base_path", "/a").load().base_path, "/a");
    assert_eq!(
        with("https://h").flag("base_path", "/a").refusal(),
        "--base-path is \"/a\", but the path of `public_url` is \"\"; make them equal, or remove `base_path`"
    );
    assert!(with("https://h/a b").refusal().contains("it must be a URL whose path consists of letters"));
}

#[test]
fn a_rule_for_another_port_of_ushers_own_host_is_refused_unless_it_is_allowed() {
    let with = |rule: &str, url: &str| {
        let machine = Machine::new().flag("trusted_proxies", "127.0.0.1").flag("cookie_domain", "a.org");
        machine.flag("forward_auth", &format!("{rule} = signed-in")).flag("public_url", url)
    };
    for (rule, url) in [
        ("auth.a.org:8443", "https://auth.a.org"),
        ("auth.a.org:*", "https://auth.a.org/usher"),
        ("*.a.org:*", "https://auth.a.org"),
        ("*.a.org", "https://auth.a.org:7860"),
        ("auth.a.org", "http://auth.a.org:7860"),
    ] {
        let refusal = with(rule, url).refusal();
        assert!(refusal.contains("`allow_sites_on_own_host`") && refusal.contains(rule), "{refusal}");
        with(rule, url).flag("allow_sites_on_own_host", "true").load();
    }
    for (rule, url) in [
        ("*.a.org", "https://auth.a.org"),
        ("auth.a.org", "https://auth.a.org/usher"),
        ("auth.a.org:7860", "http://auth.a.org:7860"),
        ("b.a.org:*", "https://auth.a.org"),
        ("*.b.a.org:*", "https://auth.a.org"),
    ] {
        with(rule, url).load();
    }
}

#[test]
fn forward_auth_is_refused_if_it_would_redirect_in_circles() {
    let with = |rules: &str, url: &str| {
        let machine = Machine::new().flag("forward_auth", rules).flag("trusted_proxies", "127.0.0.1");
        if url.is_empty() { machine } else { machine.flag("public_url", url) }
    };
    let domain = |rules: &str, url: &str, domain: &str| with(rules, url).flag("cookie_domain", domain);
    let config = domain("*.a.org = signed-in, A.org=superusers", "https://auth.a.org", "a.org").load();
    assert_eq!(config.shown("forward_auth"), "a.org = superusers, *.a.org = signed-in");
    assert!(config.site_cookie_is_secure());
    let shared = with("home.lan:8080=signed-in", "http://home.lan:7860").flag("allow_sites_on_own_host", "true");
    let config = shared.load();
    assert_eq!((config.forward_auth.is_empty(), config.site_cookie_is_secure()), (false, false));
    let config = domain("*.org.a.org = signed-in", "https://a.org/usher", "a.org").load();
    assert!(!config.forward_auth.is_empty());
    // Without rules it is off.
    assert!(Machine::new().flag("cookie_domain", "a.org").load().forward_auth.is_empty());

    let rule = "*.a.org = signed-in";
    for (machine, refusal) in [
        (with(rule, ""), "--forward-auth needs `public_url`, where people sign in"),
        (
            Machine::new().flag("forward_auth", rule).flag("public_url", "https://a.org"),
            "--forward-auth needs `trusted_proxies`",
        ),
        (
            with("a.org=signed-in, A.org = superusers", "https://a.org"),
            "it must be one rule for each host, not two for a.org",
        ),
        (with(rule, "https://a.org"), "--forward-auth has a rule for *.a.org, but the host of `public_url` is a.org;"),
        (with("a.org = signed-in", "https://b.org"), "--forward-auth has a rule for a.org, but the host of"),
        (
            domain(rule, "https://a.net", "a.org"),
            "needs the host of `public_url`, \"a.net\", to be in `cookie_domain`, \"a.org\"",
        ),
        (
            domain("b.org = signed-in", "https://a.org", "a.org"),
            "has a rule for b.org, which is not in `cookie_domain`, a.org",
        ),
        (domain("*.bada.org = signed-in", "https://a.org", "a.org"), "has a rule for *.bada.org, which is not in"),
        (domain(rule, "https://bada.org", "a.org"), "the host of `public_url`, \"bada.org\""),
    ] {
        let said = machine.refusal();
        assert!(said.contains(refusal), "{said}");
    }
}

#[test]
fn a_postgresql_address_has_no_password_and_no_scheduled_backups_of_a_file() {
    let with = |address: &str| Machine::new().env("USHER_DATABASE", address);
    let address = "postgres://usher@db1,db2/usher";
    assert_eq!(with(address).load().database.as_deref(), Some(address));
    let refusal = with(&format!("postgres://usher:{SENTINEL}@db/usher")).refusal();
    assert!(refusal.contains("set `database_password_file`"), "{refusal}");
    assert!(with("mysql://db/usher").refusal().ends_with("write postgres://USER@HOST/DATABASE"));
    let password = Machine::new().env("USHER_DATABASE_PASSWORD", SENTINEL);
    assert_eq!(password.refusal(), "USHER_DATABASE_PASSWORD is set, but `database` is not; set both or neither");
    assert!(with(address).env("USHER_BACKUP_SCHEDULE", "daily").refusal().contains("pg_dump"));
}
