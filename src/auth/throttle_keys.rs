//! The keys that attempts are counted under: HMACs, which don't reveal the typed name.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::client_network::client_network;
use crate::domain::secret::Secret;
use crate::domain::throttle::{AttemptKey, ThrottleRule};
use crate::domain::username::fold_input;

/// Derives throttle keys from the secret key.
pub struct ThrottleKeys(Hmac<Sha256>);

impl ThrottleKeys {
    /// Returns the deriver for this secret key.
    pub fn new(secret_key: &Secret) -> Self {
        let mac =
            Hmac::<Sha256>::new_from_slice(secret_key.expose().as_bytes()).expect("HMAC takes keys of any length");
        Self(mac.chain_update(b"usher throttle"))
    }

    /// Returns the key of a rule for a typed name and an address, as far as the rule uses them.
    pub fn key(&self, rule: ThrottleRule, name: &str, address: IpAddr) -> AttemptKey {
        let (kind, by_name, by_network) = match rule {
            ThrottleRule::Pair => (1_u8, true, true),
            ThrottleRule::Account => (2, true, false),
            ThrottleRule::Network => (3, false, true),
            ThrottleRule::SignUp => (4, false, true),
            ThrottleRule::SiteKey => (5, false, true),
        };
        let mut mac = self.0.clone().chain_update([kind]);
        if by_network {
            match client_network(address) {
                IpAddr::V4(address) => mac.update(&address.octets()),
                IpAddr::V6(address) => mac.update(&address.octets()),
            }
        }
        if by_name {
            mac.update(&[0]);
            // Names that are too long for an account share a key that no name has.
            mac.update(fold_input(name).as_deref().unwrap_or("\0").as_bytes());
        }
        let mut key = AttemptKey::default();
        key.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::username::tests::folded_by;

    #[test]
    fn a_name_of_64_kib_costs_no_folding_and_has_a_key() {
        let keys = ThrottleKeys::new(&Secret::new("0123456789abcdef0123456789abcdef"));
        let address = "192.0.2.1".parse().unwrap();
        let (long, longer) = ("\u{fdfa}".repeat(300), "\u{fdfa}".repeat(64 * 1024 / 3));
        let folded = folded_by(|| {
            assert_eq!(keys.key(ThrottleRule::Pair, &long, address), keys.key(ThrottleRule::Pair, &longer, address));
            assert_ne!(keys.key(ThrottleRule::Pair, &long, address), keys.key(ThrottleRule::Pair, "", address));
        });
        assert_eq!(folded, 0);
    }

    #[test]
    fn names_share_a_key_in_any_spelling_and_ipv6_addresses_by_64() {
        let keys = ThrottleKeys::new(&Secret::new("0123456789abcdef0123456789abcdef"));
        let key = |rule, name: &str, address: &str| keys.key(rule, name, address.parse().unwrap());
        assert_eq!(key(ThrottleRule::Pair, "Alice", "192.0.2.1"), key(ThrottleRule::Pair, " ALICE", "192.0.2.1"));
        assert_eq!(key(ThrottleRule::Pair, "a", "2001:db8::1"), key(ThrottleRule::Pair, "a", "2001:db8::2"));
        assert_ne!(key(ThrottleRule::Pair, "a", "192.0.2.1"), key(ThrottleRule::Pair, "a", "192.0.2.2"));
        assert_eq!(key(ThrottleRule::Account, "a", "192.0.2.1"), key(ThrottleRule::Account, "a", "192.0.2.2"));
        assert_eq!(key(ThrottleRule::Network, "a", "192.0.2.1"), key(ThrottleRule::Network, "b", "192.0.2.1"));
        assert_ne!(key(ThrottleRule::Network, "a", "192.0.2.1"), key(ThrottleRule::SignUp, "a", "192.0.2.1"));
    }
}
