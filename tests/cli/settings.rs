//! Commands use the settings and the address of the server beside them, and no file that another program or user put
//! into the working directory.

use std::fs;
use std::sync::Arc;

use needs::needs;
use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{PASSWORD, done, server, usher};
use crate::support::Program;
use crate::support::wait::until;

#[test]
fn commands_use_the_servers_settings_file_and_address() {
    let dir = Arc::new(TempDir::new().unwrap());
    let file = dir.path().join("server.toml");
    fs::write(&file, "password_min_length = 20\n").unwrap();
    let server = Program::in_dir(&dir, &["--config", "server.toml"])
        .superuser()
        .env("USHER_SUPERUSER_PASSWORD", "a long password of the superuser");
    let server = server.start();
    let link = done(&dir, &["user", "reset-link", "admin"]);
    assert!(link.starts_with(&format!("http://{}/reset#token=", server.address)), "{link}");
    let ended = Program::in_dir(&dir, &["user", "add", "ann"]).input(PASSWORD).finish();
    assert!(!ended.status.success() && ended.stderr.contains("at least 20 characters"), "{ended:?}");
    assert!(ended.stderr.contains(&format!("settings: {}, as the server", file.display())), "{ended:?}");
    let healthy = done_without_database(&dir, &["healthcheck"]);
    assert_eq!(healthy, format!("http://{}/ is healthy\n", server.address));
    // After the server has stopped, commands still use its settings. A flag selects others.
    server.stop();
    let ended = Program::in_dir(&dir, &["user", "add", "ann"]).input(PASSWORD).finish();
    assert!(!ended.status.success(), "{ended:?}");
    fs::write(dir.path().join("other.toml"), "").unwrap();
    let other = Program::in_dir(&dir, &["--config", "other.toml", "user", "add", "ann"]).input(PASSWORD).finish();
    assert!(other.status.success(), "{other:?}");
}

fn done_without_database(dir: &Arc<TempDir>, arguments: &[&str]) -> String {
    let ended = usher(dir, arguments);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

/// The text of one finding of `usher doctor`.
fn finding(dir: &Arc<TempDir>, bind: &str, check: &str) -> String {
    let ended = Program::in_dir(dir, &["doctor", "--json"]).env("USHER_BIND", bind).finish();
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    found.map(|finding| finding["found"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn doctor_asks_the_server_on_the_data_directory_and_no_other() {
    let (mine, other) = (server(), server());
    let found = finding(&mine.dir, &other.address.to_string(), "server");
    assert_eq!(found, format!("a server uses this database, and is healthy at http://{}", mine.address));
    let dir = Arc::clone(&mine.dir);
    mine.stop();
    assert!(!finding(&dir, &other.address.to_string(), "server").contains("is healthy"));
}

#[test]
fn the_config_toml_of_another_program_is_ignored() {
    let server = server();
    fs::write(server.dir.path().join("config.toml"), "baseURL = 'https://example.org'\n").unwrap();
    assert!(done(&server.dir, &["user", "list"]).contains("admin"));
}

#[needs(root)]
#[test]
fn an_usher_toml_of_another_user_is_ignored_with_a_notice() {
    let server = server();
    let file = server.dir.path().join("usher.toml");
    fs::write(&file, "data_dir = 'elsewhere'\nsignup = 'open'\n").unwrap();
    let config = |dir| Program::in_dir(dir, &["config", "--json"]).without_env("USHER_DATA_DIR").finish();
    let ended = config(&server.dir);
    assert!(ended.stdout.contains("\"value\": \"open\""), "{ended:?}");
    std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
    let ended = config(&server.dir);
    assert!(!ended.stdout.contains("\"value\": \"open\"") && !ended.stdout.contains("elsewhere"), "{ended:?}");
    assert!(ended.stderr.contains("usher.toml is ignored, because it belongs to another user"), "{ended:?}");
    // A link to the user's own file is ignored, too.
    fs::remove_file(&file).unwrap();
    fs::write(server.dir.path().join("mine"), "signup = 'open'\n").unwrap();
    std::os::unix::fs::symlink("mine", &file).unwrap();
    assert!(!config(&server.dir).stdout.contains("\"value\": \"open\""));
}

#[test]
fn a_proxy_that_is_not_trusted_is_reported_once_in_the_log_and_by_doctor() {
    let server = server();
    for _ in 0..2 {
        server.request("GET", "/health").header("X-Forwarded-For", "192.0.2.1").send().expect(200);
        server.request("GET", "/api/v1/users/whoami").header("X-Forwarded-For", "192.0.2.1").send();
    }
    let record = server.data_dir().join("server.json");
    until("the proxy isn't recorded", || {
        fs::read_to_string(&record).unwrap_or_default().contains("\"untrusted_proxy\":\"127.0.0.1\"")
    });
    let dir = Arc::clone(&server.dir);
    assert!(finding(&dir, "127.0.0.1:0", "settings").contains("127.0.0.1 sends X-Forwarded-For"));
    let trusting = Program::in_dir(&dir, &["doctor"]).env("USHER_TRUSTED_PROXIES", "::ffff:127.0.0.1").finish();
    assert!(!trusting.stdout.contains("X-Forwarded-For"), "{trusting:?}");
    let everyone = Program::in_dir(&dir, &["doctor"]).env("USHER_TRUSTED_PROXIES", "0.0.0.0/0").finish();
    assert!(everyone.stdout.contains("`trusted_proxies` contains 0.0.0.0/0"), "{everyone:?}");
    assert_eq!(server.stop().stderr.matches("sends X-Forwarded-For").count(), 1);
}
