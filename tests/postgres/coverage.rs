//! Checks which tests also run on PostgreSQL.

/// Files with tests of SQLite's file, of the data directory, or of what doesn't depend on the database.
const LEFT_OUT: [&str; 20] = [
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
    "cli/json_output.rs",
    "cli/settings.rs",
    "routes/login_forms.rs",
    "routes/openapi.rs",
    "routes/pages.rs",
    "routes/server.rs",
    "security/cookies.rs",
    "security/document.rs",
    "security/origins.rs",
    "security/remembered_callers.rs",
];

#[test]
fn every_test_of_routes_security_and_commands_runs_on_postgresql() {
    let mut missing = Vec::new();
    for folder in ["routes", "security", "cli"] {
        let modules = std::fs::read_to_string(format!("tests/{folder}/mod.rs")).unwrap();
        for line in modules.lines() {
            let Some((_, name)) = line.split_once("mod ") else { continue };
            let file = format!("{folder}/{}.rs", name.trim_end_matches(';'));
            let is_included = include_str!("shared.rs").contains(&format!("#[path = \"../{file}\"]"));
            if !is_included && !LEFT_OUT.contains(&file.as_str()) {
                missing.push(file);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "add them to tests/postgres/shared.rs or to LEFT_OUT");
}
