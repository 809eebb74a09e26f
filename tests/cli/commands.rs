//! The commands for users, sessions, keys and settings.

use needs::needs;
use serde_json::Value;

use crate::helpers::{self, PASSWORD, server, sign_in, token, whoami};
use crate::support::process::{ProcessOutput, Program, ServerProcess};

fn usher(server: &ServerProcess, arguments: &[&str], input: &str) -> ProcessOutput {
    Program::in_dir(&server.dir, arguments).input(input).finish()
}

/// Runs a command that must succeed. Returns its output.
fn done(server: &ServerProcess, arguments: &[&str], input: &str) -> String {
    let ended = usher(server, arguments, input);
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    assert!(ended.stderr.contains(&format!("database: {}", helpers::shown_database(&server.dir))), "{ended:?}");
    ended.stdout
}

fn json(server: &ServerProcess, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(server, arguments, "")).unwrap()
}

/// Runs a command that must fail. Returns the reason.
fn refused(server: &ServerProcess, arguments: &[&str], input: &str) -> String {
    let ended = usher(server, arguments, input);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {ended:?}");
    ended.stderr
}

#[test]
fn changes_by_commands_apply_at_once_in_the_running_server() {
    let server = server();
    assert!(done(&server, &["user", "add", "Ada"], PASSWORD).starts_with("added user Ada ("));
    let session = token(&server, "ada", PASSWORD);
    assert_eq!(whoami(&server, &session), 200);
    assert_eq!(done(&server, &["user", "rename", "ada", "Grace"], ""), "Ada is now called Grace\n");
    assert_eq!(done(&server, &["user", "deactivate", "GRACE"], ""), "Grace is now inactive\n");
    assert_eq!((whoami(&server, &session), sign_in(&server, "grace", PASSWORD).status), (401, 401));
    done(&server, &["user", "activate", "grace"], "");
    assert_eq!(whoami(&server, &session), 401, "the session ended and stays ended");
    let session = token(&server, "grace", PASSWORD);
    let text = done(&server, &["user", "set-password", "grace"], "another-otter-8\n");
    assert_eq!(text, "Grace has a new password; sessions ended: 1\n");
    assert_eq!((whoami(&server, &session), sign_in(&server, "grace", PASSWORD).status), (401, 401));
    let session = token(&server, "grace", "another-otter-8");
    done(&server, &["user", "promote", "grace"], "");
    assert_eq!(server.request("GET", "/api/v1/users/").bearer(&session).send().status, 200);
    done(&server, &["user", "demote", "grace"], "");
    assert_eq!(server.request("GET", "/api/v1/users/").bearer(&session).send().status, 403);
    done(&server, &["user", "delete", "grace", "--yes"], "");
    assert_eq!(whoami(&server, &session), 401);
}

#[test]
fn commands_make_a_user_choose_a_new_password() {
    let server = server();
    done(&server, &["user", "add", "ada"], PASSWORD);
    let session = token(&server, "ada", PASSWORD);
    let keys = |session: &str| server.request("GET", "/api/v1/api_key/").bearer(session).send();
    let required = "Choose a new password first";
    assert_eq!(done(&server, &["user", "require-password", "ada"], ""), "ada is now required to change the password\n");
    keys(&session).refused(403, required);
    assert_eq!(json(&server, &["user", "show", "ada", "--json"])["must_change_password"], true);
    assert!(done(&server, &["user", "show", "ada"], "").contains("must change password  yes\n"));
    assert!(refused(&server, &["user", "require-password", "ada"], "").contains("ada is already required"));
    done(&server, &["user", "require-password", "ada", "--cancel"], "");
    keys(&session).expect(200);
    done(&server, &["user", "set-password", "ada", "--must-change"], "another-otter-8");
    let session = token(&server, "ada", "another-otter-8");
    keys(&session).refused(403, required);
    assert!(
        done(&server, &["audit", "--action", "password.require"], "").contains("must_change_password: false → true")
    );
    done(&server, &["user", "set-password", "ada"], "another-otter-9");
    keys(&token(&server, "ada", "another-otter-9")).expect(200);
}

