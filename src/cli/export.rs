//! Owns `usher export`: all accounts to a file, whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Failure;
use crate::cli::context::{Context, command_line};
use crate::cli::import::jsonl;
use crate::cli::interrupt::{Interrupted, on_thread, stoppable};
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::platform;
use crate::store::transfer::export;
use crate::store::transfer::import::ImportedAccount;
use crate::store::{StoreError, audit};

/// How many accounts are written between two looks at whether to go on.
const BATCH: usize = 256;

/// Writes all accounts as lines of JSON to a new file that only its owner can read.
pub fn export(config: &Config, file: &Path, as_json: bool) -> Result<(), Failure> {
    let desk = Context::open(config, as_json)?;
    let done = stoppable(async |stop| exported(&desk, file, stop).await);
    desk.db.close();
    done
}

async fn exported(desk: &Context<'_>, file: &Path, stop: CancelFlag) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(format!("{0} is a directory; name a file in it, such as {0}/users.jsonl", file.display()).into());
    }
    if file.symlink_metadata().is_ok() {
        return Err(format!("{} exists; move it away or choose another name", file.display()).into());
    }
    let all = desk.db.read(export::all).await.map_err(|error: StoreError| error.described())?;
    let (count, now, target) = (all.len(), desk.now, file.to_owned());
    match on_thread(move || write(&target, &all, &stop)).await? {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(Interrupted.into()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            return Err(format!("there is no room for {}: free some, or choose another place", file.display()).into());
        }
        written => written.map_err(|error| format!("{}: {error}", file.display()))?,
    }
    let event = Event {
        actor: command_line(),
        action: Action::Exported,
        target: None,
        success: true,
        detail: Some(format!("users {count}")),
    };
    let noted = desk.db.write(move |connection| audit::record(connection, &event, now)).await;
    noted.map_err(|error: StoreError| error.described())?;
    desk.print(&json!({ "file": file.display().to_string(), "users": count }), || {
        let what = "it holds password hashes, so keep it as you would keep the database";
        format!("exported {count} users to {}; {what}", file.display())
    })
}

fn write(file: &Path, all: &[ImportedAccount], stop: &CancelFlag) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    let written = write_new(&beside, all, stop).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // Half a file is worth nothing; it may never have been made.
        let _ = fs::remove_file(&beside);
    }
    written?;
    platform::sync_dir(&std::path::absolute(file)?.parent().map_or_else(PathBuf::new, Path::to_owned))
}

fn write_new(path: &Path, all: &[ImportedAccount], stop: &CancelFlag) -> io::Result<()> {
    let mut progress = Progress::new();
    let handle = platform::create_private(path)?;
    handle.set_len(0)?;
    let mut out = io::BufWriter::new(handle);
    for (at, account) in all.iter().enumerate() {
        if at % BATCH == 0 {
            progress.show("writing", at as u64, all.len() as u64);
            if stop.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        writeln!(out, "{}", jsonl::written(account)?)?;
    }
    progress.show("writing", 1, 1);
    out.into_inner()?.sync_all()
}
