//! Owns what every request can reach: the store, the proofs, the settings, the clock.

use std::sync::{Arc, Mutex};

use crate::auth::fernet::Fernet;
use crate::auth::password_hasher::PasswordHasher;
use crate::auth::token::TokenSigner;
use crate::config::Config;
use crate::console::pages::Pages;
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::http::pipeline::denied_log::DeniedLog;
use crate::http::pipeline::metrics::Metrics;
use crate::http::pipeline::openapi::ApiDescription;
use crate::http::pipeline::throttle::Throttle;
use crate::store::Db;
use crate::store::api_key_uses::ApiKeyUses;

/// One server's state, shared by all its workers.
pub struct App {
    /// The settings in force.
    pub config: Arc<Config>,
    /// The address that people type, from the settings or else from where the server listens; without a `/` at its end.
    pub url: String,
    /// Where "now" comes from.
    pub clock: Clock,
    /// The two doors to the database.
    pub db: Db,
    /// The gate to bcrypt.
    pub hasher: PasswordHasher,
    /// Signs and checks access and refresh tokens.
    pub tokens: TokenSigner,
    /// Encrypts store keys.
    pub fernet: Fernet,
    /// Slows down failed attempts.
    pub throttle: Throttle,
    /// Logs denied requests.
    pub denied: DeniedLog,
    /// Uses of API keys that are not written yet.
    pub key_uses: Arc<ApiKeyUses>,
    /// The console's pages.
    pub pages: Pages,
    /// The API's description.
    pub description: ApiDescription,
    /// What was counted, for whoever watches the server.
    pub metrics: Metrics,
    /// Opens the one-time setup, until the first superuser exists.
    pub setup_token: Mutex<Option<Secret>>,
}
