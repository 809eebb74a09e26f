//! Builds a server from the settings, runs it and stops it. If the settings are wrong, it doesn't start, and the error
//! says what to do.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use serde_json::json;

use crate::auth::fernet::Fernet;
use crate::auth::passkey::RelyingParty;
use crate::auth::password_hasher::PasswordHasher;
use crate::auth::throttle_keys::ThrottleKeys;
use crate::auth::token::TokenSigner;
use crate::config::{Config, SERVER_RECORD_FILE, ServerRecord};
use crate::console::pages::Pages;
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::http;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::untrusted_proxy::UntrustedProxy;
use crate::http::pipeline::denied_log::DeniedLog;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::metrics::Metrics;
use crate::http::pipeline::openapi::ApiDescription;
use crate::http::pipeline::remembered_callers::RememberedCallers;
use crate::http::pipeline::throttle::Throttle;
use crate::jobs::watchdog::WorkerTicks;
use crate::jobs::{JobContext, api_key_uses, events, scheduled_backups, sweep, watchdog};
use crate::platform::{self, DirLock, inspect, service};
use crate::store::user_index::search::SharedUserIndex;

mod client_connection;
mod connection_limits;
pub mod database;
mod first_superuser;
mod http_server;
pub mod port_file;
mod reserved_names;
pub mod secret_key;
mod start_error;

pub use first_superuser::{FirstSuperuser, FirstSuperuserError};
pub use port_file::PortFileError;
pub use start_error::StartError;

use connection_limits::ConnectionLimits;
use port_file::PortFile;

/// How often usher tries to lock the data directory, and the pause between two tries.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// How long after the start the index of a large database is loaded. Loading occupies a core, which would slow down the
/// first requests.
const INDEX_DELAY: Duration = Duration::from_millis(250);

/// A server that listens, but doesn't answer until it runs.
pub struct Server {
    /// Where it listens. If the port in the settings is 0, this has the port that the system chose.
    pub address: SocketAddr,
    /// The URL that people open: `public_url`, or else the address where it listens.
    pub url: String,
    /// The state of the first superuser.
    pub first_superuser: FirstSuperuser,
    app: web::Data<App>,
    job: JobContext,
    /// The last audit entry that was sent to `on_event`.
    event_position: i64,
    server: actix_web::dev::Server,
    limits: Arc<ConnectionLimits>,
    /// The workers' ticks, and the service manager's watchdog timeout, if it has one.
    watchdog: Option<(WorkerTicks, Duration)>,
    // Dropped before the lock, so that the next server on this directory can write its own.
    _port_file: Option<PortFile>,
    _lock: DirLock,
}

/// Prepares the data directory, lock, database, secret key, first superuser and listener.
///
/// # Errors
/// When any of these fails.
pub async fn build(config: Config, clock: Clock) -> Result<Server, StartError> {
    build_on(config, clock, Vec::new()).await
}

/// Like [`build`], but uses these listening sockets instead of `bind`, if there are any.
///
/// # Errors
/// As [`build`].
pub async fn build_on(config: Config, clock: Clock, passed: Vec<TcpListener>) -> Result<Server, StartError> {
    let mut config = config;
    let bind = config.bind.to_string();
    let no_bind = |cause| StartError::Bind { bind: bind.clone(), holder: String::new(), cause };
    let addresses = match &*passed {
        [] => config.bind.resolve().map_err(no_bind)?,
        passed => passed.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(no_bind)?,
    };
    if config.auto_login && !(addresses.iter().all(|at| at.ip().is_loopback()) && config.trusted_proxies.is_empty()) {
        return Err(StartError::AutoLoginExposed);
    }
    if !config.base_path.is_empty() && http::conflicts_with(&config.base_path) {
        return Err(StartError::BasePathTaken(config.base_path.clone()));
    }
    let dir = config.data_dir.clone();
    let failed = |cause| StartError::DataDir { path: dir.clone(), cause };
    if dir.exists() && !dir.is_dir() {
        return Err(failed(io::Error::other("it is not a directory")));
    }
    platform::files::create_private_dir(&dir).map_err(failed)?;
    // SQLite refuses links in the path.
    config.data_dir = dir.canonicalize().map_err(failed)?;
    let (config, dir) = (Arc::new(config), dir.as_path());
    let lock = lock(dir).await.map_err(failed)?.ok_or_else(|| StartError::Running(dir.to_owned()))?;
    // Before anything is written, so that nothing changes if the port is in use.
    let listeners = match passed {
        passed if passed.is_empty() => vec![self::bind(&config)?],
        passed => passed,
    };
    let address = listeners[0].local_addr().map_err(no_bind)?;
    let mut port_file = config.port_file.clone().map(PortFile::claim).transpose()?;

    let db = database::open(&config, config.workers.max(2), true)?;
    database::warn_without_standby(&db).await?;
    let secret = secret_key::load(&config, &db, clock.now()).await?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let url = config.public_url.clone().unwrap_or_else(|| local_url(address) + &config.base_path);
    let relying_party = RelyingParty::new("usher", &url);
    let passkey_domain = relying_party.as_ref().ok().filter(|_| config.second_factor.is_on()).map(RelyingParty::id);
    let pages = Pages::new(passkey_domain.unwrap_or_default());
    let metrics = Metrics::new(config.metrics, clock.now().timestamp());
    let app = web::Data::new(App {
        url: url.clone(),
        clock,
        db,
        callers: RememberedCallers::default(),
        user_index: SharedUserIndex::default(),
        hasher: PasswordHasher::start(config.bcrypt_cost, cores).map_err(StartError::Threads)?,
        tokens: TokenSigner::new(&secret),
        fernet: Fernet::new(&secret),
        challenges: Fernet::for_purpose(&secret, "usher passkey challenges"),
        relying_party,
        throttle: Throttle::new(ThrottleKeys::new(&secret)),
        denied: DeniedLog::new(Generation::of(&config)),
        untrusted_proxy: UntrustedProxy::default(),
        key_uses: Arc::default(),
        pages,
        metrics,
        backup_running: AtomicBool::new(false),
        setup_token: Mutex::new(None),
        description: ApiDescription::new(http::describe_routes, Generation::of(&config)),
        config,
    });
    let job = JobContext { db: app.db.clone(), config: Arc::clone(&app.config), clock: app.clock.clone() };
    sweep::init_trusted_time(&job).await.map_err(StartError::Clock)?;
    let event_position = events::init_position(&job).await.map_err(StartError::Events)?;
    reserved_names::apply_setting(&app).await.map_err(StartError::Names)?;
    let first_superuser = first_superuser::prepare(&app, &url, &secret).await?;
    reserved_names::log_conflicts(&app).await.map_err(StartError::Names)?;
    let watchdog = service::watchdog_timeout().map(|timeout| (WorkerTicks::default(), timeout));
    let limits = http_server::connection_limits(&app);
    let ticks = watchdog.clone().map(|(ticks, timeout)| (ticks, timeout / 4));
    let server = http_server::listen(&app, listeners, &limits, ticks).map_err(StartError::Threads)?;
    let record = ServerRecord {
        pid: std::process::id(),
        local_url: local_url(address),
        public_url: url.clone(),
        config_file: app.config.file.clone(),
        untrusted_proxy: None,
    };
    if let Err(error) = record.write(&app.config.data_dir) {
        log::warn!("Commands won't find this server: {SERVER_RECORD_FILE} can't be written: {error}");
    }
    if let Some(file) = &mut port_file {
        file.publish(ready_line(address))?;
    }
    Ok(Server {
        address,
        url,
        first_superuser,
        app,
        job,
        event_position,
        server,
        limits,
        watchdog,
        _port_file: port_file,
        _lock: lock,
    })
}

