//! Interrupts of long commands. The first Ctrl-C or SIGTERM cancels the work, which leaves nothing half done. The
//! second ends the process, which is as safe for the database as a power cut.

use std::thread;

use tokio::sync::oneshot;

use crate::cli::{EXIT_INTERRUPTED, Failure};
use crate::domain::cancel_flag::CancelFlag;
use crate::platform::StopSignals;

/// The failure of a command that was interrupted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted; nothing was changed")]
pub(super) struct Interrupted;

/// Runs `work`, which must check its [`CancelFlag`] regularly.
pub(super) fn run_interruptible<T>(work: impl AsyncFnOnce(CancelFlag) -> Result<T, Failure>) -> Result<T, Failure> {
    actix_web::rt::System::new().block_on(async {
        let first = StopSignals::listen()?;
        let cancel = CancelFlag::default();
        let canceled = cancel.clone();
        actix_web::rt::spawn(async move {
            first.received().await;
            canceled.cancel();
            if let Ok(second) = StopSignals::listen() {
                second.received().await;
                std::process::exit(EXIT_INTERRUPTED.into());
            }
        });
        work(cancel).await
    })
}

/// Runs blocking work on a thread of its own, so that this thread can receive signals.
pub(super) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (sender, result) = oneshot::channel();
    let worker = thread::spawn(move || {
        // The receiver waits below.
        let _ = sender.send(work());
    });
    let result = result.await;
    worker.join().map_err(|_| "the command crashed; nothing was changed")?;
    Ok(result?)
}
