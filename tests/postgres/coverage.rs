//! Checks which tests also run on PostgreSQL.

/// Files whose tests concern SQLite's file, the data directory or no database.
const LEFT_OUT: [&str; 14] = [
    "cli/as_root.rs",
    "cli/backup.rs",
    "cli/doctor.rs",
    "cli/other_database.rs",
    "cli/full_disk.rs",
    "cli/escaping.rs",
    "cli/help.rs",
    "cli/restored_credentials.rs",
    "cli/backup_schedule.rs",
    "cli/interrupts.rs",
    "routes/openapi.rs",
    "security/document.rs",
    "security/remembered_callers.rs",
    "support/mod.rs",
];

#[test]
fn every_test_of_routes_security_and_commands_runs_on_postgresql() {
    let mut missing = Vec::new();
    for folder in ["routes", "security", "cli"] {
        let main = std::fs::read_to_string(format!("tests/{folder}/main.rs")).unwrap();
        for line in main.lines() {
            let Some(name) = line.strip_prefix("mod ").and_then(|line| line.strip_suffix(';')) else { continue };
            let file = if name == "support" { "support/mod.rs".to_owned() } else { format!("{folder}/{name}.rs") };
            let is_included = include_str!("shared.rs").contains(&format!("#[path = \"../{file}\"]"));
            if !is_included && !LEFT_OUT.contains(&file.as_str()) {
                missing.push(file);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "add them to tests/postgres/shared.rs");
}
