//! Owns `usher backup` and `usher restore`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde_json::json;

use super::Failure;
use super::desk::command_line;
use super::progress::Progress;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::platform;
use crate::store::{DATABASE_FILE, Db, Options, StoreError, audit, backup};

/// Copies the database, which a server may be writing, to a new file.
pub fn make(config: &Config, file: &Path, as_json: bool) -> Result<(), Failure> {
    let db = Db::open(&Options { data_dir: config.data_dir.clone(), readers: 1, create: false })?;
    writeln!(io::stderr(), "database: {}", config.data_dir.join(DATABASE_FILE).display())?;
    let target = file.to_owned();
    let done = actix_web::rt::System::new().block_on(async {
        let mut progress = Progress::new();
        let count = |pages: i32| usize::try_from(pages).unwrap_or(0);
        let made = db.read(move |connection| {
            backup::make(connection, &target, |done, whole| progress.show(count(done), count(whole)))
        });
        made.await.map_err(|error: backup::BackupError| error.to_string())?;
        let event = event(Action::BackedUp);
        let noted = db.write(move |connection| audit::record(connection, &event, Clock::system().now()));
        noted.await.map_err(|error: StoreError| error.described())
    });
    db.close();
    done?;
    let size = std::fs::metadata(file)?.len();
    if as_json {
        writeln!(io::stdout(), "{}", json!({ "file": file.display().to_string(), "bytes": size }))?;
    } else {
        writeln!(io::stdout(), "checked and written: {} ({size} bytes)", file.display())?;
    }
    Ok(())
}

/// Puts a backup in the database's place, while no server runs.
pub fn restore(config: &Config, file: &Path, yes: bool, as_json: bool) -> Result<(), Failure> {
    let dir = &config.data_dir;
    let path = dir.join(DATABASE_FILE);
    writeln!(io::stderr(), "database: {}", path.display())?;
    let failed = |error: io::Error| format!("{}: {error}", dir.display());
    if !dir.is_dir() {
        return Err(format!("{} does not exist; make it, or choose the server's `data_dir`", dir.display()).into());
    }
    let lock = platform::lock_dir(dir).map_err(failed)?;
    let _lock = lock.ok_or_else(|| format!("a server is running on {}; stop it first", dir.display()))?;
    if path.exists() {
        confirm(yes, &format!("Replace {} by {}, and end all sessions?", path.display(), file.display()))?;
    }
    let kept = backup::restore(file, dir, &event(Action::Restored), Clock::system().now())?;
    if as_json {
        let kept = kept.map(|path| path.display().to_string());
        writeln!(io::stdout(), "{}", json!({ "restored": file.display().to_string(), "kept": kept }))?;
    } else {
        writeln!(io::stdout(), "restored {}; everybody has to log in again", file.display())?;
        if let Some(kept) = kept {
            writeln!(io::stdout(), "the database before is kept as {}", kept.display())?;
        }
    }
    Ok(())
}

fn event(action: Action) -> Event {
    Event { actor: command_line(), action, target: None, success: true, detail: None }
}

/// Asks on a terminal; elsewhere only `--yes` will do.
fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err("this destroys something; say --yes to do it without being asked".into());
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err("nothing was done".into()) }
}
