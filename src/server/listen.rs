//! Owns how a listener becomes a running server: the workers, the limits of connections, the application.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::{ConnectionType, HttpService, Payload, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, ServiceResponse, fn_service};
use actix_web::middleware::Condition;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use actix_web::{App as WebApp, web};

use crate::http::pipeline::app::App;
use crate::http::pipeline::turn::Turn;
use crate::jobs::watchdog::Workers;
use crate::server::connection::{CLOSE_TIMEOUT, Connection, HEAD_TIMEOUT};
use crate::server::leave;
use crate::server::peers::Peers;
use crate::{http, platform};

/// How long open requests may take to finish when the server stops.
const DRAIN_SECONDS: u64 = 10;
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The most connections, if the system allows as many open files.
const MAX_CONNECTIONS: u64 = 4096;
/// Open files that are no connections: the database's, the workers', those of a backup.
const OTHER_FILES: u64 = 64;
/// What a client hears when there are too many connections.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves `app` on all `listeners`; the workers run when the server is awaited. Their turns are counted where somebody
/// waits for signs of life, that long.
pub fn listen(
    app: &web::Data<App>,
    listeners: Vec<TcpListener>,
    watched: Option<(Workers, Duration)>,
) -> io::Result<Server> {
    let most = MAX_CONNECTIONS.min(platform::allow_open_files().saturating_sub(OTHER_FILES)).max(OTHER_FILES);
    let peers = Peers::new(usize::try_from(most).unwrap_or(usize::MAX), &app.config.trusted_proxies);
    // No worker ever blocks on purpose: the store and the hasher have threads of their own.
    let builder = Server::build().workers(app.config.workers).worker_max_blocking_threads(1);
    let builder = builder.shutdown_timeout(DRAIN_SECONDS).disable_signals();
    let (app, stopping) = (app.clone(), builder.graceful_shutdown_signal());
    let serve = move || {
        leave::prepare();
        if let Some((workers, patience)) = &watched {
            workers.count_this_one(*patience / 4);
        }
        let (peers, stopping) = (Arc::clone(&peers), stopping.clone());
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(CLOSE_TIMEOUT)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|connection: &Connection, data| drop(data.insert(connection.turn())))
            .h1(application(app.clone()));
        fn_service(move |stream| admit(Arc::clone(&peers), stream)).and_then(http)
    };
    let builder = listeners.into_iter().try_fold(builder, |builder, listener| {
        platform::widen_backlog(&listener);
        builder.listen("usher", listener, serve.clone())
    })?;
    Ok(builder.run())
}

/// Makes a stream a connection, unless there are too many.
async fn admit(peers: Arc<Peers>, stream: TcpStream) -> Result<(Connection, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().map_err(DispatchError::Io)?;
    let Some(held) = peers.admit(peer.ip()) else {
        if timeout(CLOSE_TIMEOUT, stream.writable()).await.is_ok() {
            // Whoever does not hear of it sees it.
            let _ = stream.try_write(BUSY);
        }
        return Err(DispatchError::Io(io::ErrorKind::ConnectionRefused.into()));
    };
    Ok((Connection::new(stream, held), Some(peer)))
}

/// The routes, and what holds for all of them.
fn application(
    app: web::Data<App>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<impl MessageBody>,
    Error = Response<BoxBody>,
    InitError = (),
> {
    let origins = &app.config.cors_origins;
    let routes = WebApp::new()
        .app_data(app.clone())
        .wrap(Condition::new(!origins.is_empty(), cors(origins)))
        .configure(|config| http::configure(config, &app.config.base_path));
    let routes = routes.into_factory().map_err(|error| error.error_response().into());
    apply_fn_factory(map_config(routes, |()| AppConfig::default()), |mut request: Request, routes| {
        let turn = request.conn_data::<Rc<Turn>>().cloned();
        if let Some(turn) = &turn {
            turn.called(!matches!(request.payload(), Payload::None));
        }
        let answer = routes.call(request);
        async move {
            let mut answer = answer.await.map(http::complete);
            if let Some(turn) = turn
                && turn.end()
                && let Ok(answer) = &mut answer
            {
                answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            answer
        }
    })
}

/// Lets pages of the configured origins call, with credentials; never any origin.
fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PATCH", "DELETE"])
        .allowed_headers(["authorization", "content-type", "if-match", "x-api-key", "x-launch-secret"])
        .expose_headers(["etag", "location", "retry-after", "x-request-id"])
        .supports_credentials()
        .block_on_origin_mismatch(false)
        .max_age(600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
