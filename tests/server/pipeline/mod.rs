//! What every request passes through: `src/http/pipeline`.

mod base_path;
mod bodies;
mod leniency;
mod overload;
mod routing;
mod validation;
