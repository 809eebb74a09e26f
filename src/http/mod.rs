//! Owns the wire: routes, the one extractor, what may stand in a request, and how answers look. Joins `auth` and
//! `store`, which do not know each other. Holds no SQL.

mod address;
mod api_keys;
pub mod app;
mod audit;
mod auto_login;
mod body;
mod call;
mod caller;
pub mod console;
mod cookies;
mod docs;
mod enter;
mod error;
mod fault;
mod fields;
mod form;
mod health;
mod if_match;
pub mod key_uses;
mod lenient;
mod local;
mod login;
pub mod metrics;
mod openapi;
mod original;
mod passwords;
pub mod refusals;
mod reply;
mod request_id;
pub mod reset_links;
mod route;
mod schema;
mod seldom;
mod sentences;
mod session_start;
mod sessions;
mod setup;
mod target;
pub mod throttle;
pub mod turn;
mod user_inputs;
mod users;
mod verify;
mod visitor;
mod wire;

// What the command line prints as JSON is what the API answers.
pub use wire::{ApiKeyRead, AuditRead, SessionRead, UserRead};

pub use reply::complete;
pub use route::{configure, describe_routes, uses};
