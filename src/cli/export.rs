//! `usher export`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Failure;
use crate::cli::context::{Context, audit_event};
use crate::cli::import::jsonl;
use crate::cli::interrupt::{Interrupted, run_blocking, run_interruptible};
use crate::cli::output::counted;
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::platform;
use crate::store::transfer::export;
use crate::store::transfer::import::ImportedAccount;
use crate::store::{StoreError, audit};

/// The number of accounts that are written between two checks for an interrupt.
const BATCH: usize = 256;

/// Writes all users as lines of JSON to a new file with mode 600.
pub fn run(config: &Config, file: &Path, json: bool) -> Result<(), Failure> {
    let context = Context::open(config, json)?;
    let outcome = run_interruptible(async |cancel| export(&context, file, cancel).await);
    context.db.close();
    outcome
}

async fn export(context: &Context<'_>, file: &Path, cancel: CancelFlag) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(format!("{0} is a directory; name a file in it, such as {0}/users.jsonl", file.display()).into());
    }
    if file.symlink_metadata().is_ok() {
        return Err(format!("{} exists; move it, or choose another name", file.display()).into());
    }
    let all = context.db.read(export::all).await.map_err(|error: StoreError| error.described())?;
    let (count, now, target) = (all.len(), context.now, file.to_owned());
    match run_blocking(move || write(&target, &all, &cancel)).await? {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(Interrupted.into()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            return Err(format!(
                "the disk is full: {} can't be written; free some space, or choose another disk",
                file.display()
            )
            .into());
        }
        written => written.map_err(|error| format!("{}: {error}", file.display()))?,
    }
    let event = Event { detail: Some(format!("users {count}")), ..audit_event(Action::Exported) };
    let recorded = context.db.write(move |connection| audit::record(connection, &event, now)).await;
    recorded.map_err(|error: StoreError| error.described())?;
    context.print(&json!({ "file": file.display().to_string(), "users": count }), || {
        let users = counted(count, "user");
        format!("exported {users} to {}; protect the file, it contains password hashes", file.display())
    })
}

fn write(file: &Path, all: &[ImportedAccount], cancel: &CancelFlag) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    let written = write_new(&beside, all, cancel).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&beside);
    }
    written?;
    platform::sync_dir(&std::path::absolute(file)?.parent().map_or_else(PathBuf::new, Path::to_owned))
}

fn write_new(path: &Path, all: &[ImportedAccount], cancel: &CancelFlag) -> io::Result<()> {
    let mut progress = Progress::new();
    let handle = platform::create_private(path)?;
    handle.set_len(0)?;
    let mut out = io::BufWriter::new(handle);
    for (index, account) in all.iter().enumerate() {
        if index % BATCH == 0 {
            progress.show("writing", index as u64, all.len() as u64);
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        writeln!(out, "{}", jsonl::to_line(account)?)?;
    }
    progress.show("writing", 1, 1);
    out.into_inner()?.sync_all()
}
