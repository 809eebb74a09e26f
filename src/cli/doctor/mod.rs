//! Owns `usher doctor`: looks for what is wrong or soon will be, and says what to do about each finding. Changes
//! nothing and makes nothing; what cannot be looked at is a finding, too.

mod backups;
mod data;
mod files;
mod server;
mod settings;
mod sqlite;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use crate::cli::context::{Printed, print, tell};
use crate::cli::{Failure, running_server};
use crate::config::{Config, ConfigError};
use crate::domain::clock::Clock;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Problem,
}

/// What was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    found: String,
    /// Empty where nothing needs to be done.
    remedy: String,
}

/// Everything that was found.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { check, status: Status::Ok, found: found.into(), remedy: String::new() });
    }

    fn warning(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { check, status: Status::Warning, found: found.into(), remedy: remedy.into() });
    }

    fn problem(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { check, status: Status::Problem, found: found.into(), remedy: remedy.into() });
    }

    /// Whether this check found nothing wrong; then it says `found`.
    fn ok_unless_said(&mut self, check: &'static str, found: impl Into<String>) {
        if !self.0.iter().any(|finding| finding.check == check) {
            self.ok(check, found);
        }
    }

    fn count(&self, status: Status) -> usize {
        self.0.iter().filter(|finding| finding.status == status).count()
    }
}

/// Looks at everything.
pub fn run(config: &Config, as_json: bool) -> Result<(), Failure> {
    let now = Clock::system().now();
    let database = running_server::database(config);
    tell(format_args!("database: {}", database.display()));
    let server = running_server::find(config);
    let mut report = Report::default();
    settings::look(config, &mut report);
    sqlite::look(&mut report);
    files::look(config, &mut report);
    let inspection = data::look(config, now, &mut report);
    server::look(config, &server, &mut report);
    backups::look(config, now, &server, inspection.as_ref(), &mut report);
    end(&report, Some(&database.display().to_string()), as_json)
}

/// Says what is wrong with settings that could not be read; without them nothing else can be looked at.
pub fn without_settings(fault: &ConfigError, as_json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    report.problem("settings", fault.to_string(), "correct it; nothing else can be looked at before");
    end(&report, None, as_json)
}

fn end(report: &Report, database: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let (problems, warnings) = (report.count(Status::Problem), report.count(Status::Warning));
    let shown = json!({ "database": database, "healthy": problems == 0, "findings": report.0 });
    print(as_json, &shown, || {
        let mut text = String::new();
        for Finding { check, status, found, remedy } in &report.0 {
            let word = match status {
                Status::Ok => "ok",
                Status::Warning => "warning",
                Status::Problem => "PROBLEM",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{word:<8} {check:<15} {found}");
            if !remedy.is_empty() {
                let _ = writeln!(text, "{:<24} -> {remedy}", "");
            }
        }
        text
    })?;
    match problems {
        0 => Ok(()),
        _ => Err(Printed(format!("problems: {problems}, warnings: {warnings}")).into()),
    }
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A length of time as people read it.
fn ago(length: chrono::TimeDelta) -> String {
    match (length.num_days(), length.num_hours(), length.num_minutes()) {
        (0, 0, minutes) => format!("{minutes} minutes"),
        (0, hours, _) => format!("{hours} hours"),
        (days, ..) => format!("{days} days"),
    }
}
