//! Owns the measure: actix's own server, with usher's application and the times that usher keeps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App as WebApp, HttpServer, web};
use usher::http::{App, configure};

/// A server that runs until it is dropped.
pub struct Bare {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    /// Serves what the server of `app` serves.
    pub fn start(app: &Arc<App>) -> Self {
        let app = web::Data::from(Arc::clone(app));
        let (started, ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    WebApp::new().app_data(app.clone()).configure(|config| configure(config, &app.config.base_path))
                });
                let server = server.workers(1).keep_alive(Duration::from_secs(75)).disable_signals();
                let server = server.client_request_timeout(Duration::from_secs(10)).bind("127.0.0.1:0").unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                started.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = ready.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "actix's server panicked");
        }
    }
}
