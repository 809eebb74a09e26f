//! Checks that the tests that SECURITY.md names exist.

use std::path::Path;

/// Reads every Rust file below a directory.
fn sources(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_requirement_in_security_md_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    sources(&root.join("src"), &mut all);
    sources(&root.join("tests"), &mut all);
    let document = include_str!("../../SECURITY.md");
    let (_, table) = document.split_once("| requirement | how | test |\n|---|---|---|\n").unwrap();
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 50);
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let last = name.rsplit("::").next().unwrap();
            let path = name.replace("::", "/");
            let is_file = [format!("src/{path}.rs"), format!("src/{path}/mod.rs"), name.to_owned()];
            let known = all.contains(&format!("fn {last}(")) || is_file.iter().any(|file| root.join(file).exists());
            assert!(known, "{name}");
        }
    }
}
