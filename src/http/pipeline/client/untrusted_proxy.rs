//! Reports a proxy that sends forwarding headers but isn't trusted: all its clients share one address, and throttle
//! each other.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Once;
use std::thread;

use actix_web::http::header::HeaderMap;

use crate::config::{Config, ServerRecord};
use crate::http::pipeline::client::is_trusted;

/// Reports the first such proxy in the log, and to `usher doctor`.
#[derive(Debug)]
pub struct UntrustedProxy(Once);

impl Default for UntrustedProxy {
    fn default() -> Self {
        Self(Once::new())
    }
}

impl UntrustedProxy {
    /// Looks at the headers of a request that `peer` sent.
    pub fn check(&self, peer: IpAddr, headers: &HeaderMap, config: &Config) {
        if self.0.is_completed()
            || !headers.contains_key("x-forwarded-for")
            || is_trusted(peer, &config.trusted_proxies)
        {
            return;
        }
        self.0.call_once(|| {
            log::warn!(
                "{peer} sends X-Forwarded-For, but isn't in `trusted_proxies`: all its clients count as one address; \
                 if it is your proxy, add it"
            );
            let dir = config.data_dir.clone();
            // The disk may be slow, and the request must not wait for it.
            let written = thread::Builder::new().name("usher-record".to_owned()).spawn(move || record(dir, peer));
            if let Err(error) = written {
                log::warn!("`usher doctor` can't report it: {error}");
            }
        });
    }
}

fn record(data_dir: PathBuf, peer: IpAddr) {
    let Some(record) = ServerRecord::read(&data_dir) else { return };
    let record = ServerRecord { untrusted_proxy: Some(peer.to_string()), ..record };
    if let Err(error) = record.write(&data_dir) {
        log::warn!("`usher doctor` can't report it: {error}");
    }
}
