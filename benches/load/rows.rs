//! The rows that need no large database. The compared servers take turns second by second, so that other load on the
//! machine affects all of them.

use std::path::Path;
use std::time::Instant;

use super::client::{self, Load, Outcome};
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
    /// At least this share of a bare route, this many times the peer, and at most this many milliseconds at p99.
    bare: Option<f64>,
    peer: Option<f64>,
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
        peer: None,
        p99: None,
    },
    Turns {
        row: "whoami",
        work: "`GET /users/whoami`, 16 connections",
        requests: |target| &target.whoami,
        connections: 16,
        goal: "0.35 × bare, 8 × PocketBase, p99 < 5 ms",
        bare: Some(0.35),
        peer: Some(8.0),
        p99: Some(5.0),
    },
    Turns {
        row: "list",
        work: "`GET /users/?limit=10`, 16 connections",
        requests: |target| &target.list,
        connections: 16,
        goal: "8 × PocketBase",
        bare: None,
        peer: Some(8.0),
        p99: None,
    },
    Turns {
        row: "patch",
        work: "`PATCH /users/{id}`, 64 clients, on disk",
        requests: |target| &target.patch,
        connections: 64,
        goal: "12 × PocketBase (which does not sync), p99 < 10 ms",
        bare: None,
        peer: Some(12.0),
        p99: Some(10.0),
    },
    Turns {
        row: "patch",
        work: "`PATCH /users/{id}`, 1 client, on disk",
        requests: |target| &target.patch,
        connections: 1,
        goal: "2 × PocketBase (which does not sync)",
        bare: None,
        peer: Some(2.0),
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
    let peer = args.peer.as_ref().map(|peer| Target::peer(peer, &dir.path().join("peer"), args.usher_flags()));
    let peer = peer.transpose()?;
    for row in TURNS.iter().filter(|turns| args.wants(turns.row)) {
        keep(turns(args, row, &bare, &usher, peer.as_ref())?);
    }
    if args.wants("start") {
        let mut line = Line::new("resident memory (PSS) after load", "30 MiB");
        line.usher = format!("{:.1} MiB", usher.server.pss());
        line.peer = peer.as_ref().map(|peer| format!("{:.1} MiB", peer.server.pss()));
        line.met = vec![usher.server.pss() < 30.0];
        keep(line);
    }
    if args.wants("login") {
        keep(logins(args, &usher, peer.as_ref())?);
    }
    if args.wants("overload") {
        overload::rows(args, &usher)?.into_iter().for_each(&mut keep);
    }
    drop(usher);
    if args.wants("mixed") {
        // The same users from several addresses, because one address can't fill the hashing queue.
        let flags: Vec<&str> = args.usher_flags().iter().copied().chain(["--trusted-proxies=127.0.0.1"]).collect();
        let usher = Target::usher(Path::new(OURS), &usher_dir, &flags)?;
        mixed(args, &usher, peer.as_ref())?.into_iter().for_each(&mut keep);
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
    let mut lines = Vec::new();
    for (work, times, most) in
        [("start to the first response, new database", new, 30.0), ("start, existing database", existing, 12.0)]
    {
        let mut line = Line::new(work, format!("{most} ms"));
        let middle = median(times);
        line.usher = format!("{middle:.1} ms");
        line.met = vec![middle < most];
        lines.push(line);
    }
    let server = Server::usher(Path::new(OURS), &data, &[])?;
    let mut line = Line::new("resident memory (PSS) idle", "12 MiB");
    line.usher = format!("{:.1} MiB", server.pss());
    line.met = vec![server.pss() < 12.0];
    lines.push(line);
    Ok(lines)
}

fn turns(args: &Args, row: &Turns, bare: &Server, usher: &Target, peer: Option<&Target>) -> Result<Line, Failure> {
    let (slices, time) = args.slices();
    let load = Load::closed(row.connections, time);
    let (mut measure, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let bare_request = [client::request("GET", "/health", None, None)];
    for _ in 0..slices {
        measure.push(client::run(bare.address, load, &mut in_turn(&bare_request))?);
        ours.push(client::run(usher.address(), load, &mut in_turn((row.requests)(usher)))?);
        if let Some(peer) = peer {
            theirs.push(client::run(peer.address(), load, &mut in_turn((row.requests)(peer)))?);
        }
    }
    let rate = |outcomes: &[Outcome]| median(outcomes.iter().map(Outcome::rate).collect());
    let (bare_rate, our_rate, their_rate) = (rate(&measure), rate(&ours), rate(&theirs));
    let ours = ours.into_iter().fold(Outcome::default(), Outcome::and);
    let mut line = Line::new(row.work, row.goal);
    line.check("usher", &ours);
    line.usher = shown(our_rate, &ours);
    line.to_bare = Some(our_rate / bare_rate);
    line.met.extend(row.bare.map(|least| our_rate / bare_rate >= least));
    line.met.extend(row.p99.map(|most| ours.percentile(0.99) < most));
    if peer.is_some() {
        let theirs = theirs.into_iter().fold(Outcome::default(), Outcome::and);
        line.check("peer", &theirs);
        line.peer = Some(shown(their_rate, &theirs));
        line.to_peer = Some(our_rate / their_rate);
        line.met.extend(row.peer.map(|least| our_rate / their_rate >= least));
    }
    Ok(line)
}

/// Sign-ins per second, compared with how many hashes the cores can do.
fn logins(args: &Args, usher: &Target, peer: Option<&Target>) -> Result<Line, Failure> {
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
    if let Some(peer) = peer {
        let theirs = client::run(peer.address(), load, &mut in_turn(&peer.login))?;
        line.check("peer", &theirs);
        line.peer = Some(format!("{} (at cost 10)", shown(theirs.rate(), &theirs)));
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
fn mixed(args: &Args, usher: &Target, peer: Option<&Target>) -> Result<Vec<Line>, Failure> {
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
    if let Some(peer) = peer {
        let (reads, logins) = both(peer)?;
        first.peer = Some(shown(reads.rate(), &reads));
        second.peer = Some(format!("{:.1} /s (at cost 10)", logins.rate()));
    }
    Ok(vec![first, second])
}
