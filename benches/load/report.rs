//! The printed table, and whether a row reached its target.

use super::client::Outcome;
use super::peer::Peer;

/// One row.
#[derive(Default)]
pub struct Line {
    pub work: String,
    pub usher: String,
    /// The ratio to a bare actix route in the same run.
    pub to_bare: Option<f64>,
    pub goal: String,
    /// Every condition of the target that this run could judge.
    pub met: Vec<bool>,
    /// The errors. Each is printed, and the run fails.
    pub errors: Vec<String>,
    /// For each peer, its figure, and how many times better usher's is in the same run.
    pub peers: Vec<(String, Option<f64>)>,
}

impl Line {
    pub fn new(work: impl Into<String>, goal: impl Into<String>) -> Self {
        Self { work: work.into(), goal: goal.into(), ..Self::default() }
    }

    /// Records wrong responses and broken connections.
    pub fn check(&mut self, who: &str, outcome: &Outcome) {
        if outcome.failed > 0 || outcome.broken > 0 || outcome.micros.is_empty() {
            let (failed, broken, good) = (outcome.failed, outcome.broken, outcome.micros.len());
            let first = outcome.first_failure.clone().unwrap_or_default();
            self.errors.push(format!("{}, {who}: {good} good, {failed} wrong, {broken} broken; {first}", self.work));
        }
    }

    /// The peers come last, because some rows have none.
    pub fn print_head(peers: &[Peer]) {
        let names: Vec<String> = peers.iter().map(|peer| format!(" {0} | to {0} |", peer.kind)).collect();
        super::say(&format!("| work | usher | to a bare route | must reach | reached |{}", names.concat()));
        super::say(&format!("|---|---|---|---|---|{}", "---|---|".repeat(peers.len())));
    }

    pub fn print(&self) {
        let ratio = |ratio: Option<f64>, unit: &str| ratio.map(|ratio| format!("{ratio:.2}{unit}")).unwrap_or_default();
        let reached = match self.met.as_slice() {
            [] => "",
            met if met.iter().all(|&met| met) => "yes",
            _ => "NO",
        };
        let bare = ratio(self.to_bare, "");
        let peers: Vec<String> =
            self.peers.iter().map(|(figure, better)| format!(" {figure} | {} |", ratio(*better, " ×"))).collect();
        let (work, usher, goal) = (&self.work, &self.usher, &self.goal);
        super::say(&format!("| {work} | {usher} | {bare} | {goal} | {reached} |{}", peers.concat()));
        for error in &self.errors {
            super::say(&format!("ERROR {error}"));
        }
    }
}

/// Formats the rate and latencies of a load.
pub fn shown(rate: f64, outcome: &Outcome) -> String {
    let digits = usize::from(rate < 100.0);
    let (half, most) = (outcome.percentile(0.5), outcome.percentile(0.99));
    format!("{rate:.digits$} /s, p50 {half:.2} ms, p99 {most:.2} ms")
}

pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
