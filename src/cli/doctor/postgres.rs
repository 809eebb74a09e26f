//! Checks a PostgreSQL database: whether it can be used, and whether a standby has every commit.

use crate::cli::doctor::{DATABASE, Report, users};
use crate::server::database::NO_STANDBY;
use crate::store::inspection::Inspection;
use crate::store::{PostgresSchemaError, PostgresServer, SCHEMA_VERSION};

/// Runs the checks. Returns the database for further checks.
pub(super) fn check(server: &PostgresServer, report: &mut Report) -> Option<Inspection> {
    let inspection = match Inspection::connect(server) {
        Ok(inspection) => inspection,
        Err(error) => {
            let remedy = match error {
                PostgresSchemaError::Newer(_) => "install the newer usher again",
                PostgresSchemaError::Store(_) => "start PostgreSQL, or correct `database` and its password",
                _ => "see docs/several-servers.md",
            };
            report.problem(DATABASE, error.to_string(), remedy);
            return None;
        }
    };
    match inspection.count_error() {
        Ok(None) => {}
        Ok(Some(fault)) => report.problem(DATABASE, fault, "restore a backup of PostgreSQL"),
        Err(error) => report.problem(DATABASE, error.described(), "read PostgreSQL's log"),
    }
    match inspection.has_synchronous_standby() {
        Ok(true) => report.ok("standby", "PostgreSQL waits for a synchronous standby"),
        Ok(false) => report.warning(
            "standby",
            format!("{NO_STANDBY}: a failover can lose acknowledged writes"),
            "set up synchronous replication; see docs/several-servers.md",
        ),
        Err(error) => report.problem("standby", error.described(), "read PostgreSQL's log"),
    }
    report.ok_if_clean(DATABASE, format!("PostgreSQL answers, schema {SCHEMA_VERSION}, users: {}", users(&inspection)));
    Some(inspection)
}
