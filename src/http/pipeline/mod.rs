//! What every request passes through, and what the routes share. Imports no route.

pub mod app;
pub mod attempt;
pub mod body;
pub mod caller;
pub mod challenge_offer;
pub mod client;
pub mod coerce;
pub mod cookies;
pub mod denied_log;
pub mod error;
pub mod error_response;
pub mod exposition;
pub mod fields;
pub mod file_body;
pub mod form;
pub mod generation;
pub mod if_match;
pub mod local_request;
pub mod log_rate_limit;

pub mod messages;
pub mod metrics;
pub mod openapi;
pub mod passkey_sign_in;
pub mod recent_sign_in;
pub mod request;
pub mod request_id;
pub mod request_origin;
pub mod response;
pub mod route;
pub mod second_factor;
pub mod session_tokens;
pub mod sign_in;
pub mod throttle;
pub mod untrusted_proxy;
pub mod validation;
