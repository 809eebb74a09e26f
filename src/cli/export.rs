//! `usher export`.

use std::fs::File;
use std::io::{self, Write};

use serde_json::json;

use crate::cli::Failure;
use crate::cli::context::{Context, audit_event};
use crate::cli::import::jsonl;
use crate::cli::interrupt::{Interrupted, run_blocking, run_interruptible};
use crate::cli::output::{counted, escape_json, notice};
use crate::cli::output_file::OutputFile;
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::store::transfer::export;
use crate::store::transfer::import::AccountRecord;
use crate::store::{StoreError, audit};

/// The number of accounts that are written between two checks for an interrupt.
const BATCH: usize = 256;

/// Writes all users as lines of JSON to a new file with mode 600.
pub fn run(config: &Config, output: OutputFile, json: bool) -> Result<(), Failure> {
    let context = Context::open(config, json)?;
    let outcome = run_interruptible(async |cancel| export(&context, output, cancel).await);
    context.db.close();
    outcome
}

async fn export(context: &Context<'_>, mut output: OutputFile, cancel: CancelFlag) -> Result<(), Failure> {
    let path = output.path().display().to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::Interrupted => Interrupted.into(),
        io::ErrorKind::StorageFull => {
            format!("the disk is full: {path} can't be written; free some space, or choose another disk").into()
        }
        _ => Failure::from(format!("{path}: {error}")),
    };
    let all = context.db.read(export::all).await.map_err(|error: StoreError| error.described())?;
    let with_factor = all.iter().filter(|account| account.had_second_factor).count();
    let (count, now, is_stdout) = (all.len(), context.now, output.is_stdout());
    let file = output.open(&context.config.data_dir).map_err(failed)?;
    run_blocking(move || write(file, &all, &cancel)).await?.map_err(failed)?;
    output.publish().map_err(failed)?;
    let event = Event { detail: Some(format!("users {count}")), ..audit_event(Action::Exported) };
    let recorded = context.db.write(move |connection| audit::record(connection, &event, now)).await;
    recorded.map_err(|error: StoreError| error.described())?;
    if with_factor > 0 {
        let them = counted(with_factor, "user");
        notice(format_args!(
            "warning: the export doesn't contain the second factors of {them}; after an import, the password alone signs in"
        ));
    }
    let users = counted(count, "user");
    if is_stdout {
        notice(format_args!("exported {users}; protect the output, it contains password hashes"));
        return Ok(());
    }
    context.print(&json!({ "file": path, "users": count, "users_with_second_factor": with_factor }), || {
        format!("exported {users} to {path}; protect the file, it contains password hashes")
    })
}

fn write(file: File, all: &[AccountRecord], cancel: &CancelFlag) -> io::Result<()> {
    let mut progress = Progress::new();
    let mut out = io::BufWriter::new(file);
    for (index, account) in all.iter().enumerate() {
        if index % BATCH == 0 {
            progress.show("writing", index as u64, all.len() as u64);
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        writeln!(out, "{}", escape_json(&jsonl::to_line(account)?))?;
    }
    progress.show("writing", 1, 1);
    out.flush()
}
