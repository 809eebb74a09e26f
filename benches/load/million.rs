//! The rows for a large database: what could grow with the number of users, measured with one client at a time, and
//! what must not grow, measured beside a server with ten users.

use std::path::Path;
use std::time::{Duration, Instant};

use usher::domain::clock::Clock;
use usher::domain::secret::PasswordHash;
use usher::store::{DATABASE_FILE, StoreError, users};

use super::client::{self, Load, Outcome, percentile, request};
use super::process::{OURS, Server};
use super::report::{Line, median, shown};
use super::target::{Target, body, in_turn};
use super::{Args, Failure, seed};

/// Measures and prints.
pub fn rows(args: &Args) -> Result<Vec<Line>, Failure> {
    let count = if args.smoke { args.seed_users.min(2000) } else { args.seed_users };
    let dir = tempfile::tempdir_in(&args.dir)?;
    let (small, large) = (dir.path().join("small"), dir.path().join("large"));
    std::fs::create_dir(&large)?;
    let mut lines = vec![seeded(&large, count)?];
    lines[0].print();
    let mut keep = |line: Line| {
        line.print();
        lines.push(line);
    };
    // The first start creates the superuser; the second one is measured.
    drop(Server::usher(Path::new(OURS), &large, args.usher_flags())?);
    let starts: Result<Vec<f64>, Failure> =
        (0..5).map(|_| Ok(Server::usher(Path::new(OURS), &large, &[])?.started_in.as_secs_f64() * 1000.0)).collect();
    let mut line = Line::new("start", "8 ms");
    let middle = median(starts?);
    line.usher = format!("{middle:.1} ms");
    line.met = vec![middle < 8.0];
    keep(line);
    {
        let (few, many) = (
            Target::usher(Path::new(OURS), &small, args.usher_flags())?,
            Target::usher(Path::new(OURS), &large, args.usher_flags())?,
        );
        keep(beside(args, "whoami", 16, &few, &many, |target| &target.whoami)?);
        keep(beside(args, "PATCH", 64, &few, &many, |target| &target.patch)?);
        pages(args, &many, count, &mut keep)?;
        searches(args, &many, &mut keep)?;
        combinations(args, &many, count, &mut keep)?;
        let mut line = Line::new("resident memory (PSS) after all of this", "");
        line.usher = format!("{:.1} MiB", many.server.pss());
        keep(line);
    }
    keep(additions(args, &small, &large)?);
    Ok(lines)
}

fn seeded(dir: &Path, count: u32) -> Result<Line, Failure> {
    let start = Instant::now();
    let db = seed::open_to_seed(dir)?;
    actix_web::rt::System::new().block_on(seed::seed(&db, count))?;
    db.close();
    let seconds = start.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(dir.join(DATABASE_FILE))?.len() as f64 / f64::from(count);
    let mut line = Line::new(format!("**{count} users**: seeding"), "60 s, 500 bytes of database each");
    line.usher = format!("{seconds:.1} s, {bytes:.0} bytes each");
    line.met = vec![seconds < 60.0, bytes <= 500.0];
    Ok(line)
}

/// Compares the same work with many users and with few, in turns.
fn beside(
    args: &Args,
    work: &str,
    connections: usize,
    few: &Target,
    many: &Target,
    requests: fn(&Target) -> &[Vec<u8>],
) -> Result<Line, Failure> {
    let (slices, time) = args.slices();
    let load = Load::closed(connections, time);
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..slices {
        with_few.push(client::run(few.address(), load, &mut in_turn(requests(few)))?);
        with_many.push(client::run(many.address(), load, &mut in_turn(requests(many)))?);
    }
    // Of each pair of turns, because the machine's speed varies from one to the next.
    let ratio = median(with_few.iter().zip(&with_many).map(|(few, many)| many.rate() / few.rate()).collect());
    let rate = median(with_many.iter().map(Outcome::rate).collect());
    let outcome = with_many.into_iter().fold(Outcome::default(), Outcome::and);
    let mut line = Line::new(format!("{work}, {connections} connections"), "0.9 × the rate with ten users");
    line.check("usher", &outcome);
    line.usher = format!("{}: {ratio:.2} × with ten", shown(rate, &outcome));
    line.met = vec![ratio >= 0.9];
    Ok(line)
}

/// One client that requests the list; `query` makes the query of each request.
fn asks(
    args: &Args,
    target: &Target,
    work: &str,
    most: f64,
    query: &mut dyn FnMut() -> String,
) -> Result<Line, Failure> {
    let load = Load { answers: if args.smoke { 20 } else { 1000 }, ..Load::closed(1, args.time(4)) };
    let outcome = client::run(target.address(), load, &mut |out| {
        out.extend(request("GET", &format!("/api/v1/users/?{}", query()), Some(&target.token), None));
    })?;
    let mut line = Line::new(work, format!("p99 < {most} ms"));
    line.check("usher", &outcome);
    line.usher = format!(
        "p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        outcome.percentile(0.5),
        outcome.percentile(0.99),
        outcome.percentile(1.0)
    );
    line.met = vec![outcome.percentile(0.99) < most];
    Ok(line)
}

