//! Valid and invalid values of each type, and the messages for the invalid ones.

use crate::config::tests::*;

#[test]
fn valid_values_are_parsed() {
    let cases: &[(&'static str, &str, &str)] = &[
        ("bind", "[::1]:0", "[::1]:0"),
        ("bind", " localhost:80 ", "localhost:80"),
        ("public_url", "https://Users.Example.org:443", "https://users.example.org"),
        ("public_url", "http://h:81/users", "http://h:81/users"),
        ("base_path", " /a/b-._~9", "/a/b-._~9"),
        ("signup", "OPEN", "open"),
        ("cookie_secure", "true", "true"),
        ("auto_login", "Yes", "true"),
        ("throttle", "0", "false"),
        ("exit_with_parent", "on", "true"),
        ("exit_with_parent", "1", "true"),
        ("exit_with_parent", " 4711", "4711"),
        (
            "cors_origins",
            "https://A.org:443, http://b:81,,tauri://localhost,https://a.org",
            "https://a.org, http://b:81, tauri://localhost",
        ),
        ("cors_origins", "", ""),
        ("trusted_proxies", "10.1.2.3/8,::1,127.0.0.1", "10.0.0.0/8, ::1/128, 127.0.0.1/32"),
        ("trusted_proxies", "::ffff:127.0.0.1, ::ffff:10.0.0.0/104", "127.0.0.1/32, 10.0.0.0/8"),
        ("cookie_domain", " .Bücher.Example. ", "xn--bcher-kva.example"),
        ("log", "warn,usher::http=debug/x", "warn,usher::http=debug/x"),
        ("bcrypt_cost", " 20", "20"),
    ];
    for (key, text, shown) in cases {
        assert_eq!(Machine::new().flag(key, text).load().shown(key), *shown, "{key} {text}");
    }
    let config = from_file("cookie_secure = true\ncors_origins = ['https://a.org']\ntrusted_proxies = []").load();
    assert_eq!((config.cookie_secure, config.cors_origins), (CookieSecure::Always, vec!["https://a.org".to_owned()]));
    assert_eq!(Machine::new().flag("bind", "127.0.0.1:0").load().bind.resolve().unwrap()[0].port(), 0);
    assert_eq!(Machine::new().flag("bind", "localhost:7").load().bind.resolve().unwrap()[0].port(), 7);
}

#[test]
fn invalid_values_are_refused_with_the_remedy() {
    let cases: &[(&'static str, &[&str], &str)] = &[
        ("data_dir", &["~", "~/usher", "a\0b"], "it must be the path of a directory or file without"),
        (
            "bind",
            &["7860", ":7860", "*:80", "h:", "h:65536", "h:+1", "::1:80", "1.2.3:80", "a b:1", "http://h:1", "-:-"],
            "it must be an address and a port, such as 127.0.0.1:7860",
        ),
        (
            "public_url",
            &[
                "users.example.org",
                "ftp://h",
                "http://",
                "https://h/",
                "https://h/?q",
                "https://h?",
                "https://h#f",
                "https://u:p@h",
                "//h",
            ],
            "it must be an http or https URL without a trailing slash",
        ),
        (
            "base_path",
            &["usher", "/", "/usher/", "//", "/a//b", "/../a", "/a b", "/é", "/%61", "/{x}"],
            "it must be a path such as /usher",
        ),
        ("workers", &["-1", "257", "2.0", "two", " "], "it must be a whole number from 0 to 256"),
        ("signup", &["opne", "true"], "it must be one of `approval`, `open`, `closed`"),
        ("access_token_seconds", &["0", "4294967296"], "it must be a whole number from 1 to 315360000"),
        ("bcrypt_cost", &["9", "21", "99999999999999999999"], "it must be a whole number from 10 to 20"),
        ("password_min_length", &["0", "73"], "it must be a whole number from 1 to 72"),
        ("auto_login", &["maybe", "2", "truee"], "it must be true or false"),
        ("exit_with_parent", &["-1", "2147483648", "parent", "1.5"], "it must be true, false or a process id"),
        ("cookie_secure", &["always"], "it must be one of `auto`, `true`, `false`"),
        (
            "cors_origins",
            &[
                "*",
                "null",
                "https://*",
                "https://*.a.org",
                "https://a.org/",
                "https://a.org/x",
                "a.org",
                "https://u@a.org",
                "file://h",
                "https://",
                "tauri://",
                "https://a:99999",
            ],
            "it must be exact origins",
        ),
        (
            "trusted_proxies",
            &["localhost", "10.0.0.0/33", "10.0.0.1-9", "127.0.0.1:80"],
            "it must be addresses or networks",
        ),
        (
            "forward_auth",
            &["a", "*.a.b=all", "a=users:", "https://a=signed-in"],
            "it must be rules such as `*.example.org",
        ),
        (
            "cookie_domain",
            &["org", "*.a.b", "a.b:1", "192.0.2.1", "https://a.b", "a b", ".."],
            "it must be a domain of at least two",
        ),
        (
            "log",
            &["inof", "verbose", "usher=loud", "=info", "a=b=info", "info/a/b", ",", "usher"],
            "it must be error, warn, info, debug, trace or off",
        ),
    ];
    for (key, values, wanted) in cases {
        for value in *values {
            let refusal = Machine::new().flag(key, value).refusal();
            assert!(refusal.starts_with("--") && refusal.contains(wanted), "{key} {value}: {refusal}");
        }
    }
    assert_eq!(
        Machine::new().env("USHER_BCRYPT_COST", "4").refusal(),
        "USHER_BCRYPT_COST is \"4\"; it must be a whole number from 10 to 20"
    );
    assert_eq!(
        from_file("bcrypt_cost = -4").refusal(),
        "`bcrypt_cost` in /work/usher.toml is \"-4\"; it must be a whole number from 10 to 20"
    );
    for setting in SETTINGS.iter().filter(|setting| setting.value_type != ValueType::List) {
        let refusal = Machine::new().flag(setting.name, "").refusal();
        let flag = setting.flag();
        assert_eq!(refusal, format!("--{flag} is empty; it must be a value; leave the flag out for the default"));
    }
}

#[test]
fn values_of_another_toml_type_are_refused() {
    let cases = [
        ("bind = 7860", "is a whole number; it must be a string in quotes"),
        ("bind.port = 1", "is a table; it must be a string in quotes"),
        ("workers = '2'", "is a string; it must be a whole number, without quotes"),
        ("workers = 2.0", "is a number with a fraction; it must be a whole number, without quotes"),
        ("throttle = 'true'", "is a string; it must be true or false, without quotes"),
        ("throttle = 1", "is a whole number; it must be true or false"),
        ("exit_with_parent = '4711'", "is a string; it must be true, false or a process id, without quotes"),
        ("signup = true", "is true or false; it must be a string in quotes"),
        ("cors_origins = 'https://a.org'", "is a string; it must be a list of strings in quotes"),
        ("trusted_proxies = ['::1', 1]", "is a list; it must be a list of strings in quotes"),
        ("log = 2020-01-01", "is a date or time; it must be a string in quotes"),
        ("secret_key_file = 1", "is a whole number; it must be a string in quotes"),
        ("secret_key = ['hunter2-hunter2-hunter2-hunter2-hunter2']", "is a list; it must be a string in quotes"),
    ];
    for (text, fault) in cases {
        let refusal = from_file(text).refusal();
        assert!(refusal.contains("` in /work/usher.toml ") && refusal.contains(fault), "{text}: {refusal}");
    }
}

#[test]
fn declarations_name_the_words_of_their_choices() {
    for setting in SETTINGS {
        let ValueType::Choice(words) = setting.value_type else { continue };
        for word in words.split('|') {
            assert_eq!(Machine::new().flag(setting.name, word).load().shown(setting.name), word);
        }
        let listed = words.split('|').map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        assert!(Machine::new().flag(setting.name, "other").refusal().ends_with(&format!("one of {listed}")));
    }
}
