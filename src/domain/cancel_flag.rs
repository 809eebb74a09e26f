//! Owns the wish that a long work should end early. Must not know who wishes it, or which work it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Such a wish; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// From now on.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
