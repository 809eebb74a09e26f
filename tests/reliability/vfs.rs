//! Owns what is watched of the files of a directory, and how its disk fails: everything that SQLite does to them is
//! recorded, and refused when a test says so. Knows neither what is written nor why; `layer` is how SQLite gets here.

mod layer;

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

/// What happened to the files, in order; `file` counts openings.
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
    /// Something that the test itself noted.
    Mark(u64),
}

/// How the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing more can be written.
    Full,
    /// Writing and syncing fail.
    Writes,
    /// Syncing alone fails.
    Syncs,
    /// Nothing can be read or written.
    Everything,
    /// Writing is forbidden.
    ReadOnly,
    /// Another process holds the lock of whoever writes.
    Locked,
}

/// One watched directory.
#[derive(Default)]
pub struct Watch {
    events: Mutex<Vec<Event>>,
    opened: Mutex<u64>,
    fault: Mutex<Option<Fault>>,
}

impl Watch {
    /// Notes something among the events.
    pub fn mark(&self, mark: u64) {
        self.record(Event::Mark(mark));
    }

    /// What was recorded.
    pub fn events(&self) -> Vec<Event> {
        held(&self.events).clone()
    }

    /// From now on the disk fails so, or works again.
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

/// Watches the databases of `dir`; others are left alone. The layer becomes the process's default.
pub fn watch(dir: &Path) -> Arc<Watch> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(layer::install);
    let watch = Arc::new(Watch::default());
    held(&WATCHES).insert(dir.canonicalize().unwrap(), Arc::clone(&watch));
    watch
}
