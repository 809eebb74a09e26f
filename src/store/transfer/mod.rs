//! Import, export, and the reader of Langflow's databases.

pub mod export;
pub mod import;
pub mod langflow;
