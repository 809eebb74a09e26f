//! Runs a command and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    usher::cli::run()
}
