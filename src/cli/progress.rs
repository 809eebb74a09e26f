//! A progress bar on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};

use crate::cli::Failure;
use crate::cli::interrupt::{Interrupted, run_blocking, run_interruptible};
use crate::store::backup::error::{BackupError, BackupProgress, BackupStage};

const WIDTH: usize = 40;

/// A progress bar.
pub struct Progress {
    is_terminal: bool,
    /// The label and the percentage that are visible.
    line: Option<(&'static str, u64)>,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), line: None }
    }

    /// Shows how much is done. `total` is 0 if it isn't known.
    pub fn show(&mut self, label: &'static str, done: u64, total: u64) {
        if !self.is_terminal {
            return;
        }
        let percent = (done * 100).checked_div(total).unwrap_or(0).min(100);
        if self.line == Some((label, percent)) {
            return;
        }
        if self.line.is_some_and(|(before, _)| before != label) {
            self.end_line();
        }
        self.line = Some((label, percent));
        let full = WIDTH * usize::try_from(percent).unwrap_or(0) / 100;
        let (bar, rest) = ("#".repeat(full), " ".repeat(WIDTH - full));
        let text = if total == 0 { format!("{label} …") } else { format!("{label:<9} [{bar}{rest}] {percent:>3} %") };
        // Standard error may be closed.
        let _ = write!(io::stderr(), "\r{text}").and_then(|()| io::stderr().flush());
    }

    fn end_line(&mut self) {
        if self.line.take().is_some() {
            let _ = writeln!(io::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end_line();
    }
}

/// Makes or restores a backup, with a progress bar, until it is done or interrupted. Of the two results, the outer one
/// is the thread's and the inner one is the work's.
pub(super) fn run_backup_work<T: Send + 'static>(
    work: impl FnOnce(&mut BackupProgress) -> Result<T, BackupError> + Send + 'static,
) -> Result<Result<T, BackupError>, Failure> {
    run_interruptible(async |stop| {
        run_blocking(move || {
            let mut bar = Progress::new();
            let progress = Box::new(move |stage, done, total| bar.show(label(stage), done, total));
            work(&mut BackupProgress { stop, progress })
        })
        .await
    })
}

/// The failure of interrupted or failed backup work.
pub(super) fn backup_failure(error: BackupError) -> Failure {
    if matches!(error, BackupError::Stopped) { Interrupted.into() } else { error.into() }
}

fn label(stage: BackupStage) -> &'static str {
    match stage {
        BackupStage::Copying => "copying",
        BackupStage::Checking => "checking",
        BackupStage::Packing => "packing",
    }
}
