//! Owns noticing that another program, as a rule the one that started this one, has ended.
//!
//! On Linux it holds a file descriptor of that process (`pidfd_open(2)`, since Linux 5.3), which the kernel makes readable
//! when the process has ended, however it ended. The kernel's parent-death signal (`PR_SET_PDEATHSIG`) would not do: it
//! comes already when the *thread* ends that started this program, and desktop programs start others from pools of
//! threads that come and go. Elsewhere the end of standard input tells.

use std::io;

use tokio::sync::oneshot;

/// Why the program cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum ParentError {
    /// It has ended already, so that this one is not wanted any more.
    #[error(
        "the program that `exit_with_parent` stands for has ended already; leave the setting out where it is process 1"
    )]
    Gone,
    /// The system says no.
    #[error("the program that `exit_with_parent` stands for cannot be watched: {0}; this needs Linux 5.3 or later")]
    Unwatchable(io::Error),
}

/// A program that is being watched.
pub struct Watch(oneshot::Receiver<()>);

impl Watch {
    /// Watches the process `id`, or without one this program's parent. Where that cannot be done, reads standard input,
    /// which whoever starts this program holds open as long as it is wanted.
    ///
    /// # Errors
    /// When it has ended already or cannot be watched.
    pub fn begin(id: Option<u32>) -> Result<Self, ParentError> {
        #[cfg(target_os = "linux")]
        let ended = until_exited(open(id)?);
        #[cfg(not(target_os = "linux"))]
        let ended = {
            let _ = id;
            until_closed(io::stdin())
        };
        ended.map(Self).map_err(ParentError::Unwatchable)
    }

    /// Returns when it has ended.
    pub async fn ended(self) {
        // An error means that the watching thread could not go on, which it has logged.
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
    // A program whose parent has ended is handed to process 1, which ends last of all.
    let parent = || getppid().filter(|parent| !parent.is_init()).ok_or(ParentError::Gone);
    let process = named.unwrap_or_else(parent)?;
    let opened = pidfd_open(process, PidfdFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::SRCH => ParentError::Gone,
        other => ParentError::Unwatchable(other.into()),
    })?;
    // The parent may have ended in between, and another process have got its id.
    if id.is_none() && getppid() != Some(process) {
        return Err(ParentError::Gone);
    }
    Ok(opened)
}

/// Waits on a thread of its own until the process has ended.
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

/// Reads on a thread of its own what comes, until there is an end.
#[cfg(any(test, not(target_os = "linux")))]
fn until_closed(mut input: impl io::Read + Send + 'static) -> io::Result<oneshot::Receiver<()>> {
    on_a_thread(move || {
        let mut unread = [0; 512];
        loop {
            match input.read(&mut unread) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Input that cannot be read is not held open by anybody.
                Ok(0) | Err(_) => return Ok(()),
            }
        }
    })
}

fn on_a_thread(wait: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<oneshot::Receiver<()>> {
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("usher-parent".to_owned()).spawn(move || match wait() {
        // Nobody hears of it when the server has stopped before.
        Ok(()) => drop(done.send(())),
        Err(error) => log::error!("the program that started this one is not watched any more: {error}"),
    })?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    #[tokio::test]
    async fn input_that_is_held_open_or_written_to_is_no_end_and_its_closing_is() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut closed = super::until_closed(reader).unwrap();
        writer.write_all(&[b'x'; 5000]).unwrap();
        assert!(closed.try_recv().is_err());
        drop(writer);
        closed.await.unwrap();
    }
}
