//! The rows that need no large database. The compared servers take turns second by second, so that other load on the
//! machine affects all of them.

use std::path::Path;
use std::time::{Duration, Instant};

use super::client::{self, Load, Outcome};
use super::peer::{Kind, Peer};
use super::process::{OURS, PASSWORD, Server};
use super::report::{Line, median, shown};
use super::target::{Target, from_many_places, in_turn};
use super::{Args, Failure, cores, overload};

/// Selects the requests of a row from a target.
type Requests = fn(&Target) -> &[Vec<u8>];

/// A row with turns: the requests, the number of clients, and the target.
struct Turns {
    row: &'static str,
    work: &'static str,
    requests: Requests,
    connections: usize,
    goal: &'static str,
    /// At least this share of a bare route, this many times PocketBase, and at most this many milliseconds at p99.
    bare: Option<f64>,
    pocketbase: Option<f64>,
    p99: Option<f64>,
}

const TURNS: [Turns; 5] = [
    Turns {
        row: "health",
        work: "`GET /health`, 16 connections",
        requests: |target| &target.health,
        connections: 16,
        goal: "0.85 × bare",
        bare: Some(0.85),
        pocketbase: None,
        p99: None,
    },
    Turns {
        row: "whoami",
        work: "`GET /users/whoami`, 16 connections",
        requests: |target| &target.whoami,
        connections: 16,
        goal: "0.65 × bare, 8 × PocketBase, p99 < 5 ms",
        bare: Some(0.65),
        pocketbase: Some(8.0),
        p99: Some(5.0),
    },
    Turns {
        row: "list",
        work: "`GET /users/?limit=10`, 16 connections",
        requests: |target| &target.list,
        connections: 16,
        goal: "8 × PocketBase",
        bare: None,
        pocketbase: Some(8.0),
        p99: None,
    },
    Turns {
        row: "patch",
        work: "`PATCH /users/{id}`, 64 clients, on disk",
        requests: |target| &target.patch,
        connections: 64,
        goal: "12 × PocketBase (which does not sync), p99 < 10 ms",
        bare: None,
        pocketbase: Some(12.0),
        p99: Some(10.0),
    },
    Turns {
        row: "patch",
        work: "`PATCH /users/{id}`, 1 client, on disk",
        requests: |target| &target.patch,
        connections: 1,
        goal: "2 × PocketBase (which does not sync)",
        bare: None,
        pocketbase: Some(2.0),
        p99: None,
    },
];

/// Measures and prints.
pub fn small(args: &Args) -> Result<Vec<Line>, Failure> {
    let dir = tempfile::tempdir_in(&args.dir)?;
    let usher_dir = dir.path().join("usher");
    let mut lines = Vec::new();
    let mut keep = |line: Line| {
        line.print();
        lines.push(line);
    };
    if args.wants("start") {
        start(args, dir.path())?.into_iter().for_each(&mut keep);
    }
    let bare = Server::bare()?;
    let usher = Target::usher(Path::new(OURS), &usher_dir, args.usher_flags())?;
    let peers = args.peers.iter().enumerate().map(|(number, peer)| {
        let target = Target::peer(peer, &dir.path().join(format!("peer-{number}")), args.usher_flags())?;
        Ok((peer.kind, target))
    });
    let peers: Vec<(Kind, Target)> = peers.collect::<Result<_, Failure>>()?;
    for row in TURNS.iter().filter(|turns| args.wants(turns.row)) {
        keep(turns(args, row, &bare, &usher, &peers)?);
    }
    if args.wants("start") {
        let mut line = Line::new("resident memory (PSS) after load", "30 MiB");
        let ours = usher.server.pss();
        line.usher = format!("{ours:.1} MiB");
        line.met = vec![ours < 30.0];
        line.peers.extend(peers.iter().map(|(_, peer)| less(peer.server.pss(), ours, "MiB")));
        keep(line);
    }
    if args.wants("login") {
        keep(logins(args, &usher, &peers)?);
    }
    if args.wants("overload") {
        overload::rows(args, &usher)?.into_iter().for_each(&mut keep);
    }
    drop(usher);
    if args.wants("mixed") {
        // The same users from several addresses, because one address can't fill the hashing queue.
        let flags: Vec<&str> = args.usher_flags().iter().copied().chain(["--trusted-proxies=127.0.0.1"]).collect();
        let usher = Target::usher(Path::new(OURS), &usher_dir, &flags)?;
        mixed(args, &usher, &peers)?.into_iter().for_each(&mut keep);
    }
    Ok(lines)
}

