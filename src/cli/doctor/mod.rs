//! `usher doctor`: checks the installation and prints a remedy for each finding. Changes nothing. A check that can't
//! run is a finding, too.

mod backups;
mod data;
mod files;
mod passkeys;
mod postgres;
mod server;
mod settings;
mod sqlite;

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::output::{AlreadyPrinted, notice, print_findings};
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::domain::printable::printable;
use crate::server::database;
use crate::store::inspection::Inspection;

/// The check of the database, of either engine.
const DATABASE: &str = "database";

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Ok,
    Warning,
    Problem,
}

/// A finding and its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    status: Severity,
    found: String,
    /// Empty if there is nothing to do.
    remedy: String,
}

/// All findings.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { check, status: Severity::Ok, found: found.into(), remedy: String::new() });
    }

    fn warning(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { check, status: Severity::Warning, found: found.into(), remedy: remedy.into() });
    }

    fn problem(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { check, status: Severity::Problem, found: found.into(), remedy: remedy.into() });
    }

    /// Adds `found` if this check has no findings.
    fn ok_if_clean(&mut self, check: &'static str, found: impl Into<String>) {
        if !self.0.iter().any(|finding| finding.check == check) {
            self.ok(check, found);
        }
    }

    fn count(&self, status: Severity) -> usize {
        self.0.iter().filter(|finding| finding.status == status).count()
    }
}

/// Runs all checks.
pub fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let now = Clock::system().now();
    let database = database::shown(config);
    notice(format_args!("database: {database}"));
    let server = running_server::locate_server(config);
    let mut report = Report::default();
    settings::check(config, &mut report);
    sqlite::check(&mut report);
    files::check(config, &mut report);
    let inspection = data::check(config, now, &mut report);
    passkeys::check(config, inspection.as_ref(), &mut report);
    server::check(config, &server, &mut report);
    backups::check(config, now, &server, inspection.as_ref(), &mut report);
    print_report(&report, Some(&database), json)
}

/// Reports invalid settings, without which nothing else can be checked.
pub fn run_without_settings(error: &str, json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    report.problem("settings", error, "correct it; nothing else can be checked before");
    print_report(&report, None, json)
}

fn print_report(report: &Report, database: Option<&str>, json: bool) -> Result<(), Failure> {
    let (problems, warnings) = (report.count(Severity::Problem), report.count(Severity::Warning));
    let shown = serde_json::json!({ "database": database, "healthy": problems == 0, "findings": report.0 });
    print_findings(json, &shown, || {
        let mut text = String::new();
        for Finding { check, status, found, remedy } in &report.0 {
            let word = match status {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Problem => "PROBLEM",
            };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{word:<8} {check:<15} {}", printable(found));
            if !remedy.is_empty() {
                let _ = writeln!(text, "{:<24} -> {}", "", printable(remedy));
            }
        }
        text
    })?;
    match problems {
        0 => Ok(()),
        _ => Err(AlreadyPrinted(format!("problems: {problems}, warnings: {warnings}")).into()),
    }
}

/// The number of users as a text.
fn users(inspection: &Inspection) -> String {
    inspection.user_count().map_or_else(|_| "some".to_owned(), |users| users.to_string())
}

/// Formats a number of bytes.
fn format_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn format_age(age: chrono::TimeDelta) -> String {
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (0, 0, minutes) => format!("{minutes} minutes"),
        (0, hours, _) => format!("{hours} hours"),
        (days, ..) => format!("{days} days"),
    }
}
