//! Owns the ids of requests: every answer carries one, and so does every line in the log that is about it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{HttpMessage, HttpRequest};

use crate::auth::random;
use crate::domain::audit::RequestId;

/// The id of a request; the same whenever it is asked for.
pub fn of(request: &HttpRequest) -> RequestId {
    let mut data = request.extensions_mut();
    if let Some(id) = data.get::<RequestId>() {
        return *id;
    }
    let id = next();
    data.insert(id);
    id
}

/// Counts up from a random number: unique in this process, and unlikely to be met in another one's log.
pub fn next() -> RequestId {
    static FIRST: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(random::bytes().map_or(0, u64::from_ne_bytes)));
    RequestId(FIRST.fetch_add(1, Ordering::Relaxed))
}