fn pages(args: &Args, target: &Target, count: u32, keep: &mut dyn FnMut(Line)) -> Result<(), Failure> {
    keep(asks(args, target, "`total_count` alone (`limit=0`)", 1.0, &mut || "limit=0".to_owned())?);
    keep(asks(args, target, "list from the start", 2.0, &mut || "skip=0".to_owned())?);
    let mut number = 0;
    let end = count.saturating_sub(90);
    let mut near_end = || {
        number += 10;
        format!("skip={}", end + number % 90)
    };
    keep(asks(args, target, "list at the end", 2.0, &mut near_end)?);
    let mut number = 0_u32;
    let mut anywhere = || {
        number = number.wrapping_add(0x9e37_79b9);
        format!("skip={}", (u64::from(number) * u64::from(count)) >> 32)
    };
    keep(asks(args, target, "list at any `skip`", 20.0, &mut anywhere)?);
    keep(asks(args, target, "list in the middle", 20.0, &mut || format!("skip={}", count / 2))?);
    Ok(())
}

fn searches(args: &Args, target: &Target, keep: &mut dyn FnMut(Line)) -> Result<(), Failure> {
    let first = Instant::now();
    let listed = body(client::once(
        target.address(),
        &request("GET", "/api/v1/users/?search=zzz&limit=1", Some(&target.token), None),
    )?)?;
    let mut line = Line::new("the first search after startup", "");
    line.usher = format!("{:.0} ms, {} found", first.elapsed().as_secs_f64() * 1000.0, listed["total_count"]);
    keep(line);
    for (search, most) in [
        ("belfinbpnkgc", 20.0),
        ("bel", 20.0),
        ("BEL", 20.0),
        ("zunwen", 20.0),
        ("ŽOFIE-ł", 20.0),
        ("lucja", 20.0),
        ("abc", 20.0),
        ("be", 100.0),
        ("a", 100.0),
        ("Ł", 100.0),
        ("q", 100.0),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
        let one = request("GET", &format!("/api/v1/users/?search={query}"), Some(&target.token), None);
        let total = body(client::once(target.address(), &one)?)?["total_count"].clone();
        keep(asks(args, target, &format!("search `{search}`: {total} found"), most, &mut || {
            format!("search={query}")
        })?);
    }
    let mut number = 0;
    let mut deep = || {
        number += 1000;
        format!("search=bel&skip={}", number % 100_000)
    };
    keep(asks(args, target, "search `bel` at any `skip`", 20.0, &mut deep)?);
    Ok(())
}

/// Every sort order with every state, at any position, and with common and rare parts of names.
fn combinations(args: &Args, target: &Target, count: u32, keep: &mut dyn FnMut(Line)) -> Result<(), Failure> {
    let mut number = 0_u32;
    for sort in ["name", "last_login"] {
        for narrowed in ["", "&state=active", "&state=inactive", "&state=waiting", "&state=superuser"] {
            let mut anywhere = || {
                number = number.wrapping_add(0x9e37_79b9);
                let order = if number & 1 == 0 { "asc" } else { "desc" };
                format!("sort={sort}&order={order}{narrowed}&skip={}", (u64::from(number) * u64::from(count)) >> 32)
            };
            keep(asks(args, target, &format!("`sort={sort}{narrowed}` at any `skip`"), 20.0, &mut anywhere)?);
        }
        for (search, most) in [("bel", 20.0), ("zunwen", 20.0), ("a", 100.0)] {
            let query = format!("sort={sort}&search={search}");
            keep(asks(args, target, &format!("`{query}`"), most, &mut || query.clone())?);
            let query = format!("{query}&state=active&order=desc");
            keep(asks(args, target, &format!("`{query}`"), most, &mut || query.clone())?);
        }
    }
    Ok(())
}

/// Adds users one by one, each on disk before the next, without hashing and without a server, to both databases. The
/// first ones are not counted: a connection that was just opened reads the inner pages of the large database's indexes,
/// which one that has been working has in memory.
fn additions(args: &Args, small: &Path, large: &Path) -> Result<Line, Failure> {
    let (uncounted, counted): (u32, u32) = if args.smoke { (0, 20) } else { (300, 300) };
    let (small, large) = (seed::open(small)?, seed::open(large)?);
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    actix_web::rt::System::new().block_on(async {
        let now = Clock::system().now();
        for number in 0..uncounted + counted {
            for (db, times) in [(&small, &mut with_few), (&large, &mut with_many)] {
                let user = seed::person(2_000_001 + number, now);
                let hash = PasswordHash::new("x");
                let start = Instant::now();
                let add = db.write::<(), StoreError, _>(move |connection| users::insert(connection, &user, &hash));
                add.await.map_err(|error| error.described())?;
                if number >= uncounted {
                    times.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
            }
        }
        Ok::<_, Failure>(())
    })?;
    with_few.sort_unstable();
    with_many.sort_unstable();
    let (few, many) = (percentile(&with_few, 0.5), percentile(&with_many, 0.5));
    let mut line = Line::new("adding a user, without hashing, on disk", "no slower than with ten");
    line.usher = format!("p50 {many:.2} ms, with ten {few:.2} ms");
    // Syncs of the disk vary; a tenth is noise.
    line.met = vec![many < few * 1.1 + Duration::from_micros(20).as_secs_f64() * 1000.0];
    small.close();
    large.close();
    Ok(line)
}
