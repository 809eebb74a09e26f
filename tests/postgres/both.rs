//! A database on each engine.

use usher::store::{Db, Options, PostgresServer};

use crate::support::postgres::empty;

/// An empty PostgreSQL database.
pub fn server() -> PostgresServer {
    PostgresServer::parse(&empty(), None).unwrap()
}

/// A database on each engine. The first is SQLite's.
pub fn both() -> (tempfile::TempDir, [Db; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { data_dir: dir.path().to_owned(), readers: 2, create: true };
    let databases = [Db::open(&options).unwrap(), Db::open_postgres(&server(), 2, true).unwrap()];
    (dir, databases)
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
