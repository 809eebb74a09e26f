//! The doctor's check of the SQLite that is compiled in.

use crate::cli::doctor::Report;
use crate::store::engine::sqlite::build;

const CHECK: &str = "sqlite";

/// Reports compile options that differ from those usher is tested with.
pub(super) fn check(report: &mut Report) {
    match build::missing_options() {
        Ok(missing) if missing.is_empty() => {
            report.ok(CHECK, format!("{} with usher's compile options", rusqlite::version()));
        }
        Ok(missing) => {
            let found = format!("{} is compiled without {}", rusqlite::version(), missing.join(" "));
            report.warning(CHECK, found, "build usher from its repository, with `LIBSQLITE3_FLAGS` unset");
        }
        Err(error) => report.problem(CHECK, error.described(), "build usher from its repository"),
    }
}
