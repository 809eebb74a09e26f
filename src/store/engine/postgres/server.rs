//! The address of a PostgreSQL server, and how connections to it are opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::domain::secret::Secret;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::session::PostgresSession;

/// The name of usher's connections in PostgreSQL.
pub(super) const APPLICATION: &str = "usher";
/// How long sent data may stay without an acknowledgement, before the connection counts as lost.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before PostgreSQL's host is asked whether it is alive.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long after that it is asked again. It counts as lost then.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A server of usher that is frozen inside of a transaction loses it after 5 s, so that others wait less than the 10 s
/// after which they give up. PostgreSQL notices a server that the network has cut off as fast as the server notices it;
/// otherwise its connections would stay for hours.
const SESSION: &str = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=10s -c synchronous_commit=on \
     -c TimeZone=UTC -c client_min_messages=warning \
     -c tcp_user_timeout=10s -c tcp_keepalives_idle=10s -c tcp_keepalives_interval=5s";

/// Why an address can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It can't be parsed.
    #[error("not a valid address: {0}; write postgres://USER@HOST/DATABASE")]
    Invalid(String),
    /// It has an option that usher doesn't know.
    #[error("the option `{0}` isn't supported; remove it, or see docs/several-servers.md")]
    Option(String),
    /// The file of certificates can't be read.
    #[error("{path}: {cause}; `sslrootcert` must be a readable PEM file of certificates")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: String,
    },
    /// No certificate authorities are known.
    #[error("no certificate authorities found; name a PEM file with `?sslrootcert=FILE`, or use `?sslmode=disable`")]
    NoCertificates,
}

/// A PostgreSQL server, or several of which one accepts writes.
#[derive(Clone)]
pub struct PostgresServer {
    /// One for each host.
    hosts: Vec<Config>,
    tls: Option<MakeRustlsConnect>,
    /// How many connections were lost. Clones share it.
    losses: Arc<AtomicUsize>,
}

impl PostgresServer {
    /// Parses an address such as `postgres://usher@db1,db2/usher`. TLS with verification is on, unless the address has
    /// `?sslmode=disable`. `?sslrootcert=FILE` names the certificate authorities to trust instead of the system's.
    pub fn parse(address: &str, password: Option<&Secret>) -> Result<Self, AddressError> {
        let (base, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut roots, mut encrypted) = (None, true);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("sslrootcert", path) => {
                    let path = percent_encoding::percent_decode_str(path).decode_utf8();
                    roots =
                        Some(PathBuf::from(path.map_err(|error| AddressError::Invalid(error.to_string()))?.as_ref()));
                }
                ("sslmode", "disable") => encrypted = false,
                ("sslmode", "require" | "verify-ca" | "verify-full") | ("target_session_attrs", "read-write") => {}
                _ => return Err(AddressError::Option(pair.to_owned())),
            }
        }
        let hosts = hosts(base)?.iter().map(|base| host(base, password, encrypted)).collect::<Result<_, _>>()?;
        // Never without verification: who can intercept the connection can read and change everything.
        let tls = if encrypted { Some(MakeRustlsConnect::new(verifying(roots)?)) } else { None };
        Ok(Self { hosts, tls, losses: Arc::default() })
    }

    /// How to connect to each host.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (Config, Option<MakeRustlsConnect>)> {
        self.hosts.iter().map(|config| (config.clone(), self.tls.clone()))
    }

    /// The number of connections that were lost.
    pub(super) fn losses(&self) -> &Arc<AtomicUsize> {
        &self.losses
    }

    /// Opens a connection that writes only in transactions that say so.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        let connection = Connection::from(PostgresSession::open(self)?);
        connection.batch("SET default_transaction_read_only = on")?;
        Ok(connection)
    }

    /// Opens a connection for a long transaction, in which usher itself may work for more than the usual 5 s.
    pub fn connect_for_bulk(&self) -> Result<Connection, StoreError> {
        let session = PostgresSession::open(self)?;
        session.allow_long_answers();
        let connection = Connection::from(session);
        connection.batch("SET idle_in_transaction_session_timeout = 0")?;
        Ok(connection)
    }
}

/// Returns an address for each host of an address.
fn hosts(address: &str) -> Result<Vec<String>, AddressError> {
    let invalid = || AddressError::Invalid("it names no user, host or database".to_owned());
    let (scheme, rest) = address.split_once("://").ok_or_else(invalid)?;
    let (authority, database) = rest.split_once('/').ok_or_else(invalid)?;
    let (user, hosts) = authority.rsplit_once('@').ok_or_else(invalid)?;
    Ok(hosts.split(',').map(|host| format!("{scheme}://{user}@{host}/{database}")).collect())
}

fn host(address: &str, password: Option<&Secret>, encrypted: bool) -> Result<Config, AddressError> {
    let mut config: Config = address.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        AddressError::Invalid(cause)
    })?;
    let is_set = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    if config.get_hosts().is_empty() || !is_set(config.get_user()) || !is_set(config.get_dbname()) {
        return Err(AddressError::Invalid("it names no user, host or database".to_owned()));
    }
    if let Some(password) = password {
        config.password(password.expose());
    }
    config
        .application_name(APPLICATION)
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable })
        .tcp_user_timeout(TCP_TIMEOUT)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .options(SESSION);
    Ok(config)
}

/// Never prints the password.
impl std::fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL at {:?}", self.hosts.iter().map(Config::get_hosts).collect::<Vec<_>>())
    }
}

fn verifying(file: Option<PathBuf>) -> Result<ClientConfig, AddressError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let failed = |cause: String| AddressError::Certificates { path: path.clone(), cause };
            let certificates = CertificateDer::pem_file_iter(&path).map_err(|error| failed(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(AddressError::NoCertificates);
    }
    Ok(ClientConfig::builder().with_root_certificates(Arc::new(roots)).with_no_client_auth())
}
