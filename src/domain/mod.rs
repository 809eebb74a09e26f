//! What usher is about, in plain values and pure functions. Knows neither HTTP nor SQL.

pub mod api_key;
pub mod audit;
pub mod cancel_flag;
pub mod client_network;
pub mod clock;
pub mod forward_auth;
pub mod policy;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod site;
pub mod throttle;
pub mod user;
pub mod username;
