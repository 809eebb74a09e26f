//! The state that all requests share: settings, database, keys and counters.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::auth::fernet::Fernet;
use crate::auth::passkey::{PasskeysUnavailable, RelyingParty};
use crate::auth::password_hasher::PasswordHasher;
use crate::auth::token::TokenSigner;
use crate::config::Config;
use crate::console::pages::Pages;
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::http::pipeline::client::untrusted_proxy::UntrustedProxy;
use crate::http::pipeline::denied_log::DeniedLog;
use crate::http::pipeline::metrics::Metrics;
use crate::http::pipeline::openapi::ApiDescription;
use crate::http::pipeline::remembered_callers::RememberedCallers;
use crate::http::pipeline::throttle::Throttle;
use crate::store::Db;
use crate::store::api_key_uses::ApiKeyUses;
use crate::store::user_index::search::SharedUserIndex;

/// One server's state, shared by all its workers.
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The public URL, from the settings or the listening address, without a trailing `/`.
    pub url: String,
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Callers who were looked up since the last commit.
    pub callers: RememberedCallers,
    /// The in-memory index for lists of many users.
    pub user_index: SharedUserIndex,
    /// Hashes passwords in a bounded queue.
    pub hasher: PasswordHasher,
    /// Signs and checks access and refresh tokens.
    pub tokens: TokenSigner,
    /// Encrypts store keys.
    pub fernet: Fernet,
    /// Encrypts challenges that aren't kept.
    pub challenges: Fernet,
    /// The relying party of passkeys, or why they can't be used at this address.
    pub relying_party: Result<RelyingParty, PasskeysUnavailable>,
    /// The attempts in flight.
    pub throttle: Throttle,
    /// Logs denied requests.
    pub denied: DeniedLog,
    /// Uses of API keys that aren't written yet.
    pub key_uses: Arc<ApiKeyUses>,
    /// The console's pages.
    pub pages: Pages,
    /// The API description.
    pub description: ApiDescription,
    /// Reports a proxy that isn't trusted.
    pub untrusted_proxy: UntrustedProxy,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// Whether a superuser's backup is being made.
    pub backup_running: AtomicBool,
    /// The token of the setup link, until the first superuser exists.
    pub setup_token: Mutex<Option<Secret>>,
}
