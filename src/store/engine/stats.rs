//! Owns what the store counts of itself, for whoever watches the server: how many writes share a commit, how long one
//! takes, how much waits and how much there is.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// What the writing thread counts.
#[derive(Clone, Debug)]
pub struct WriterStats {
    /// How many writes each transaction held.
    pub group_size: Histogram,
    /// How many seconds each took, its commit and the wait for a lock included.
    pub group_seconds: Histogram,
    /// Writes that were lost with their transaction.
    pub failed: Counter,
}

impl Default for WriterStats {
    fn default() -> Self {
        Self {
            group_size: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            group_seconds: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            failed: Counter::default(),
        }
    }
}

/// How many jobs wait for the threads that read, and for the one that writes.
#[derive(Clone, Copy, Debug)]
pub struct QueueLengths {
    /// For the readers.
    pub reads: usize,
    /// For the writer.
    pub writes: usize,
}
