//! What every request passes through. Imports no route.

pub mod app;
pub mod body;
pub mod caller;
pub mod client;
pub mod coerce;
pub mod cookies;
pub mod denied_log;
pub mod error;
pub mod fields;
pub mod file_body;
pub mod generation;
pub mod if_match;
pub mod log_rate_limit;
pub mod messages;
pub mod method;
pub mod metrics;
pub mod openapi;
pub mod remembered_callers;
pub mod request;
pub mod request_id;
pub mod response;
pub mod route;
pub mod throttle;
pub mod validation;
