//! Creates a large database through the store's own functions, thousands of users per transaction, with one hash for
//! all of them.

use std::path::Path;

use usher::domain::clock::{Clock, Timestamp};
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::{Connection, Db, Options, StoreError, users};
use uuid::Uuid;

use super::Failure;
use super::process::PASSWORD;

/// Users per transaction.
const BATCH: u32 = 20_000;
/// A name has two of these and six letters: 12 letters in all, and each name is unique.
const SYLLABLES: [&str; 16] =
    ["bel", "dor", "fin", "gal", "hum", "jos", "kar", "lin", "mar", "nus", "pet", "ril", "san", "tov", "wen", "zun"];
/// One user in this many has a name beyond ASCII.
const FOREIGN: u32 = 1000;

/// Names and ids are in random order, so every insertion touches different index pages. With SQLite's two megabytes of
/// cache, a million users would write 37 GB.
const SETUP: &str = "PRAGMA cache_size = -524288";

/// Opens a database for seeding in `dir`, which exists.
pub fn open_to_seed(dir: &Path) -> Result<Db, Failure> {
    let options = Options { data_dir: dir.to_owned(), readers: 1, create: true };
    Ok(Db::open_for_test(&options, SETUP)?)
}

/// Opens the database in `dir`, which exists, as usher does.
pub fn open(dir: &Path) -> Result<Db, Failure> {
    Ok(Db::open(&Options { data_dir: dir.to_owned(), readers: 2, create: true })?)
}

/// Adds `count` users with the common password.
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

/// The user with this number, which determines the name.
pub fn person(number: u32, now: Timestamp) -> User {
    // A unique number without a pattern (an odd factor, modulo 2^32).
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
        optins: None,
        must_change_password: false,
    }
}
