//! `usher completions`.

use clap_complete::Shell;

use crate::cli::Failure;
use crate::cli::output::write_stdout;

/// Prints the completion script of a shell.
pub fn run(shell: Shell, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "usher", &mut script);
    write_stdout(&script)
}
