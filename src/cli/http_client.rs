//! The requests of the health checks.

use std::io;
use std::time::Duration;

use url::Url;

use crate::platform::http_client::{HttpRequest, HttpResponse, send};

/// More than the largest response that is read, the description of the API.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// The status of `/health_check` below `url`.
///
/// # Errors
/// If no HTTP server answers within `timeout`.
pub(super) fn health_status(url: &Url, timeout: Duration) -> io::Result<u16> {
    get(url, "/health_check", timeout).map(|response| response.status)
}

/// Requests `path` below `url`.
///
/// # Errors
/// If no HTTP server answers within `timeout`.
pub(super) fn get(url: &Url, path: &str, timeout: Duration) -> io::Result<HttpResponse> {
    let mut url = url.clone();
    url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    send(&HttpRequest { method: "GET", url: &url, headers: &[], body: b"" }, MAX_RESPONSE_BYTES, timeout)
}
