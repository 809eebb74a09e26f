//! The address of a PostgreSQL server, and how connections to it are opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{SslMode, TargetSessionAttrs};
use postgres::{Config, NoTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::domain::secret::Secret;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::session::Session;
use crate::store::engine::sqlite::open::ConnectionKind;

/// How long opening a connection may take, for each host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sent data may stay without an acknowledgement, before the connection counts as lost.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before PostgreSQL's host is asked whether it is alive.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// A server of usher that is frozen inside of a transaction loses it after 5 s, so that others wait less than the 10 s
/// after which they give up.
const SESSION: &str = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=10s -c synchronous_commit=on \
     -c TimeZone=UTC -c client_min_messages=warning";

/// Why an address can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It can't be parsed.
    #[error("not a valid address: {0}; write postgres://USER@HOST/DATABASE")]
    Invalid(String),
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
pub struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    /// Parses an address such as `postgres://usher@db1,db2/usher`. TLS with verification is on, unless the address has
    /// `?sslmode=disable`. `?sslrootcert=FILE` names the certificate authorities to trust instead of the system's.
    pub fn parse(address: &str, password: Option<&Secret>) -> Result<Self, AddressError> {
        let invalid = |cause: &dyn std::fmt::Display| AddressError::Invalid(cause.to_string());
        let (base, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut roots, mut rest) = (None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_encoding::percent_decode_str(path).decode_utf8().map_err(|e| invalid(&e))?;
                    roots = Some(PathBuf::from(path.as_ref()));
                }
                _ => rest.push(pair),
            }
        }
        let mut config: Config = format!("{base}?{}", rest.join("&")).parse().map_err(|e| invalid(&e))?;
        if config.get_hosts().is_empty() || config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(AddressError::Invalid("it names no user, host or database".to_owned()));
        }
        if let Some(password) = password {
            config.password(password.expose());
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            // Never without verification: who can intercept the connection can read and change everything.
            _ => Some(MakeRustlsConnect::new(verifying(roots)?)),
        };
        if tls.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        config
            .application_name("usher")
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(TCP_TIMEOUT)
            .keepalives_idle(KEEPALIVE)
            .options(SESSION);
        Ok(Self { config, tls })
    }

    /// Opens a connection.
    pub fn connect(&self, kind: ConnectionKind) -> Result<Connection, StoreError> {
        let client = match &self.tls {
            None => self.config.connect(NoTls),
            Some(tls) => self.config.connect(tls.clone()),
        };
        let connection = Connection::from(Session::new(client?));
        if kind == ConnectionKind::Reader {
            connection.batch("SET default_transaction_read_only = on")?;
        }
        Ok(connection)
    }
}

/// Never prints the password.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL at {:?}", self.config.get_hosts())
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
