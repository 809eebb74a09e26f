//! What every request passes through: `src/http/pipeline`.

#[path = "../support/mod.rs"]
mod support;

mod base_path;
mod bodies;
mod leniency;
mod overload;
mod random_requests;
mod routing;
mod validation;
