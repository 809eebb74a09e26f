//! Owns how a command ends early: the first Ctrl-C or SIGTERM asks its work to stop, which leaves nothing half done; a
//! second one ends the process, which the disk survives as it would a power cut.

use std::thread;

use tokio::sync::oneshot;

use crate::cli::{Failure, INTERRUPTED};
use crate::domain::cancel_flag::CancelFlag;
use crate::platform::StopSignals;

/// What a command that was told to stop fails with.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("stopped; nothing was changed")]
pub(super) struct Interrupted;

/// Runs `work`, which must ask its [`CancelFlag`] now and then.
pub(super) fn stoppable<T>(work: impl AsyncFnOnce(CancelFlag) -> Result<T, Failure>) -> Result<T, Failure> {
    actix_web::rt::System::new().block_on(async {
        let first = StopSignals::listen()?;
        let stop = CancelFlag::default();
        let asked = stop.clone();
        actix_web::rt::spawn(async move {
            first.received().await;
            asked.cancel();
            if let Ok(second) = StopSignals::listen() {
                second.received().await;
                std::process::exit(INTERRUPTED.into());
            }
        });
        work(stop).await
    })
}

/// Does long work on a thread of its own, so that this one can hear that it should stop.
pub(super) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (reply, answer) = oneshot::channel();
    let worker = thread::spawn(move || {
        // Whoever asked waits for it.
        let _ = reply.send(work());
    });
    let done = answer.await;
    worker.join().map_err(|_| "the work was cut off by a fault; nothing was changed")?;
    Ok(done?)
}
