//! Lists, help and messages of the command line.

use std::process::Command;

use needs::needs;
use serde_json::Value;

use crate::helpers::{PASSWORD, done, json as printed, server, sign_in, usher};
use crate::support::process::{Program, ServerProcess};

fn add(server: &ServerProcess, name: &str) {
    let ended = Program::in_dir(&server.dir, &["user", "add", "--", name]).input(PASSWORD).finish();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn users_are_listed_by_state_in_any_order_up_to_a_limit_and_as_csv() {
    let server = server();
    for name in ["berta", "anna", "=carl"] {
        add(&server, name);
    }
    sign_in(&server, "anna", PASSWORD).expect(200);
    done(&server.dir, &["user", "deactivate", "anna"]);
    let names = |options: &[&str]| -> Vec<String> {
        let listed = printed(&server.dir, &[&["user", "list"], options].concat());
        listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["admin", "berta", "anna", "=carl"]);
    assert_eq!(names(&["--sort", "name", "--limit", "2"]), ["=carl", "admin"]);
    assert_eq!(names(&["--reverse", "--limit", "1"]), ["=carl"]);
    assert_eq!(names(&["--state", "inactive"]), ["anna"]);
    assert_eq!(names(&["--state", "superuser", "--search", "ADM"]), ["admin"]);
    let table = done(&server.dir, &["user", "list", "--sort", "name"]);
    let states: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(
        states,
        [["NAME", "STATE"], ["=carl", "active"], ["admin", "active"], ["anna", "inactive"], ["berta", "active"]]
    );
    let csv = done(&server.dir, &["user", "list", "--csv", "--sort", "name", "--limit", "1"]);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "id,username,is_active,is_superuser,create_at,updated_at,last_login_at");
    assert!(lines[1].contains(",'=carl,true,false,20") && lines[1].ends_with("Z,") && lines.len() == 3, "{csv}");
    assert_eq!(usher(&server.dir, &["user", "list", "--state", "sleeping"]).status.code(), Some(2));
}

#[test]
fn the_audit_log_is_filtered_by_action_address_time_and_failure() {
    let server = server();
    sign_in(&server, "admin", "wrong").expect(401);
    sign_in(&server, "admin", "adminpw123").expect(200);
    let actions = |options: &[&str]| -> Vec<(String, bool)> {
        let listed = printed(&server.dir, &[&["audit"], options].concat());
        let shown = |entry: &Value| (entry["action"].as_str().unwrap().to_owned(), entry["success"] == true);
        listed.as_array().unwrap().iter().map(shown).collect()
    };
    let login = |success| ("login".to_owned(), success);
    assert_eq!(actions(&["--action", "login"]), [login(true), login(false)]);
    assert_eq!(actions(&["--failed"]), [login(false)]);
    assert_eq!(actions(&["--address", "127.0.0.1", "--limit", "1"]), [login(true)]);
    assert_eq!(actions(&["--address", "192.0.2.1"]), []);
    assert_eq!(actions(&["--since", "2099-01-31"]), []);
    assert_eq!(actions(&["--since", "2020-01-31T12:00:00Z", "--until", "2099-01-01", "--failed"]), [login(false)]);
    let ended = usher(&server.dir, &["audit", "--since", "yesterday"]);
    assert!(ended.status.code() == Some(2) && ended.stderr.contains("such as 2026-01-31"), "{ended:?}");
}

#[test]
fn the_settings_are_in_the_help_of_serve_alone_and_flags_work_everywhere() {
    let help = |arguments: &[&str]| Program::new(arguments).finish().stdout;
    for arguments in [&["user", "list", "--help"][..], &["audit", "--help"], &["--help"]] {
        let text = help(arguments);
        assert!(!text.contains("--bcrypt-cost") && text.contains("--data-dir"), "{text}");
    }
    assert!(help(&["serve", "--help"]).contains("--bcrypt-cost"));
    for arguments in [&["--signup", "open", "config", "--json"][..], &["config", "--json", "--signup", "open"]] {
        assert_eq!(serde_json::from_str::<Value>(&help(arguments)).unwrap()["signup"]["value"], "open");
    }
}

#[test]
fn a_wrong_command_line_is_json_for_programs() {
    let ended = Program::new(&["user", "lst", "--json"]).finish();
    assert_eq!(ended.status.code(), Some(2));
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(printed["error"], "unrecognized subcommand 'lst'");
    assert!(ended.stderr.contains("unrecognized subcommand"), "{ended:?}");
    let ended = Program::new(&["user", "list", "--sort", "age", "--json"]).finish();
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    let expected = "invalid value 'age' for '--sort <SORT>' [possible values: created, name, last_login]";
    assert_eq!(printed["error"], expected);
    assert_eq!(Program::new(&["user", "lst"]).finish().stdout, "");
}

#[test]
fn each_command_has_a_man_page() {
    let program = Program::new(&["man", "."]);
    let dir = std::sync::Arc::clone(&program.dir);
    let ended = program.finish();
    assert!(ended.status.success(), "{ended:?}");
    for name in ["usher.1", "usher-serve.1", "usher-user-list.1"] {
        let page = std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
    }
}

#[test]
fn messages_name_the_process_on_the_port_and_a_data_directory_that_is_a_file() {
    let server = server();
    let second = Program::new(&[]).superuser().env("USHER_BIND", server.address.to_string()).finish();
    let pid = server.ready["pid"].to_string();
    assert!(second.stderr.contains(&format!("(process {pid}, usher)")), "{second:?}");
    let file = server.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for arguments in [&["user", "list"][..], &[]] {
        let ended = Program::in_dir(&server.dir, arguments).superuser().env("USHER_DATA_DIR", &file).finish();
        assert!(ended.stderr.contains("is not a directory"), "{arguments:?}: {ended:?}");
    }
}

#[needs(python3, sqlite)]
#[test]
fn on_a_terminal_tables_fit_the_width_and_have_a_bold_header() {
    let server = server();
    add(&server, &"名".repeat(30));
    let script = "import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 40, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
out = b''
try:
    while chunk := os.read(fd, 4096): out += chunk
except OSError: pass
sys.stdout.buffer.write(out)";
    let shown = |arguments: &[&str], no_color: bool| {
        let mut python = Command::new("python3");
        python.args(["-c", script, env!("CARGO_BIN_EXE_usher")]).args(arguments).current_dir(server.dir.path());
        python.env_clear().env("USHER_DATA_DIR", server.data_dir()).env("TERM", "xterm").env("HOME", server.dir.path());
        if no_color {
            python.env("NO_COLOR", "1");
        }
        String::from_utf8(python.output().unwrap().stdout).unwrap()
    };
    let text = shown(&["user", "list"], false);
    assert!(text.contains("\u{1b}[1mNAME ") && text.contains("名名名名名名名名名名名…   \u{1b}[32mactive"), "{text:?}");
    for (arguments, colored) in [
        (&["user", "list", "--search", "admin"][..], "\u{1b}[32mactive\u{1b}[0m"),
        (&["audit"], "\u{1b}[32mok\u{1b}[0m"),
        (&["doctor"], "\u{1b}[32mok\u{1b}[0m "),
        (&["user", "show", "nobody"], "\u{1b}[31musher:\u{1b}[0m "),
    ] {
        let text = shown(arguments, false);
        assert!(text.contains(colored), "{arguments:?} {text:?}");
        let plain = shown(arguments, true);
        assert!(!plain.is_empty() && !plain.contains('\u{1b}'), "{plain:?}");
    }
}
