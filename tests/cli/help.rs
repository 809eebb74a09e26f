//! The help texts and completions.

use needs::needs;

use crate::support::process::Program;

/// The rows and columns of a small terminal.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

fn help(arguments: &[&str]) -> String {
    Program::new(arguments).env("COLUMNS", COLUMNS.to_string()).finish().stdout
}

/// All commands and groups of commands, from the help texts, with the help of each.
fn every_help() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut above = vec![String::new()];
    while let Some(command) = above.pop() {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let text = help(&arguments);
        let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
        let inner = names.iter().filter(|name| !["help", "serve"].contains(name));
        above.extend(inner.map(|name| format!("{command} {name}")));
        if !command.is_empty() {
            all.push((command.trim().to_owned(), text));
        }
    }
    assert!(all.len() > 30 && all.iter().any(|(command, _)| command == "user set-password"), "{all:?}");
    all
}

#[test]
fn the_help_of_every_command_but_serve_fits_on_a_small_terminal() {
    for (command, text) in every_help() {
        // The last row is the shell's.
        assert!(text.lines().count() < ROWS, "{command}: {} lines\n{text}", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{command}:\n{text}");
        let arguments: Vec<&str> = command.split(' ').chain(["-h"]).collect();
        assert_eq!(help(&arguments), text, "{command}");
    }
    assert!(help(&["--help"]).lines().count() <= 42);
    assert!(help(&["serve", "-h"]).lines().count() < ROWS);
    assert!(help(&["serve", "--help"]).contains("--bcrypt-cost"));
}

#[test]
fn the_help_of_every_command_has_its_options_and_examples() {
    for (command, text) in every_help() {
        if text.contains("\nCommands:\n") {
            assert!(text.contains(&format!("`usher {command} COMMAND --help` prints")), "{command}:\n{text}");
        } else {
            assert!(text.contains("\nExamples:\n  usher "), "{command}:\n{text}");
            assert!(text.contains(" --data-dir ") && !text.contains("--bcrypt-cost"), "{command}:\n{text}");
        }
    }
    let import = help(&["import", "langflow", "--help"]);
    assert!(import.contains("--secret-key-file <PATH>       The file with Langflow's secret key\n"), "{import}");
    assert_eq!(import.matches("--secret-key-file").count(), 1, "{import}");
    let whole = help(&["--help"]);
    for words in ["Exit status:", "130", "Examples:", "rotate-secret", "doctor"] {
        assert!(whole.contains(words), "{words}: {whole}");
    }
}

fn assert_completions_are_readable(shell: &str, check: &str) {
    let script = Program::new(&["completions", shell]).finish().stdout;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    std::fs::write(&path, script).unwrap();
    let read = std::process::Command::new(shell).arg(check).arg(&path).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{shell}: {read:?}");
}

#[needs(bash)]
#[test]
fn bash_reads_its_completions() {
    assert_completions_are_readable("bash", "-n");
}

#[needs(zsh)]
#[test]
fn zsh_reads_its_completions() {
    assert_completions_are_readable("zsh", "-n");
}

#[needs(fish)]
#[test]
fn fish_reads_its_completions() {
    assert_completions_are_readable("fish", "--no-execute");
}
