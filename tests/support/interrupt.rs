//! Changes the database while a request is under way.

use std::sync::mpsc;

use usher::store::{Connection, StoreError};

use super::wait::until;
use super::{Request, Response, Server};

/// Sends a request. Once the server has authenticated it and its write is queued, runs `meanwhile` before the write.
pub fn send_and_interrupt(server: &Server, request: &Request, meanwhile: &'static str) -> Response {
    let (started, holds) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let db = server.app.db.clone();
    // Otherwise the write of the keys' uses, once a second, could be taken for the request's.
    actix_web::rt::System::new().block_on(server.app.key_uses.flush(&db)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let work = move |connection: &Connection| {
                started.send(()).unwrap();
                released.recv().unwrap();
                connection.batch(meanwhile)?;
                Ok::<_, StoreError>(())
            };
            actix_web::rt::System::new().block_on(db.write(work)).unwrap();
        });
        holds.recv().unwrap();
        let mut connection = server.connect();
        connection.write(&request.bytes(true));
        until("the request isn't queued", || server.app.db.queued().writes > 0);
        release.send(()).unwrap();
        connection.read(false).unwrap()
    })
}
