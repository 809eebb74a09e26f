//! Limits on client connections: how many there are in total and per network, and how long one may stay open without
//! completing a request. Parses no HTTP.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use ipnet::IpNet;

use crate::domain::client_network::client_network;
use crate::platform::client_socket::{self, ClientSocket};
use crate::server::client_connection::ClientConnection;

/// How long a connection stays open without a completed request while no handler runs for it.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How often idle connections are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long a client may leave sent data unread or unacknowledged.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The most connections from one IPv4 address or IPv6 /64. One connection takes up to 3 MB while its client sends
/// requests ahead.
const MAX_PER_NETWORK: usize = 64;
/// The most connections from one IPv6 /48.
const MAX_PER_SITE: usize = 128;
/// How often the log mentions refused connections.
const LOG_INTERVAL_SECONDS: i64 = 60;

/// How many connections clients may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitPolicy {
    /// In total.
    pub total: usize,
    /// For all clients that are exempt from the limits per network, and for all that aren't. Less than the total, so
    /// that neither group can keep the other out.
    pub per_group: usize,
    /// From one IPv4 address or IPv6 /64.
    pub per_network: usize,
    /// From one IPv6 /48, which is what many providers give to one customer.
    pub per_site: usize,
}

impl LimitPolicy {
    /// Shares out `total` connections so that twenty networks together leave at least a tenth to others.
    pub fn of_total(total: usize) -> Self {
        let total = total.max(20);
        Self {
            total,
            per_group: total - total / 10,
            per_network: (total / 32).clamp(1, MAX_PER_NETWORK),
            per_site: (total / 24).clamp(1, MAX_PER_SITE),
        }
    }
}

/// The origin of a connection, for the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// This machine or a trusted proxy, which connect on behalf of others.
    Exempt,
    /// Another client.
    Network { network: IpAddr, site: Option<IpAddr> },
}

/// Counts open connections, for all workers.
#[derive(Debug)]
pub struct ConnectionLimits {
    policy: LimitPolicy,
    trusted: Vec<IpNet>,
    started: Instant,
    open: Mutex<OpenConnections>,
    refused: AtomicU64,
    logged_at: AtomicI64,
}

#[derive(Debug, Default)]
struct OpenConnections {
    exempt: usize,
    others: usize,
    /// Networks and sites in one map: a /48's address with its lower bits zeroed is also a /64, hence the flag.
    by_network: HashMap<(IpAddr, bool), usize>,
    next_id: u64,
    connections: HashMap<u64, Arc<ClientConnection>>,
}

/// The right to keep one connection open. Lives in the connection's extensions and ends with it.
#[derive(Debug)]
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    origin: Origin,
    id: u64,
    connection: Arc<ClientConnection>,
}

impl ConnectionLimits {
    /// Limits by `policy`. Loopback and `trusted` proxies are exempt from the limits per network.
    pub fn new(policy: LimitPolicy, trusted: &[IpNet]) -> Arc<Self> {
        Arc::new(Self {
            policy,
            trusted: trusted.to_vec(),
            started: Instant::now(),
            open: Mutex::default(),
            refused: AtomicU64::new(0),
            logged_at: AtomicI64::new(i64::MIN),
        })
    }

    /// How many connections each worker may hold, those included that are about to be refused. At this number actix
    /// would stop accepting, so it is more than all permits.
    pub fn accept_limit(&self) -> usize {
        self.policy.total * 2
    }

    /// Stores a permit in the connection's extensions, or shuts the connection down.
    pub fn on_connect(self: &Arc<Self>, stream: &dyn Any, data: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        client_socket::set_user_timeout(stream, UNREAD_TIMEOUT);
        // A client that has already gone has no address.
        let admitted = stream.peer_addr().ok().and_then(|peer| {
            let socket = ClientSocket::duplicate(stream).ok()?;
            self.admit(peer.ip(), Some(socket))
        });
        if let Some(permit) = admitted {
            data.insert(permit);
        } else {
            client_socket::shut_down(stream);
            self.note_refusal();
        }
    }

    /// Counts one more connection from `peer`, unless that exceeds a limit.
    fn admit(self: &Arc<Self>, peer: IpAddr, socket: Option<ClientSocket>) -> Option<Permit> {
        let origin = self.origin(peer.to_canonical());
        let connection = ClientConnection::new(socket);
        let mut open = self.open();
        if open.exempt + open.others >= self.policy.total || !open.has_room(origin, &self.policy) {
            return None;
        }
        open.add(origin);
        let id = open.next_id;
        open.next_id += 1;
        open.connections.insert(id, Arc::clone(&connection));
        Some(Permit { limits: Arc::clone(self), origin, id, connection })
    }

    fn origin(&self, peer: IpAddr) -> Origin {
        if peer.is_loopback() || self.trusted.iter().any(|net| net.contains(&peer)) {
            return Origin::Exempt;
        }
        let site = match peer {
            IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !0 << 80))),
            IpAddr::V4(_) => None,
        };
        Origin::Network { network: client_network(peer), site }
    }

    /// Shuts down connections that have no handler running and completed no request for [`IDLE_TIMEOUT`].
    fn sweep(&self, now: Instant) {
        let open = self.open();
        open.connections
            .values()
            .filter(|connection| connection.is_idle(now, IDLE_TIMEOUT))
            .for_each(|idle| idle.shut_down());
    }

    /// Logs, at most once a minute, how many connections were refused.
    fn note_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let now = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        let last = self.logged_at.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= LOG_INTERVAL_SECONDS;
        if is_due && self.logged_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let refused = self.refused.swap(0, Ordering::Relaxed);
            log::warn!("too many connections: {refused} refused");
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    fn has_room(&self, origin: Origin, policy: &LimitPolicy) -> bool {
        let count = |key| self.by_network.get(&key).copied().unwrap_or(0);
        match origin {
            Origin::Exempt => self.exempt < policy.per_group,
            Origin::Network { network, site } => {
                self.others < policy.per_group
                    && count((network, false)) < policy.per_network
                    && site.is_none_or(|site| count((site, true)) < policy.per_site)
            }
        }
    }

    fn add(&mut self, origin: Origin) {
        match origin {
            Origin::Exempt => self.exempt += 1,
            Origin::Network { network, site } => {
                self.others += 1;
                for key in keys(network, site) {
                    *self.by_network.entry(key).or_default() += 1;
                }
            }
        }
    }

    fn remove(&mut self, origin: Origin) {
        match origin {
            Origin::Exempt => self.exempt -= 1,
            Origin::Network { network, site } => {
                self.others -= 1;
                for key in keys(network, site) {
                    match self.by_network.get_mut(&key) {
                        Some(count) if *count > 1 => *count -= 1,
                        _ => drop(self.by_network.remove(&key)),
                    }
                }
            }
        }
    }
}

