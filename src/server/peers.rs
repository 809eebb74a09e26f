//! Owns how many connections there are, and how many of them one place on the network holds. Must not know what they
//! are for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::domain::client_network::client_network;

/// Counts connections, for all workers.
#[derive(Debug)]
pub struct Peers {
    most: usize,
    trusted: Vec<IpNet>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_place: HashMap<IpAddr, usize>,
}

/// One connection's place among the others, until it is dropped.
#[derive(Debug)]
pub struct Held {
    peers: Arc<Peers>,
    place: IpAddr,
}

impl Peers {
    /// At most `most` connections, of which one place may hold half. Places for which others come do not count as
    /// one: the trusted proxies, and this machine, where a proxy may stand that nobody configured.
    pub fn new(most: usize, trusted: &[IpNet]) -> Arc<Self> {
        Arc::new(Self { most, trusted: trusted.to_vec(), open: Mutex::default() })
    }

    /// Admits one more from `peer`, unless there are too many.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Held> {
        let (peer, place) = (peer.to_canonical(), client_network(peer));
        let for_others = peer.is_loopback() || self.trusted.iter().any(|net| net.contains(&peer));
        let mut open = self.open();
        let here = open.by_place.get(&place).copied().unwrap_or(0);
        if open.all >= self.most || (here >= self.most / 2 && !for_others) {
            return None;
        }
        open.all += 1;
        open.by_place.insert(place, here + 1);
        Some(Held { peers: Arc::clone(self), place })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.peers.open();
        open.all -= 1;
        match open.by_place.get_mut(&self.place) {
            Some(here) if *here > 1 => *here -= 1,
            _ => drop(open.by_place.remove(&self.place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_holds_at_most_half_and_makes_room_when_it_leaves() {
        let peers = Peers::new(6, &["10.0.0.0/8".parse().unwrap()]);
        let admit = |address: &str| peers.admit(address.parse().unwrap());
        let mut mine: Vec<_> = (1..=3).map(|n| admit(&format!("2001:db8::{n}")).unwrap()).collect();
        assert!(admit("2001:db8::4").is_none(), "a customer's network is one place");
        let other = admit("192.0.2.1").unwrap();
        mine.pop();
        let again = admit("2001:db8::4").unwrap();
        assert!(admit("2001:db8::5").is_none());
        let last = (admit("::ffff:192.0.2.1").unwrap(), admit("192.0.2.1").unwrap());
        assert!(admit("192.0.2.2").is_none(), "six in all");
        drop((mine, other, again, last));
        assert!(peers.open().by_place.is_empty(), "nobody who left is remembered");
    }

    #[test]
    fn proxies_and_this_machine_come_for_others() {
        let peers = Peers::new(4, &["10.0.0.0/8".parse().unwrap()]);
        for address in ["10.0.0.1", "127.0.0.1", "::1"] {
            let held: Vec<_> = (0..5).map_while(|_| peers.admit(address.parse().unwrap())).collect();
            assert_eq!(held.len(), 4, "{address}");
        }
    }
}
