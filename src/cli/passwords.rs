//! Passwords of databases, from files.

use std::fs;
use std::path::Path;

use crate::cli::Failure;
use crate::domain::secret::Secret;

/// Reads the password in a file.
pub(super) fn read_password(path: &Path) -> Result<Secret, Failure> {
    let failed = |fault: &dyn std::fmt::Display| Failure::from(format!("{}: {fault}", path.display()));
    let bytes = fs::read(path).map_err(|error| failed(&error))?;
    Secret::from_file(bytes).map_err(|fault| failed(&fault))
}
