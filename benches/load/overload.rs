//! The rows for overload: usher answers what it can and refuses the rest at once, memory stays bounded, and a second
//! later everything is back to normal.

use std::time::{Duration, Instant};

use super::client::{self, Load, Outcome, percentile};
use super::report::Line;
use super::target::{Target, in_turn};
use super::{Args, Failure};

/// Ten times what the hashing queue holds; ten times the clients of the PATCH row, and three times its queue.
const LOGINS: usize = 640;
const PATCHES: usize = 3200;

/// Measures; the caller prints.
pub fn rows(args: &Args, usher: &Target) -> Result<Vec<Line>, Failure> {
    let scale = if args.smoke { 10 } else { 1 };
    Ok(vec![
        row(args, usher, &format!("{LOGINS} clients sign in"), &usher.login, LOGINS / scale)?,
        row(args, usher, &format!("{PATCHES} clients PATCH"), &usher.patch, PATCHES / scale)?,
    ])
}

fn row(args: &Args, usher: &Target, work: &str, requests: &[Vec<u8>], clients: usize) -> Result<Line, Failure> {
    let time = args.time(5);
    let quiet = Load::closed(4, args.time(1));
    let before = client::run(usher.address(), quiet, &mut in_turn(&usher.whoami))?;
    let (load, most) = std::thread::scope(|scope| {
        let at = usher.address();
        let load = scope.spawn(move || client::run(at, Load::closed(clients, time), &mut in_turn(requests)));
        let mut most = 0.0_f64;
        while !load.is_finished() {
            most = most.max(usher.server.pss());
            std::thread::sleep(Duration::from_millis(50));
        }
        load.join().map(|load| (load, most))
    })
    .map_err(|_| "the load panicked")?;
    let load = load?;
    let normal_after = recovery(usher, &before)?;
    let mut line = Line::new(format!("overload: {work}"), "the rest refused at once, < 128 MiB, normal within 1 s");
    // In the short time of a smoke run, no password may have been hashed.
    if load.failed > 0 || load.micros.is_empty() && !args.smoke {
        line.check("usher", &load);
    }
    let refused = if load.refused.is_empty() { 0.0 } else { percentile(&load.refused, 0.99) };
    line.usher = format!(
        "{:.0} /s answered, {:.0} /s refused within {refused:.1} ms (p99), {most:.1} MiB at most, normal after {:.2} s",
        load.rate(),
        load.refused.len() as f64 / load.seconds,
        normal_after.as_secs_f64()
    );
    line.met = vec![most < 128.0, normal_after < Duration::from_secs(1)];
    Ok(line)
}

/// How long it takes until reads are as fast as before, within a half.
fn recovery(usher: &Target, before: &Outcome) -> Result<Duration, Failure> {
    let end = Instant::now();
    loop {
        let glance = Load::closed(4, Duration::from_millis(100));
        let now = client::run(usher.address(), glance, &mut in_turn(&usher.whoami))?;
        let normal = now.rate() > before.rate() * 0.67;
        if normal || end.elapsed() > Duration::from_secs(10) {
            return Ok(end.elapsed().saturating_sub(glance.time));
        }
    }
}
