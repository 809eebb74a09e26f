//! The domain model: plain values and pure functions, without HTTP or SQL.

pub mod actor_names;
pub mod api_key;
pub mod audit;
pub mod caller;
pub mod cancel_flag;
pub mod client_network;
pub mod clock;
pub mod deletion_request;
pub mod forward_auth;
pub mod invitation;
pub mod new_username;
pub mod notification;
pub mod optins;
pub mod policy;
pub mod printable;
pub mod schedule;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod site;
pub mod throttle;
pub mod user;
pub mod username;
