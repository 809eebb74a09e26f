//! Request ids: in every response, and in every log line about the request.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{HttpMessage, HttpRequest};

use crate::auth::random;
use crate::domain::audit::RequestId;

/// Returns the request's id, which stays the same.
pub fn of(request: &HttpRequest) -> RequestId {
    let mut data = request.extensions_mut();
    if let Some(id) = data.get::<RequestId>() {
        return *id;
    }
    let id = next();
    data.insert(id);
    id
}

/// Returns the next id. Ids count up from a random number, so they are unique in this process and rarely repeat in
/// another's log.
pub fn next() -> RequestId {
    static FIRST: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(random::bytes().map_or(0, u64::from_ne_bytes)));
    RequestId(FIRST.fetch_add(1, Ordering::Relaxed))
}
