//! Records everything that SQLite does to the files of a directory, and injects faults. `layer` is the SQLite VFS that
//! calls it.

mod layer;

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

/// A file operation. `file` is a number for each open file.
#[derive(Clone, Debug)]
pub enum Event {
    /// `durable`: SQLite syncs the directory together with the file's first sync.
    Open {
        file: u64,
        name: String,
        durable: bool,
    },
    Write {
        file: u64,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        file: u64,
        size: u64,
    },
    Sync {
        file: u64,
    },
    Delete {
        name: String,
        synced: bool,
    },
    /// A mark that the test has set.
    Mark(u64),
}

/// A fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full.
    Full,
    /// Writing and syncing fail.
    Writes,
    /// Syncing fails.
    Syncs,
    /// Reading and writing fail.
    Everything,
    /// The file is read-only.
    ReadOnly,
    /// Another process holds the write lock.
    Locked,
}

/// A watched directory.
#[derive(Default)]
pub struct Watch {
    events: Mutex<Vec<Event>>,
    opened: Mutex<u64>,
    fault: Mutex<Option<Fault>>,
}

impl Watch {
    /// Adds a mark to the events.
    pub fn mark(&self, mark: u64) {
        self.record(Event::Mark(mark));
    }

    /// The recorded events.
    pub fn events(&self) -> Vec<Event> {
        held(&self.events).clone()
    }

    /// Sets the fault, or `None` to recover.
    pub fn fail(&self, fault: Option<Fault>) {
        *held(&self.fault) = fault;
    }

    fn fault(&self) -> Option<Fault> {
        *held(&self.fault)
    }

    fn record(&self, event: Event) {
        held(&self.events).push(event);
    }

    fn write_fault(&self) -> Option<c_int> {
        match self.fault()? {
            Fault::Full => Some(ffi::SQLITE_FULL),
            Fault::Writes | Fault::Everything => Some(ffi::SQLITE_IOERR_WRITE),
            Fault::ReadOnly => Some(ffi::SQLITE_READONLY),
            Fault::Syncs | Fault::Locked => None,
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static WATCHES: LazyLock<Mutex<BTreeMap<PathBuf, Arc<Watch>>>> = LazyLock::new(Mutex::default);

/// Watches the databases of `dir`, but no others. The layer becomes the process's default VFS.
pub fn watch(dir: &Path) -> Arc<Watch> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(layer::install);
    let watch = Arc::new(Watch::default());
    held(&WATCHES).insert(dir.canonicalize().unwrap(), Arc::clone(&watch));
    watch
}
