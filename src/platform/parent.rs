//! Notices when another process exits, usually the parent.
//!
//! On Linux it opens a file descriptor of that process (`pidfd_open(2)`, since Linux 5.3), which becomes readable when
//! the process exits. The parent-death signal (`PR_SET_PDEATHSIG`) isn't enough: it comes when the *thread* that
//! started this program ends, and desktop programs start others from short-lived threads. Other systems watch for the
//! end of standard input.

use std::io;

use tokio::sync::oneshot;

/// Why the process can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum ParentError {
    /// The process has already exited.
    #[error(
        "the parent process (`exit_with_parent`) has already exited; remove the setting if the parent is process 1"
    )]
    Gone,
    /// The system doesn't support it.
    #[error("the parent process (`exit_with_parent`) can't be watched: {0}; this needs Linux 5.3 or later")]
    Unwatchable(io::Error),
}

/// A process that is being watched.
pub struct ParentWatch(oneshot::Receiver<()>);

impl ParentWatch {
    /// Watches the process `id`, or else the parent. Systems other than Linux read standard input, which the parent
    /// keeps open.
    ///
    /// # Errors
    /// When the process has already exited or can't be watched.
    pub fn start(id: Option<u32>) -> Result<Self, ParentError> {
        #[cfg(target_os = "linux")]
        let ended = until_exited(open(id)?);
        #[cfg(not(target_os = "linux"))]
        let ended = {
            let _ = id;
            until_closed(io::stdin())
        };
        ended.map(Self).map_err(ParentError::Unwatchable)
    }

    /// Returns when the process has exited.
    pub async fn exited(self) {
        // An error means that the watching thread failed. It has logged why.
        if self.0.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A descriptor of the process `id`, or of the parent.
#[cfg(target_os = "linux")]
fn open(id: Option<u32>) -> Result<std::os::fd::OwnedFd, ParentError> {
    use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
    let named = id.map(|id| i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(ParentError::Gone));
    // Process 1 adopts a process whose parent has exited.
    let parent = || getppid().filter(|parent| !parent.is_init()).ok_or(ParentError::Gone);
    let process = named.unwrap_or_else(parent)?;
    let opened = pidfd_open(process, PidfdFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::SRCH => ParentError::Gone,
        other => ParentError::Unwatchable(other.into()),
    })?;
    // The parent may have exited in between, and another process may have its id.
    if id.is_none() && getppid() != Some(process) {
        return Err(ParentError::Gone);
    }
    Ok(opened)
}

/// Waits on a separate thread until the process exits.
#[cfg(target_os = "linux")]
fn until_exited(process: std::os::fd::OwnedFd) -> io::Result<oneshot::Receiver<()>> {
    use rustix::event::{PollFd, PollFlags, poll};
    on_a_thread(move || {
        loop {
            match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    })
}

/// Reads input on a separate thread until it ends.
#[cfg(any(test, not(target_os = "linux")))]
fn until_closed(mut input: impl io::Read + Send + 'static) -> io::Result<oneshot::Receiver<()>> {
    on_a_thread(move || {
        let mut unread = [0; 512];
        loop {
            match input.read(&mut unread) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // If input can't be read, nobody holds it open.
                Ok(0) | Err(_) => return Ok(()),
            }
        }
    })
}

fn on_a_thread(wait: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<oneshot::Receiver<()>> {
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("usher-parent".to_owned()).spawn(move || match wait() {
        // The receiver is gone if the server has stopped before.
        Ok(()) => drop(done.send(())),
        Err(error) => log::error!("the parent process is no longer watched: {error}"),
    })?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    #[tokio::test]
    async fn only_closed_input_is_an_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut closed = super::until_closed(reader).unwrap();
        writer.write_all(&[b'x'; 5000]).unwrap();
        assert!(closed.try_recv().is_err());
        drop(writer);
        closed.await.unwrap();
    }
}
