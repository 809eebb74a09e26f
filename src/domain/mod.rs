//! What usher is about, in plain values and pure functions. Knows neither HTTP nor SQL.

pub mod address;
pub mod api_key;
pub mod attempts;
pub mod audit;
pub mod clock;
pub mod entry;
pub mod policy;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod site;
pub mod stop;
pub mod user;
pub mod username;
