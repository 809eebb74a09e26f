//! Socket options and shutdown for client connections that the HTTP server owns.

use std::io;
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use tokio::net::TcpStream;

/// A second handle to a client's socket, for shutting it down from another thread.
#[derive(Debug)]
pub struct ClientSocket(std::net::TcpStream);

impl ClientSocket {
    /// Duplicates the stream's handle. The connection stays open until both handles are dropped or one shuts it down.
    ///
    /// # Errors
    /// When the process has too many open files.
    pub fn duplicate(stream: &TcpStream) -> io::Result<Self> {
        #[cfg(unix)]
        let handle = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?;
        #[cfg(windows)]
        let handle = std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned()?;
        Ok(Self(handle.into()))
    }

    /// Ends the input. The owner of the stream can still write.
    pub fn stop_reading(&self) {
        // Fails only if the connection has already ended.
        let _ = self.0.shutdown(Shutdown::Read);
    }

    /// Ends the connection in both directions. The owner of the stream sees the end of its input.
    pub fn shut_down(&self) {
        // Fails only if the connection has already ended.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl From<std::net::TcpStream> for ClientSocket {
    fn from(stream: std::net::TcpStream) -> Self {
        Self(stream)
    }
}

/// Ends a connection in both directions without a second handle, where the system can.
pub fn shut_down(stream: &TcpStream) {
    #[cfg(unix)]
    let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Both);
    #[cfg(not(unix))]
    if let Ok(socket) = ClientSocket::duplicate(stream) {
        socket.shut_down();
    }
}

/// Ends the connection when the peer acknowledges no data, or takes none, for this long. Linux only
/// (`TCP_USER_TIMEOUT`).
pub fn set_user_timeout(stream: &TcpStream, timeout: Duration) {
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
            log::debug!("TCP_USER_TIMEOUT can't be set: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, timeout);
}

/// Sets the size of the receive buffer of the connections that `listener` will accept. Linux doubles it for its own
/// data.
pub fn set_receive_buffer(listener: &TcpListener, bytes: usize) {
    #[cfg(unix)]
    if let Err(error) = rustix::net::sockopt::set_socket_recv_buffer_size(listener, bytes) {
        log::warn!("the size of the receive buffer can't be set: {error}");
    }
    #[cfg(not(unix))]
    let _ = (listener, bytes);
}
