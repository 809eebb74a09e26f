//! Shared test support: the real server in the test's process, the real binary as a child process, and an HTTP client
//! that can send malformed requests.
//!
//! ```ignore
//! let server = Server::start();                                   // admin / adminpw123, signup = "approval"
//! let admin = server.admin();                                     // an access token
//! let answer = server.get("/api/v1/users/whoami").bearer(&admin).send();
//! assert_eq!((answer.status, answer.json()["username"].as_str()), (200, Some("admin")));
//!
//! let server = Server::with().set("signup", "open").manual_clock().start();
//! server.clock.advance(TimeDelta::hours(2));
//! ```
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails the test")]

pub mod authenticator;
pub mod client;
pub mod factors;
pub mod interrupt;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod requests;
pub mod server;
pub mod wait;

pub use client::{Request, Response};
pub use process::{Program, ServerProcess};
pub use server::Server;
