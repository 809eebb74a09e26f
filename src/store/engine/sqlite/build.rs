//! The compile options of the bundled SQLite.

use rusqlite::Connection;

use crate::store::engine::error::StoreError;

/// The options that `.cargo/config.toml` sets; without that file the program doesn't compile.
const FLAGS: &str =
    env!("LIBSQLITE3_FLAGS", "build from the root of the repository: .cargo/config.toml sets SQLite's compile options");

/// Returns the options of `.cargo/config.toml` that the linked SQLite wasn't compiled with, as far as SQLite reports
/// them (`PRAGMA compile_options`).
pub fn missing_options() -> Result<Vec<&'static str>, StoreError> {
    let connection = Connection::open_in_memory()?;
    let mut statement = connection.prepare("SELECT compile_options FROM pragma_compile_options")?;
    let compiled = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let is_missing = |flag: &&str| {
        let has = |option: &str| compiled.iter().any(|compiled| compiled == option);
        match (flag.strip_prefix("-DSQLITE_"), flag.strip_prefix("-USQLITE_")) {
            (Some(defined), _) => !has(defined),
            (_, Some(undefined)) => has(undefined),
            // SQLite reports only options with its own prefix.
            _ => false,
        }
    };
    Ok(FLAGS.split_whitespace().filter(is_missing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_is_compiled_with_the_options_of_the_cargo_configuration() {
        assert!(FLAGS.contains("-DHAVE_FDATASYNC=1") && FLAGS.contains("-DSQLITE_OMIT_LOAD_EXTENSION"));
        assert_eq!(missing_options().unwrap(), [""; 0]);
        let connection = Connection::open_in_memory().unwrap();
        assert!(connection.query_row("SELECT load_extension('x')", [], |_| Ok(())).is_err());
    }
}
