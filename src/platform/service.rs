//! Owns speaking with the service manager that started this program, which on Linux is systemd or something that speaks
//! like it: what it hands over, and what it is told. Without one, nothing is handed over and nobody is told.
//! See sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

use std::io;
use std::net::TcpListener;
use std::time::Duration;

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

/// The listening sockets that it holds for this program, in its order. Must be called before there are threads, and once:
/// they are this program's from then on.
///
/// # Errors
/// When one is no TCP socket.
pub fn sockets() -> io::Result<Vec<TcpListener>> {
    #[cfg(target_os = "linux")]
    {
        let mut passed = listenfd::ListenFd::from_env();
        let taken: io::Result<Vec<_>> = (0..passed.len()).map(|index| passed.take_tcp_listener(index)).collect();
        Ok(taken?.into_iter().flatten().collect())
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Vec::new())
}

/// Says that the server answers, and what it does in one line.
pub fn ready(status: &str) {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    #[cfg(not(target_os = "linux"))]
    let _ = status;
}

/// Says that the server has begun to stop.
pub fn stopping() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: open requests may finish")]);
}

/// How long it waits for a sign of life before it ends the program; `None` when it does not wait for any.
pub fn patience() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    return sd_notify::watchdog_enabled();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Gives a sign of life.
pub fn alive() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Watchdog]);
}

#[cfg(target_os = "linux")]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("the service manager could not be told: {error}");
    }
}
