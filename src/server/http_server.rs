//! The actix-web server: workers, timeouts, connection limits and the application.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::{Server, Service};
use actix_web::middleware::Condition;
use actix_web::{App as WebApp, HttpResponse, HttpServer, web};

use crate::http::pipeline::app::App;
use crate::jobs::watchdog::WorkerTicks;
use crate::platform::client_socket;
use crate::server::client_connection::{ClientConnection, ResponseBody};
use crate::server::connection_limits::{ConnectionLimits, IDLE_TIMEOUT, LimitPolicy, Permit};
use crate::{http, platform};

/// How long open requests may take to finish when the server stops.
const SHUTDOWN_SECONDS: u64 = 10;
/// How long a client may take to send a connection's first request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to close a connection that the server has closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Bytes that the system receives before actix reads them. With this size, actix reads at most about 5 KB before it
/// parses; from 8 KiB on, a nearby client refills the buffer while actix reads, up to 128 KiB.
const RECEIVE_BUFFER: usize = 4 << 10;
/// The most connections, if the system allows enough open files.
const MAX_CONNECTIONS: u64 = 4096;
/// Open files that aren't connections: the database, the workers, a backup.
const OTHER_FILES: u64 = 64;
/// Open files per connection: the socket, and the handle that the idle sweep uses.
const FILES_PER_CONNECTION: u64 = 2;

/// The server's limits on connections, from the number of files that the system lets it open.
pub fn connection_limits(app: &App) -> Arc<ConnectionLimits> {
    // Half of what is left is for connections that are about to be refused.
    let files = platform::allow_open_files().saturating_sub(OTHER_FILES) / 2;
    let total = (files / FILES_PER_CONNECTION).min(MAX_CONNECTIONS);
    let policy = LimitPolicy::of_total(usize::try_from(total).unwrap_or(usize::MAX));
    ConnectionLimits::new(policy, &app.config.trusted_proxies)
}

/// Serves `app` on all `listeners`. The workers start when the server is first polled. `watchdog` counts each worker's
/// ticks, if there is one, at this interval.
pub fn listen(
    app: &web::Data<App>,
    listeners: Vec<TcpListener>,
    limits: &Arc<ConnectionLimits>,
    watchdog: Option<(WorkerTicks, Duration)>,
) -> io::Result<Server> {
    let (data, origins) = (app.clone(), app.config.cors_origins.clone());
    let factory = move || {
        // actix calls this on every worker's thread.
        if let Some((ticks, interval)) = &watchdog {
            ticks.count_this_worker(*interval);
        }
        let app = data.clone();
        WebApp::new()
            .app_data(app.clone())
            .default_service(web::to(http::respond))
            .wrap(Condition::new(!origins.is_empty(), cors(&origins)))
            .wrap_fn(|request, service| {
                let connection = request.request().conn_data::<Permit>().map(|permit| Arc::clone(permit.connection()));
                let guard = connection.as_ref().map(ClientConnection::begin);
                let response = match guard {
                    Some(None) => Err(request.into_response(too_early())),
                    guard => Ok((guard.flatten(), service.call(request))),
                };
                async move {
                    let (guard, response) = match response {
                        Ok(running) => running,
                        Err(refusal) => return Ok(refusal.map_body(|_, body| ResponseBody::unwatched(body))),
                    };
                    let response = http::complete(response.await?).map_into_boxed_body();
                    drop(guard);
                    Ok(match &connection {
                        Some(connection) => connection.watch(response),
                        None => response.map_body(|_, body| ResponseBody::unwatched(body)),
                    })
                }
            })
    };
    let on_connect = Arc::clone(limits);
    let server = HttpServer::new(factory)
        .workers(app.config.workers)
        // The store and the hasher have their own threads.
        .worker_max_blocking_threads(1)
        .max_connections(limits.accept_limit())
        .keep_alive(IDLE_TIMEOUT)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .on_connect(move |stream, data| on_connect.on_connect(stream, data));
    let server = listeners.into_iter().try_fold(server, |server, listener| {
        platform::set_backlog(&listener, BACKLOG);
        client_socket::set_receive_buffer(&listener, RECEIVE_BUFFER);
        server.listen(listener)
    })?;
    Ok(server.run())
}

/// The response to a request that the client sent before the previous response. actix would parse whatever else the
/// client has sent before it sends a body, so there is none.
fn too_early() -> HttpResponse {
    HttpResponse::TooManyRequests().force_close().finish()
}

/// Lets pages of the configured origins call with credentials. Never allows every origin.
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
