//! Owns the line on a terminal that says how far a long work is; elsewhere it writes nothing.

use std::io::{self, IsTerminal, Write};

const WIDTH: usize = 40;

/// Such a line.
pub struct Progress {
    percent: Option<usize>,
    shown: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new() -> Self {
        Self { percent: None, shown: io::stderr().is_terminal() }
    }

    /// Shows `done` of `whole`, if that looks different from before.
    pub fn show(&mut self, done: usize, whole: usize) {
        let percent = done * 100 / whole.max(1);
        if !self.shown || self.percent == Some(percent) {
            return;
        }
        self.percent = Some(percent);
        let full = WIDTH * percent / 100;
        let (bar, rest) = ("#".repeat(full), " ".repeat(WIDTH - full));
        let end = if done == whole { "\n" } else { "" };
        // Whoever closed the terminal does not look.
        let _ = write!(io::stderr(), "\r[{bar}{rest}] {done} of {whole}{end}");
    }
}
