//! Questions on the terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::cli::Failure;
use crate::domain::printable::printable;
use crate::domain::secret::Secret;

/// How much of a password line is read, in bytes. More than a valid password has, so that a longer one is refused.
const MAX_PASSWORD_LINE: u64 = 4096;

/// Asks before a change that can't be undone. `yes` answers the question, as scripts do with `--yes`.
pub(super) fn require_confirmation(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err("this can't be undone; pass --yes to confirm".into());
    }
    let _ = write!(io::stderr(), "{} [y/N] ", printable(question)).and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err("canceled; nothing was changed".into()),
    }
}

/// Reads a new password: on a terminal twice and without echo, else the first line of standard input.
pub(super) fn read_new_password(prompt: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let mut line = Vec::new();
        if io::stdin().lock().take(MAX_PASSWORD_LINE).read_until(b'\n', &mut line)? == 0 {
            return Err("standard input has no password".into());
        }
        let line = std::str::from_utf8(&line).map_err(|_| "the password on standard input is not UTF-8")?;
        // Some shells and editors write a byte order mark, which nobody can type when signing in.
        return Ok(Secret::new(line.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r'])));
    }
    let typed = |prompt: &str| match rpassword::prompt_password(printable(prompt)) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err("no password was typed".into()),
        typed => typed.map(Secret::new).map_err(Failure::from),
    };
    let first = typed(prompt)?;
    if first == typed("Repeat password: ")? { Ok(first) } else { Err("the passwords don't match".into()) }
}