fn keys(network: IpAddr, site: Option<IpAddr>) -> impl Iterator<Item = (IpAddr, bool)> {
    std::iter::once((network, false)).chain(site.map(|site| (site, true)))
}

/// Runs the sweep until it is aborted.
pub async fn run_sweep(limits: Arc<ConnectionLimits>) {
    let mut interval = actix_web::rt::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        limits.sweep(Instant::now());
    }
}

impl Permit {
    /// The connection.
    pub fn connection(&self) -> &Arc<ClientConnection> {
        &self.connection
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        open.remove(self.origin);
        open.connections.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(policy: LimitPolicy) -> Arc<ConnectionLimits> {
        ConnectionLimits::new(policy, &["10.0.0.0/8".parse().unwrap()])
    }

    /// Opens connections from `address` until one is refused.
    fn fill(limits: &Arc<ConnectionLimits>, address: &str) -> Vec<Permit> {
        (0..10_000).map_while(|_| limits.admit(address.parse().unwrap(), None)).collect()
    }

    #[test]
    fn an_address_a_64_and_a_48_each_have_their_limit() {
        let limits = limits(LimitPolicy { total: 1000, per_group: 900, per_network: 3, per_site: 5 });
        let mut network = fill(&limits, "2001:db8:1:1::1");
        assert_eq!(network.len(), 3);
        assert!(fill(&limits, "2001:db8:1:1::2").is_empty(), "one /64 is one network");
        let neighbor = fill(&limits, "2001:db8:1:2::1");
        assert_eq!(neighbor.len(), 2, "one /48 has five");
        assert_eq!(fill(&limits, "2001:db8:2::1").len(), 3);
        let v4 = fill(&limits, "::ffff:192.0.2.1");
        assert_eq!((v4.len(), fill(&limits, "192.0.2.1").len(), fill(&limits, "192.0.2.2").len()), (3, 0, 3));
        network.pop();
        assert_eq!(fill(&limits, "2001:db8:1:3::1").len(), 1);
        drop((network, neighbor, v4));
        let open = limits.open();
        assert!(open.by_network.is_empty() && open.connections.is_empty() && open.others == 0);
    }

    #[test]
    fn loopback_and_trusted_proxies_leave_the_last_tenth_to_others() {
        for address in ["10.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let limits = limits(LimitPolicy::of_total(4096));
            let held = fill(&limits, address);
            assert_eq!(held.len(), 4096 - 409, "{address}");
            assert_eq!(fill(&limits, "192.0.2.1").len(), MAX_PER_NETWORK);
        }
    }

    #[test]
    fn others_leave_the_last_tenth_to_loopback_and_trusted_proxies() {
        let limits = limits(LimitPolicy::of_total(4096));
        let held: Vec<_> = (0..=255).flat_map(|n| fill(&limits, &format!("192.0.2.{n}"))).collect();
        assert_eq!(held.len(), 4096 - 409);
        assert_eq!(fill(&limits, "127.0.0.1").len(), 409);
    }

    #[test]
    fn twenty_networks_of_any_kind_leave_room_for_others() {
        for total in [20, 100, 480, 4096] {
            for kind in ["192.0.2.{n}", "2001:db8:{n}:{m}::1"] {
                let limits = limits(LimitPolicy::of_total(total));
                let address = |n: usize, m: usize| kind.replace("{n}", &n.to_string()).replace("{m}", &m.to_string());
                let held: Vec<_> = (0..20)
                    .flat_map(|n| (0..9).map(move |m| (n, m)))
                    .flat_map(|(n, m)| fill(&limits, &address(n, m)))
                    .collect();
                assert!(held.len() <= total - total / 10, "{total} {kind}: {}", held.len());
                assert!(total < 100 || limits.admit("198.51.100.1".parse().unwrap(), None).is_some(), "{total} {kind}");
            }
        }
    }

    #[test]
    fn a_connection_is_shut_down_when_it_is_idle_and_no_handler_runs() {
        let limits = limits(LimitPolicy::of_total(100));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = || {
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            client.set_nonblocking(true).unwrap();
            (client, limits.admit(peer.ip(), Some(server.into())).unwrap())
        };
        let ((mut idle, _idle_permit), (mut busy, busy_permit)) = (open(), open());
        let running = busy_permit.connection().begin();
        let is_open = |stream: &mut std::net::TcpStream| {
            std::io::Read::read(stream, &mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        limits.sweep(after(59));
        assert!(is_open(&mut idle) && is_open(&mut busy));
        limits.sweep(after(61));
        assert!(!is_open(&mut idle) && is_open(&mut busy));
        drop(running);
        limits.sweep(after(61));
        assert!(!is_open(&mut busy));
    }
}
