//! The printed table, and whether a row reached its target.

use super::client::Outcome;

/// One row.
#[derive(Default)]
pub struct Line {
    pub work: String,
    pub usher: String,
    /// The ratio to a bare actix route in the same run.
    pub to_bare: Option<f64>,
    pub peer: Option<String>,
    /// The ratio to the peer in the same run.
    pub to_peer: Option<f64>,
    pub goal: String,
    /// Every condition of the target that this run could judge.
    pub met: Vec<bool>,
    /// The errors. Each is printed, and the run fails.
    pub errors: Vec<String>,
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

    pub fn print_head() {
        super::say("| work | usher | to a bare route | peer | to the peer | must reach | reached |");
        super::say("|---|---|---|---|---|---|---|");
    }

    pub fn print(&self) {
        let ratio = |ratio: Option<f64>, unit: &str| ratio.map(|ratio| format!("{ratio:.2}{unit}")).unwrap_or_default();
        let reached = match self.met.as_slice() {
            [] => "",
            met if met.iter().all(|&met| met) => "yes",
            _ => "NO",
        };
        let (bare, peer) = (ratio(self.to_bare, ""), ratio(self.to_peer, " ×"));
        let name = self.peer.as_deref().unwrap_or_default();
        super::say(&format!(
            "| {} | {} | {bare} | {name} | {peer} | {} | {reached} |",
            self.work, self.usher, self.goal
        ));
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
