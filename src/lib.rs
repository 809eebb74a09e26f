//! usher keeps the user accounts of self-hosted software. Layers import only downward:
//! `main → cli, server → jobs, http → auth, store → domain`; `config` and `platform` are open to all but `domain`.
//! ARCHITECTURE.md is the map.

pub mod auth;
pub mod cli;
pub mod config;
pub mod console;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod platform;
pub mod server;
pub mod store;
