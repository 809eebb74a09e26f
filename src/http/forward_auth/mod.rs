//! Forward auth: a proxy asks whether a request may enter a site behind it.

pub mod basic;
pub mod forwarded_request;
pub mod return_url;
pub mod site_cookies;
pub mod site_token;
pub mod verify;