#[test]
fn sessions_and_keys_are_listed_and_ended() {
    let server = server();
    let (first, second) = (token(&server, "admin", "adminpw123"), token(&server, "admin", "adminpw123"));
    let made = server.request("POST", "/api/v1/api_key/").bearer(&first).json(&serde_json::json!({ "name": "ci" }));
    let key = made.send().expect(200).json()["api_key"].as_str().unwrap().to_owned();
    let sessions = json(&server, &["session", "list", "admin", "--json"]);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let newest = sessions[0]["id"].as_str().unwrap();
    done(&server, &["session", "end", "admin", newest, "--yes"], "");
    assert_eq!((whoami(&server, &first), whoami(&server, &second)), (200, 401));
    assert!(refused(&server, &["session", "end", "admin", newest, "--yes"], "").contains("no such session"));
    assert_eq!(done(&server, &["session", "end", "admin", "--all", "--yes"], ""), "sessions ended: 1\n");
    assert_eq!(whoami(&server, &first), 401);

    let keys = json(&server, &["key", "list", "admin", "--json"]);
    assert_eq!((keys[0]["name"].as_str(), keys.to_string().contains(&key)), (Some("ci"), false));
    let id = keys[0]["id"].as_str().unwrap();
    let asks = || server.request("GET", "/api/v1/users/whoami").key(&key).send().status;
    assert_eq!(asks(), 200);
    assert!(refused(&server, &["key", "delete", "admin", id], "").contains("--yes"));
    done(&server, &["key", "delete", "admin", id, "--yes"], "");
    assert_eq!(asks(), 403);
    assert!(refused(&server, &["key", "delete", "admin", id, "--yes"], "").contains("nothing was changed"));
}