fn start(args: &Args, dir: &Path) -> Result<Vec<Line>, Failure> {
    let (times, data) = (if args.smoke { 1 } else { 9 }, dir.join("start"));
    let milliseconds = |data: &Path| -> Result<f64, Failure> {
        Ok(Server::usher(Path::new(OURS), data, &["--bcrypt-cost=10"])?.started_in.as_secs_f64() * 1000.0)
    };
    // The first start creates the superuser, so the second one hashes no password. A new database's start is measured
    // without a superuser.
    let new = (0..times).map(|number| Server::without_superuser(&dir.join(format!("new-{number}"))));
    let new: Vec<f64> =
        new.map(|server| Ok(server?.started_in.as_secs_f64() * 1000.0)).collect::<Result<_, Failure>>()?;
    milliseconds(&data)?;
    let existing: Vec<f64> = (0..times).map(|_| milliseconds(&data)).collect::<Result<_, Failure>>()?;
    let idle = Server::usher(Path::new(OURS), &data, &[])?.pss();
    let figures = [
        ("start to the first response, new database", median(new), 20.0, "ms"),
        ("start, existing database", median(existing), 8.0, "ms"),
        ("resident memory (PSS) idle", idle, 10.0, "MiB"),
    ];
    let mut lines = figures.map(|(work, figure, most, unit)| Line {
        usher: format!("{figure:.1} {unit}"),
        met: vec![figure < most],
        ..Line::new(work, format!("{most} {unit}"))
    });
    for (number, peer) in args.peers.iter().enumerate() {
        let theirs = start_of_peer(args, peer, &dir.join(format!("start-{number}")))?;
        for ((line, theirs), (_, ours, _, unit)) in lines.iter_mut().zip(theirs).zip(figures) {
            line.peers.push(theirs.map_or_else(Default::default, |theirs| less(theirs, ours, unit)));
        }
    }
    Ok(lines.into())
}

/// A peer's figures for the rows of `start`.
fn start_of_peer(args: &Args, peer: &Peer, data: &Path) -> Result<[Option<f64>; 3], Failure> {
    let start = || -> Result<(f64, f64), Failure> {
        let server = peer.start(data, args.usher_flags())?;
        Ok((server.started_in.as_secs_f64() * 1000.0, server.pss()))
    };
    // PocketBase's database is made before it starts, and another usher would hash a password, which is most of its
    // start. Langflow hashes one, too, but that is a small part of its start.
    let (new, _) = start()?;
    let new = (peer.kind == Kind::Langflow).then_some(new);
    let times = if args.smoke { 1 } else { 3 };
    let (existing, idle): (Vec<f64>, Vec<f64>) = (0..times).map(|_| start()).collect::<Result<_, Failure>>()?;
    Ok([new, Some(median(existing)), Some(median(idle))])
}

/// A peer's figure of which less is better, and its ratio to usher's.
fn less(theirs: f64, ours: f64, unit: &str) -> (String, Option<f64>) {
    (format!("{theirs:.1} {unit}"), Some(theirs / ours))
}

fn turns(args: &Args, row: &Turns, bare: &Server, usher: &Target, peers: &[(Kind, Target)]) -> Result<Line, Failure> {
    let (slices, time) = args.slices();
    let load = Load { finish: true, ..Load::closed(row.connections, time) };
    let (mut measure, mut ours, mut theirs) = (Vec::new(), Vec::new(), vec![Vec::new(); peers.len()]);
    let bare_request = [client::request("GET", "/health", None, None)];
    for _ in 0..slices {
        measure.push(client::run(bare.address, load, &mut in_turn(&bare_request))?);
        ours.push(client::run(usher.address(), load, &mut in_turn((row.requests)(usher)))?);
        for ((_, peer), theirs) in peers.iter().zip(&mut theirs) {
            theirs.push(client::run(peer.address(), load, &mut in_turn((row.requests)(peer)))?);
        }
    }
    let rate = |outcomes: &[Outcome]| median(outcomes.iter().map(Outcome::rate).collect());
    let (bare_rate, our_rate) = (rate(&measure), rate(&ours));
    let ours = ours.into_iter().fold(Outcome::default(), Outcome::and);
    let mut line = Line::new(row.work, row.goal);
    line.check("usher", &ours);
    line.usher = shown(our_rate, &ours);
    line.to_bare = Some(our_rate / bare_rate);
    line.met.extend(row.bare.map(|least| our_rate / bare_rate >= least));
    line.met.extend(row.p99.map(|most| ours.percentile(0.99) < most));
    for ((kind, _), theirs) in peers.iter().zip(theirs) {
        let their_rate = rate(&theirs);
        let theirs = theirs.into_iter().fold(Outcome::default(), Outcome::and);
        line.check(&kind.to_string(), &theirs);
        line.peers.push((shown(their_rate, &theirs), Some(our_rate / their_rate)));
        let least = row.pocketbase.filter(|_| *kind == Kind::PocketBase);
        line.met.extend(least.map(|least| our_rate / their_rate >= least));
    }
    Ok(line)
}

