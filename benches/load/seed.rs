//! Owns how a large database is made: through the store's own functions, thousands of users a transaction, with one
//! hash for all of them.

use std::path::Path;

use usher::domain::clock::{Clock, Timestamp};
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::{Connection, Db, Options, StoreError, users};
use uuid::Uuid;

use super::Failure;
use super::process::PASSWORD;

/// How many users one transaction adds.
const BATCH: u32 = 20_000;
/// Names are two of these and six letters more: 12 in all, each name once.
const SYLLABLES: [&str; 16] =
    ["bel", "dor", "fin", "gal", "hum", "jos", "kar", "lin", "mar", "nus", "pet", "ril", "san", "tov", "wen", "zun"];
/// Every so many users, one has a name beyond ASCII.
const FOREIGN: u32 = 1000;

/// Names and ids come in no order, so that every insertion meets other pages of the indexes: with SQLite's two megabytes
/// of them in memory, a million users would write 37 GB.
const SETUP: &str = "PRAGMA cache_size = -524288";

/// A database to seed, in `dir`, which exists.
pub fn open_to_seed(dir: &Path) -> Result<Db, Failure> {
    let options = Options { data_dir: dir.to_owned(), readers: 1, create: true };
    Ok(Db::open_for_test(&options, SETUP)?)
}

/// A database in `dir`, which exists, as usher opens it.
pub fn open(dir: &Path) -> Result<Db, Failure> {
    Ok(Db::open(&Options { data_dir: dir.to_owned(), readers: 2, create: true })?)
}

/// Adds `count` users whose password is everybody's.
#[expect(clippy::disallowed_methods, reason = "one hash at the lowest cost, for a database that is thrown away")]
pub async fn seed(db: &Db, count: u32) -> Result<(), Failure> {
    let hash = PasswordHash::new(bcrypt::hash(PASSWORD, 12)?);
    let now = Clock::system().now();
    for first in (0..count).step_by(BATCH as usize) {
        let (hash, last) = (hash.clone(), count.min(first + BATCH));
        let batch = move |connection: &Connection| {
            (first..last).try_for_each(|number| users::insert(connection, &person(number, now), &hash))
        };
        db.write::<(), StoreError, _>(batch).await.map_err(|error| error.described())?;
    }
    Ok(())
}

/// The user of this number; its name follows from it.
pub fn person(number: u32, now: Timestamp) -> User {
    // A number without pattern that only this one maps to (an odd factor, modulo 2^32).
    let mixed = number.wrapping_mul(2_654_435_761);
    let nibble = |at: u32| (mixed >> (4 * at) & 15) as usize;
    let name = if number.is_multiple_of(FOREIGN) {
        format!("Žofie-Łucja {number}")
    } else {
        let rest = (2..8).map(|at| char::from(b"abcdefghijklmnop"[nibble(at)]));
        [SYLLABLES[nibble(0)], SYLLABLES[nibble(1)]]
            .into_iter()
            .map(str::to_owned)
            .chain(rest.map(String::from))
            .collect()
    };
    #[expect(clippy::unwrap_used, reason = "made-up names follow the rules")]
    let username = Username::parse(&name).unwrap();
    User {
        id: Uuid::new_v4(),
        username,
        profile_image: None,
        store_api_key: None,
        is_active: true,
        is_superuser: false,
        create_at: now,
        updated_at: now,
        last_login_at: Some(now),
    }
}