#[test]
fn commands_that_change_nothing_fail_with_a_reason() {
    let server = server();
    for arguments in [["user", "demote", "admin"], ["user", "deactivate", "admin"]] {
        assert!(refused(&server, &arguments, "").contains("admin is the last active superuser"));
    }
    let delete = refused(&server, &["user", "delete", "admin", "--yes"], "");
    assert!(delete.contains("last active superuser"), "{delete}");
    assert!(refused(&server, &["user", "delete", "admin"], "").contains("--yes"));
    assert!(refused(&server, &["user", "activate", "admin"], "").contains("is already active; nothing was changed"));
    assert!(refused(&server, &["user", "show", "nobody"], "").contains("there is no user \"nobody\""));
    assert!(refused(&server, &["user", "add", "ADMIN"], PASSWORD).contains("the name \"ADMIN\" is taken"));
    assert!(refused(&server, &["user", "add", "ada"], "short").contains("at least 8 characters"));
    assert!(refused(&server, &["user", "set-password", "admin"], "Admin").contains("Password should"));
    done(&server, &["user", "add", "ada"], PASSWORD);
    assert!(refused(&server, &["user", "rename", "ada", "Admin"], "").contains("is taken"));
    assert_eq!(json(&server, &["user", "list", "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(json(&server, &["user", "list", "--search", "AD", "--json"])[1]["username"], "ada");
    assert_eq!(json(&server, &["user", "show", "Ada", "--json"])["is_superuser"], false);
}

#[test]
fn the_audit_log_names_the_command_line() {
    let server = server();
    done(&server, &["user", "add", "ada"], PASSWORD);
    done(&server, &["user", "promote", "ada"], "");
    let entries = json(&server, &["audit", "--user", "ada", "--json"]);
    let seen: Vec<_> = entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(seen, ["user.promote", "user.add"]);
    assert_eq!(
        (entries[0]["actor_name"].as_str(), entries[0]["detail"].as_str()),
        (Some("command line"), Some("is_superuser: false → true"))
    );
    assert!(done(&server, &["audit", "--limit", "1"], "").contains("user.promote"));
}

#[needs(sqlite)]
#[test]
fn no_command_creates_a_database_by_mistake() {
    for arguments in [&["user", "list"][..], &["user", "add", "ada"], &["session", "list", "ada"], &["audit"]] {
        let program = Program::new(arguments).input(PASSWORD);
        let dir = program.dir.clone();
        let ended = program.finish();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains("does not exist; start the server once"), "{ended:?}");
        assert!(!dir.path().join("data").exists());
    }
}

#[test]
fn effective_settings_are_shown_with_sources_but_without_secrets() {
    let ended = Program::new(&["config", "--json", "--signup", "open"]).superuser().finish();
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(shown["signup"], serde_json::json!({ "value": "open", "source": "--signup" }));
    assert_eq!(shown["bcrypt_cost"]["source"], "USHER_BCRYPT_COST");
    assert_eq!(shown["superuser_password"]["value"], "***");
    assert!(!ended.stdout.contains("adminpw123"));
    assert!(Program::new(&["config"]).finish().stdout.starts_with("SETTING"));
}

#[test]
fn a_healthcheck_fails_without_a_working_server() {
    let server = server();
    let url = format!("http://{}", server.address);
    let ended = Program::new(&["healthcheck", &url]).finish();
    assert_eq!((ended.status.code(), ended.stdout), (Some(0), format!("{url}/ is healthy\n")));
    let bound = Program::new(&["healthcheck"]).env("USHER_BIND", server.address.to_string()).finish();
    assert!(bound.status.success(), "{bound:?}");
    server.stop();
    let ended = Program::new(&["healthcheck", &url]).finish();
    assert!(ended.status.code() == Some(1) && ended.stderr.contains("does not answer"), "{ended:?}");
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = Program::new(&["completions", shell]).finish();
        assert!(ended.status.success() && ended.stdout.contains("set-password"), "{shell}");
    }
}

#[needs(sqlite)]
#[test]
fn every_command_prints_json_for_programs() {
    let server = server();
    let dir = &server.dir;
    done(&server, &["user", "add", "ada", "--json"], PASSWORD);
    let password = done(&server, &["user", "set-password", "ada", "--json"], "another-otter-8");
    assert_eq!(serde_json::from_str::<Value>(&password).unwrap()["username"], "ada");
    let link = json(&server, &["user", "reset-link", "ADA", "--json"]);
    assert!(link["link"].as_str().unwrap().contains("/reset#token=") && link["username"] == "ada", "{link}");
    assert!(done(&server, &["user", "reset-link", "ada"], "").starts_with("http://"));
    for arguments in [
        &["user", "list"][..],
        &["user", "show", "ada"],
        &["user", "rename", "ada", "eve"],
        &["user", "deactivate", "eve"],
        &["user", "activate", "eve"],
        &["user", "promote", "eve"],
        &["user", "demote", "eve"],
        &["session", "list", "eve"],
        &["key", "list", "eve"],
        &["user", "delete", "eve", "--yes"],
        &["audit", "--limit", "1"],
        &["config"],
        &["backup", "b.gz"],
        &["export", "e.jsonl"],
    ] {
        let value = helpers::json(dir, arguments);
        assert!(value.is_object() || value.is_array(), "{arguments:?}: {value}");
    }
    let url = format!("http://{}", server.address);
    let healthy = Program::new(&["--json", "healthcheck", &url]).finish();
    assert_eq!(serde_json::from_str::<Value>(&healthy.stdout).unwrap()["healthy"], true);
}

#[test]
fn refusals_about_a_user_are_audited_but_unknown_names_are_not() {
    let server = server();
    refused(&server, &["user", "demote", "admin"], "");
    refused(&server, &["user", "add", "ADMIN"], PASSWORD);
    refused(&server, &["user", "set-password", "admin"], "short");
    refused(&server, &["user", "delete", "hunter2-was-typed-here", "--yes"], "");
    let entries = json(&server, &["audit", "--user", "admin", "--json"]);
    let failed: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["success"] == false)
        .map(|entry| (entry["action"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect();
    let expected = [
        ("password.change", "refused: password"),
        ("user.add", "refused: name taken"),
        ("user.change", "refused: last superuser"),
    ];
    assert_eq!(failed, expected);
    assert!(!json(&server, &["audit", "--json"]).to_string().contains("hunter2"));
}

#[test]
fn a_closed_output_pipe_is_not_an_error() {
    let server = server();
    for arguments in [&["user", "list"][..], &["audit"], &["config"], &["completions", "bash"], &["doctor"]] {
        let ended = Program::in_dir(&server.dir, arguments).finish_with_closed_stdout();
        assert!(ended.status.success() && !ended.stderr.contains("panicked"), "{arguments:?}: {ended:?}");
    }
}
