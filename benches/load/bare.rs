//! The baseline: the cheapest route that actix can serve, with usher's server settings and no other code of usher.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};

/// Serves until the process is killed.
pub fn serve() -> std::io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| {
            App::new().route(
                "/health",
                web::get()
                    .to(|| async { HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#) }),
            )
        });
        let server = server.workers(cores).worker_max_blocking_threads(1).keep_alive(Duration::from_secs(75));
        let server = server.client_request_timeout(Duration::from_secs(10)).bind("127.0.0.1:0")?;
        super::say(&format!("http://{}", server.addrs()[0]));
        server.run().await
    })
}
