//! usher keeps the user accounts of self-hosted software. Layers import only downward:
//! `main → cli, server → http → auth, store → domain`; `config` and `platform` are open to all.

/// Proofs: passwords, tokens, keys, and the secret behind them.
pub mod auth;
/// The commands, each a thin caller of the layers below.
pub mod cli;
/// The settings: defaults < `config.toml` < `USHER_*` environment < flags.
pub mod config;
/// The console's files, embedded.
pub mod console;
/// What usher is about, in plain values and pure functions.
pub mod domain;
/// The wire: routes, the one extractor, answers.
pub mod http;
/// Work that the server does by itself: cleaning up, backups, the watchdog, API-key use counts.
pub mod jobs;
/// What one operating system does differently from another.
pub mod platform;
/// One server, from settings to a listening address to its orderly end.
pub mod server;
/// The SQLite file and every line of SQL.
pub mod store;