/// Sign-ins per second, compared with how many hashes the cores can do.
fn logins(args: &Args, usher: &Target, peers: &[(Kind, Target)]) -> Result<Line, Failure> {
    let (cost, each, rounds) = if args.smoke { (10, 1, 1) } else { (12, 8, 6) };
    let (mut raw, mut ratios, mut ours) = (Vec::new(), Vec::new(), Outcome::default());
    let load = Load { answers: each * cores(), ..Load::closed(8, args.time(60)) };
    for _ in 0..rounds {
        // The server may still be hashing for closed connections, which would reduce the raw limit.
        std::thread::sleep(args.time(1));
        let limit = hashes_a_second(cost, each);
        let round = client::run(usher.address(), load, &mut in_turn(&usher.login))?;
        raw.push(limit);
        ratios.push(round.rate() / limit);
        ours = ours.and(round);
    }
    let (raw, ratio) = (median(raw), median(ratios));
    let mut line = Line::new(format!("sign-ins at bcrypt cost {cost}, 8 clients"), "0.92 × the raw limit");
    line.check("usher", &ours);
    line.usher = format!("{}: {ratio:.2} × the raw limit of {raw:.2} /s", shown(ours.rate(), &ours));
    line.met = vec![ratio >= 0.92];
    for (kind, peer) in peers {
        let load = Load { finish: true, time: Duration::from_mins(1), ..load };
        let theirs = client::run(peer.address(), load, &mut in_turn(&peer.login))?;
        line.check(&kind.to_string(), &theirs);
        line.peers.push((format!("{}{}", shown(theirs.rate(), &theirs), kind.hashing()), None));
    }
    Ok(line)
}

#[expect(clippy::disallowed_methods, reason = "the raw limit is bcrypt without usher's gate")]
fn hashes_a_second(cost: u32, each: usize) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| (0..each).for_each(|_| drop(bcrypt::hash(PASSWORD, cost))));
        }
    });
    (each * cores()) as f64 / start.elapsed().as_secs_f64()
}

/// Reads at a fixed rate while more users sign in than the server can serve.
fn mixed(args: &Args, usher: &Target, peers: &[(Kind, Target)]) -> Result<Vec<Line>, Failure> {
    const OFFERED: u32 = 1500;
    let time = args.time(30);
    let both = |target: &Target| -> Result<(Outcome, Outcome), Failure> {
        let logins = from_many_places(&target.login);
        std::thread::scope(|scope| {
            let at = target.address();
            let sign_ins = scope.spawn(move || client::run(at, Load::closed(64, time), &mut in_turn(&logins)));
            let paced = Load { rate: Some(OFFERED), ..Load::closed(64, time) };
            let reads = client::run(at, paced, &mut in_turn(&target.whoami))?;
            let logins = sign_ins.join().map_err(|_| "the thread of sign-ins panicked")??;
            Ok((reads, logins))
        })
    };
    let (reads, logins) = both(usher)?;
    let mut first = Line::new(
        format!("whoami, {OFFERED} /s offered, while 64 clients sign in without pause"),
        "all of it, p99 < 10 ms",
    );
    first.check("usher", &reads);
    first.usher = shown(reads.rate(), &reads);
    first.met = vec![reads.rate() > f64::from(OFFERED) * 0.99, reads.percentile(0.99) < 10.0];
    let mut second = Line::new("the sign-ins beside it", "none starved for 10 s");
    second.check("usher", &logins);
    let (longest, gap) = (logins.percentile(1.0) / 1000.0, logins.longest_gap.as_secs_f64());
    second.usher = format!(
        "{:.1} /s, longest wait {longest:.1} s, longest pause {gap:.1} s, {} refused",
        logins.rate(),
        logins.refused.len()
    );
    second.met = vec![longest < 10.0, gap < 10.0];
    for (kind, peer) in peers {
        let (reads, logins) = both(peer)?;
        first.peers.push((shown(reads.rate(), &reads), None));
        second.peers.push((format!("{:.1} /s{}", logins.rate(), kind.hashing()), None));
    }
    Ok(vec![first, second])
}
