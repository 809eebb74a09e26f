//! Communication with the service manager: systemd, or one with the same protocol. Without one, these functions do
//! nothing. See sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

use std::io;
use std::net::TcpListener;
use std::time::Duration;

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

/// Takes the listening sockets that the service manager has passed, in its order. Must be called once, before there are
/// threads.
///
/// # Errors
/// When one isn't a TCP socket.
pub fn passed_sockets() -> io::Result<Vec<TcpListener>> {
    #[cfg(target_os = "linux")]
    {
        let mut passed = listenfd::ListenFd::from_env();
        let taken: io::Result<Vec<_>> = (0..passed.len()).map(|index| passed.take_tcp_listener(index)).collect();
        Ok(taken?.into_iter().flatten().collect())
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Vec::new())
}

/// Reports that the server is ready, with one line about its state.
pub fn notify_ready(status: &str) {
    #[cfg(target_os = "linux")]
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    #[cfg(not(target_os = "linux"))]
    let _ = status;
}

/// Reports that the server is stopping.
pub fn notify_stopping() {
    #[cfg(target_os = "linux")]
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping: open requests may finish")]);
}

/// The time within which the service manager expects a report; `None` if it expects none.
pub fn watchdog_timeout() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    return sd_notify::watchdog_enabled();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Reports that the server is alive.
pub fn notify_alive() {
    #[cfg(target_os = "linux")]
    notify(&[NotifyState::Watchdog]);
}

#[cfg(target_os = "linux")]
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("the service manager couldn't be notified: {error}");
    }
}
