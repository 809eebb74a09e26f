//! Ports for programs that can't report one that the system chose.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the system chooses for connections, one of which could otherwise take a port before the program
/// listens on it.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// Returns a port that nothing listens on, each time another one.
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different ports.
    let begin = std::process::id().wrapping_mul(97);
    loop {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        assert!(tried < COUNT, "no port is free");
        let port = u16::try_from(FIRST + begin.wrapping_add(tried) % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
