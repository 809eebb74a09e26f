//! The HTTP layer: the routes, the checks that every request passes, and the responses. Uses `auth` and `store`
//! together, which don't know each other. Contains no SQL.

pub(crate) mod api;
mod forward_auth;
mod models;
mod pages;
pub(crate) mod pipeline;
mod router;
mod sign_in;

// What the command line prints as JSON is what the API answers.
pub use models::factors::FactorsResponse;
pub use models::invitations::{InvitationMade, InvitationRead};
pub use models::{ApiKeyRead, AuditRead, SessionRead, UserRead};

pub use pipeline::app::App;
pub use pipeline::generation;
pub use pipeline::response::complete;
pub use router::{conflicts_with, describe_routes, respond};
