//! What all tests share: the real server on a free port with a data directory of its own, the real binary as a
//! process, and a client that can send what no HTTP library would.
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
pub mod postgres;
pub mod process;
pub mod requests;
pub mod server;

pub use client::{Request, Response};
pub use process::{Program, Running};
pub use server::Server;
