//! The security rules that apply to many routes.

mod attempts_in_flight;
mod cookies;
mod document;
mod guesses;
mod http;
mod limits;
mod logs;
mod origins;
mod remembered_callers;
mod required_factor;
mod required_password;
mod revoked_meanwhile;
mod second_factor;
mod throttle;
