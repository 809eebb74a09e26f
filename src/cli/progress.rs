//! Owns the line on a terminal that says how far a long work is; elsewhere it writes nothing.

use std::io::{self, IsTerminal, Write};

const WIDTH: usize = 40;

/// Such a line.
pub struct Progress {
    shown: bool,
    /// What stands there now, and whether it is whole.
    line: Option<(&'static str, u64, bool)>,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new() -> Self {
        Self { shown: io::stderr().is_terminal(), line: None }
    }

    /// Shows that `done` of `whole` is done of what `label` names, if that looks different from before. Of what nobody
    /// knows the length of, `whole` is 0.
    pub fn show(&mut self, label: &'static str, done: u64, whole: u64) {
        if !self.shown {
            return;
        }
        let percent = (done * 100).checked_div(whole).unwrap_or(0).min(100);
        if matches!(self.line, Some((before, so_far, _)) if before == label && so_far == percent) {
            return;
        }
        if self.line.is_some_and(|(before, ..)| before != label) {
            self.end();
        }
        self.line = Some((label, percent, percent == 100));
        let full = WIDTH * usize::try_from(percent).unwrap_or(0) / 100;
        let (bar, rest) = ("#".repeat(full), " ".repeat(WIDTH - full));
        let text = if whole == 0 { format!("{label} …") } else { format!("{label:<9} [{bar}{rest}] {percent:>3} %") };
        // Whoever closed the terminal does not look.
        let _ = write!(io::stderr(), "\r{text}").and_then(|()| io::stderr().flush());
    }

    fn end(&mut self) {
        if self.line.take().is_some() {
            let _ = writeln!(io::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
