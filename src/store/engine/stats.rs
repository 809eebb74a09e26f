//! Statistics of the writer thread and the queues, for metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// Statistics of the writer thread.
#[derive(Clone, Debug)]
pub struct WriterStats {
    /// Writes per transaction.
    pub group_size: Histogram,
    /// Seconds per transaction, including the commit and the wait for the lock.
    pub group_seconds: Histogram,
    /// Writes whose transaction failed.
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

/// The number of jobs that wait for the reader threads and for the writer thread.
#[derive(Clone, Copy, Debug)]
pub struct QueueLengths {
    /// Jobs for the readers.
    pub reads: usize,
    /// Jobs for the writer.
    pub writes: usize,
}
