//! Opening a connection to PostgreSQL, at the host that accepts writes.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls};

use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::server::PostgresServer;

/// How long opening a connection may take, whatever the number of hosts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The runtime and the task that move the connection's data whenever something waits for it.
pub(super) struct Link {
    pub runtime: Runtime,
    pub client: Client,
    pub transport: JoinHandle<()>,
}

impl Link {
    /// Connects to the host that accepts writes. All hosts are asked at once, because one of them may be frozen.
    /// `has_warned` is set when PostgreSQL sends a warning.
    pub fn open(server: &PostgresServer, has_warned: &Arc<AtomicBool>) -> Result<Self, StoreError> {
        // It looks at the connection at every turn, so that `is_broken` notices its end.
        let runtime = Builder::new_current_thread().enable_all().event_interval(1).build();
        let runtime = runtime.map_err(|error| StoreError::System(Arc::new(error)))?;
        let connected = runtime.block_on(async { timeout(CONNECT_TIMEOUT, connect(server, has_warned)).await });
        match connected {
            Ok(Ok((client, transport))) => Ok(Self { runtime, client, transport }),
            failed => {
                runtime.shutdown_background();
                Err(failed.map_or(StoreError::NoAnswer, |failed| failed.err().unwrap_or(StoreError::NoAnswer)))
            }
        }
    }
}

/// Returns the first connection that works.
async fn connect(
    server: &PostgresServer,
    has_warned: &Arc<AtomicBool>,
) -> Result<(Client, JoinHandle<()>), StoreError> {
    let mut tries = JoinSet::new();
    for (config, tls) in server.hosts() {
        let has_warned = Arc::clone(has_warned);
        tries.spawn(async move {
            Ok::<_, tokio_postgres::Error>(match tls {
                None => spawned(config.connect(NoTls).await?, has_warned),
                Some(tls) => spawned(config.connect(tls).await?, has_warned),
            })
        });
    }
    let mut failed = StoreError::NoAnswer;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(connected)) => return Ok(connected),
            // A host's own error says more than that another can't be reached.
            Ok(Err(error)) if error.as_db_error().is_some() || matches!(failed, StoreError::NoAnswer) => {
                failed = error.into();
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Err(failed)
}

/// Moves the connection's data in the background, whenever the runtime runs.
fn spawned<S, T>(
    (client, mut connection): (Client, Connection<S, T>),
    has_warned: Arc<AtomicBool>,
) -> (Client, JoinHandle<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let transport = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                log::warn!("PostgreSQL says: {}: {}", notice.severity(), notice.message());
                has_warned.store(true, Ordering::Relaxed);
            }
        }
    });
    (client, transport)
}
