//! The names of usher's own parts in the audit log. No new account gets one of them.

/// A command that was run on the server's machine.
pub const COMMAND_LINE: &str = "command line";
/// A scheduled backup.
pub const SCHEDULE: &str = "schedule";

/// All of them.
pub const ALL: [&str; 2] = [COMMAND_LINE, SCHEDULE];
