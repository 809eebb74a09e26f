//! The load driver: starts usher, a bare actix route and, on request, peers, sends the same load to each, and prints
//! the table of docs/performance.md. `cargo bench --bench load -- --help` lists its options.

#![allow(missing_docs, clippy::print_stdout, clippy::cast_precision_loss, reason = "a program, not a library")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers for people")]

mod bare;
mod client;
mod million;
mod overload;
mod peer;
mod process;
mod report;
mod rows;
mod seed;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

type Failure = Box<dyn std::error::Error>;

/// Measures usher.
#[derive(Parser)]
struct Args {
    /// Run everything once and briefly; fail on errors, never on times
    #[arg(long)]
    smoke: bool,
    /// How many users the large database gets; 0 leaves its rows out.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    seed_users: u32,
    /// A program to measure beside it: PocketBase, Langflow, or another build of usher. Can be repeated.
    #[arg(long = "peer", value_name = "pocketbase=PATH|langflow=PATH|usher=PATH")]
    peers: Vec<peer::Peer>,
    /// Only these: start, health, whoami, list, patch, login, mixed, overload, large.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Where data directories are made; a disk, not memory, or the syncs cost nothing.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    bare_server: bool,
}

impl Args {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }

    /// How often each server takes its turn, and for how long.
    fn slices(&self) -> (usize, Duration) {
        if self.smoke { (1, Duration::from_millis(100)) } else { (5, Duration::from_secs(1)) }
    }

    /// The duration of a row without turns.
    fn time(&self, seconds: u64) -> Duration {
        if self.smoke { Duration::from_secs(2) } else { Duration::from_secs(seconds) }
    }

    fn usher_flags(&self) -> &[&'static str] {
        if self.smoke { &["--bcrypt-cost=10"] } else { &[] }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.bare_server {
        return if bare::serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(&format!("ERROR {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool, Failure> {
    say(&format!("usher {}, {} cores\n", env!("CARGO_PKG_VERSION"), cores()));
    report::Line::print_head(&args.peers);
    let lines = rows::small(args)?;
    let large = if args.wants("large") && args.seed_users > 0 { million::rows(args)? } else { Vec::new() };
    Ok(lines.iter().chain(&large).all(|line| line.errors.is_empty()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Prints a line at once, for readers who watch the run.
fn say(line: &str) {
    println!("{line}");
}