/// Listens on `bind`.
///
/// # Errors
/// If the address can't be resolved or is in use.
pub fn bind(config: &Config) -> Result<TcpListener, StartError> {
    let failed = |cause, holder| StartError::Bind { bind: config.bind.to_string(), holder, cause };
    let addresses = config.bind.resolve().map_err(|cause| failed(cause, String::new()))?;
    TcpListener::bind(addresses.as_slice()).map_err(|cause| {
        let is_taken = cause.kind() == io::ErrorKind::AddrInUse;
        let holder = addresses.first().filter(|_| is_taken).and_then(|address| inspect::listener(address.port()));
        failed(cause, holder.map_or_else(String::new, |(pid, name)| format!(" (process {pid}, {name})")))
    })
}

/// Locks the data directory. Tries again, because a command that checks for a running server holds the lock for a
/// moment.
async fn lock(dir: &Path) -> io::Result<Option<DirLock>> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = platform::lock_dir(dir)? {
            return Ok(Some(lock));
        }
        actix_web::rt::time::sleep(LOCK_PAUSE).await;
    }
    platform::lock_dir(dir)
}

/// The line of JSON that tells the parent program that the server is ready.
pub fn ready_line(address: SocketAddr) -> String {
    let ready = json!({
        "event": "ready",
        "url": local_url(address),
        "port": address.port(),
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    format!("{ready}\n")
}

/// A URL that a program on this machine can open. The wildcard address can't be connected to, so it becomes loopback.
pub fn local_url(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

impl Server {
    /// Writes the setup link to a file that only the server's user can read, and returns its path.
    ///
    /// # Errors
    /// When the data directory can't be written.
    pub fn write_setup_link(&self, link: &Secret) -> Result<PathBuf, FirstSuperuserError> {
        first_superuser::write_setup_link(&self.app.config, link)
    }

    /// Stops the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// The state that requests share, for tests.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Serves requests until it is stopped. Then finishes open requests, writes the API-key use counts and closes the
    /// database.
    ///
    /// # Errors
    /// When the server fails as a whole.
    pub async fn run(self) -> io::Result<()> {
        let index_loader = actix_web::rt::spawn({
            let app = Arc::clone(&self.app);
            async move {
                actix_web::rt::time::sleep(INDEX_DELAY).await;
                app.user_index.load_in_background(&app.db);
            }
        });
        let flusher = actix_web::rt::spawn(api_key_uses::run(self.job.clone(), Arc::clone(&self.app.key_uses)));
        let sweeper = actix_web::rt::spawn(sweep::run(self.job.clone()));
        let connections = actix_web::rt::spawn(connection_limits::run_sweep(self.limits));
        let watchdog =
            self.watchdog.map(|(ticks, timeout)| actix_web::rt::spawn(watchdog::run(self.job.clone(), ticks, timeout)));
        let in_flight = events::SendingEvent::default();
        let events = actix_web::rt::spawn(events::run(self.job.clone(), self.event_position, in_flight.clone()));
        let stop = CancelFlag::default();
        let backups = actix_web::rt::spawn(scheduled_backups::run(self.job.clone(), stop.clone()));
        let outcome = self.server.await;
        stop.cancel();
        if let Err(error) = backups.await {
            log::error!("scheduled backups ended with an error: {error}");
        }
        index_loader.abort();
        events.abort();
        in_flight.requeue(&self.job).await;
        flusher.abort();
        sweeper.abort();
        connections.abort();
        if let Some(watchdog) = watchdog {
            watchdog.abort();
        }
        if let Err(error) = self.app.key_uses.flush(&self.app.db).await {
            log::error!("the last API-key uses couldn't be written: {}", error.described());
        }
        self.app.db.close();
        outcome
    }
}
