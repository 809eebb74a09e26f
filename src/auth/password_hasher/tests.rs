//! Hashing, cheap enough to be done many times.

use crate::auth::password_hasher::*;
use std::net::{IpAddr, Ipv4Addr};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const COST: u32 = 4;

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

#[tokio::test]
async fn a_password_verifies_against_its_hash_and_no_other() {
    let hasher = PasswordHasher::start(COST, 1).unwrap();
    let hash = hasher.hash(&secret("zebra-mug-41"), HERE).await.unwrap();
    assert!(hash.expose().starts_with("$2b$04$"));
    let verify = |text: &'static str, hash: Option<PasswordHash>| hasher.verify_text(text, hash);
    assert_eq!(verify("zebra-mug-41", Some(hash.clone())).await, PasswordCheck::Correct);
    assert_eq!(verify("zebra-mug-42", Some(hash)).await, PasswordCheck::Wrong);
    assert_eq!(verify("zebra-mug-41", None).await, PasswordCheck::Wrong);
}

#[tokio::test]
async fn every_attempt_costs_one_hash_for_every_account() {
    let hasher = PasswordHasher::start(COST, 1).unwrap();
    let hash = hasher.hash(&secret("zebra-mug-41"), HERE).await.unwrap();
    let long = "x".repeat(100);
    let tries = [
        ("zebra-mug-41", Some(&hash)),
        ("wrong", Some(&hash)),
        ("wrong", None),
        ("a\0b", Some(&hash)),
        (long.as_str(), None),
    ];
    for (text, hash) in tries {
        let before = hasher.hash_count();
        hasher.verify(&secret(text), hash.cloned(), HERE).await.unwrap();
        assert_eq!(hasher.hash_count(), before + 1, "{text:?}");
    }
}

#[tokio::test]
async fn a_hash_of_lower_cost_takes_as_many_rounds_as_an_unknown_name() {
    let weak = PasswordHasher::start(COST, 1).unwrap().hash(&secret("zebra-mug-41"), HERE).await.unwrap();
    let hasher = PasswordHasher::start(COST + 3, 1).unwrap();
    for hash in [Some(weak), None] {
        let before = hasher.round_count();
        assert_eq!(hasher.verify(&secret("wrong"), hash.clone(), HERE).await, Ok(PasswordCheck::Wrong));
        assert_eq!(hasher.round_count() - before, 1 << (COST + 3), "{hash:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "whether bcrypt reads it is the question")]
#[test]
fn the_hash_that_unknown_names_are_compared_with_is_one_that_bcrypt_computes() {
    for cost in [4, 10, 12] {
        let hash = dummy_hash(cost);
        assert!(matches!(bcrypt::verify("", hash.expose()), Ok(false)), "{}", hash.expose());
    }
}

#[tokio::test]
async fn passwords_that_bcrypt_would_cut_are_refused_and_match_nothing() {
    let hasher = PasswordHasher::start(COST, 1).unwrap();
    let fits = "x".repeat(72);
    let hash = hasher.hash(&secret(&fits), HERE).await.unwrap();
    for unfit in [format!("{fits}y"), "a\0a".to_owned()] {
        assert_eq!(hasher.hash(&secret(&unfit), HERE).await, Err(HashError::Unhashable));
        assert_eq!(hasher.verify(&secret(&unfit), Some(hash.clone()), HERE).await, Ok(PasswordCheck::Wrong));
    }
    // bcrypt repeats the password with its NUL, so that these two would be one.
    let short = hasher.hash(&secret("a"), HERE).await.unwrap();
    assert_eq!(hasher.verify(&secret("a\0a"), Some(short), HERE).await, Ok(PasswordCheck::Wrong));
}

#[tokio::test]
async fn hashes_of_lower_cost_or_older_notation_still_verify_and_ask_to_be_renewed() {
    let weak = PasswordHasher::start(COST, 1).unwrap().hash(&secret("zebra-mug-41"), HERE).await.unwrap();
    let hasher = PasswordHasher::start(COST + 1, 1).unwrap();
    assert_eq!(hasher.verify_text("zebra-mug-41", Some(weak)).await, PasswordCheck::CorrectNeedsRehash);
    let strong = hasher.hash(&secret("zebra-mug-41"), HERE).await.unwrap();
    for version in ["$2a$", "$2y$"] {
        let old = PasswordHash::new(strong.expose().replacen("$2b$", version, 1));
        assert_eq!(hasher.verify_text("zebra-mug-41", Some(old)).await, PasswordCheck::CorrectNeedsRehash, "{version}");
    }
    for broken in ["", "$2b$", "not a hash", "$2b$99$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"] {
        assert_eq!(hasher.verify_text("x", Some(PasswordHash::new(broken))).await, PasswordCheck::Wrong);
    }
}

impl PasswordHasher {
    async fn verify_text(&self, text: &str, hash: Option<PasswordHash>) -> PasswordCheck {
        self.verify(&secret(text), hash, HERE).await.unwrap()
    }
}
