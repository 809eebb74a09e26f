//! A model of a disk: from the recorded file operations of SQLite, it computes what a power cut can leave.
//!
//! Synced data is there. For unsynced data, each 512-byte sector of a write, each truncation, and each created or
//! deleted file may have reached the disk or not, independently. A write changes only its own bytes.

use std::collections::BTreeMap;

use super::vfs::Event;

const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Truncate(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(content, *offset, data),
            Self::Truncate(size) => content.resize(usize::try_from(*size).unwrap(), 0),
        }
    }

    /// Applies the sectors that `keep` selects.
    fn apply_torn(&self, content: &mut Vec<u8>, keep: &mut impl FnMut() -> bool) {
        let Self::Write { offset, data } = self else {
            if keep() {
                self.apply(content);
            }
            return;
        };
        let (mut at, end) = (*offset, offset + data.len() as u64);
        while at < end {
            let next = ((at / SECTOR + 1) * SECTOR).min(end);
            if keep() {
                let range = usize::try_from(at - offset).unwrap()..usize::try_from(next - offset).unwrap();
                put(content, at, &data[range]);
            }
            at = next;
        }
    }
}

fn put(content: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = usize::try_from(offset).unwrap();
    let end = start + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(data);
}

#[derive(Clone, Debug, Default)]
struct Inode {
    synced: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<Change>,
    syncs_dir: bool,
}

#[derive(Clone, Debug)]
enum DirChange {
    Link(String, usize),
    Unlink(String),
}

type Names = BTreeMap<String, usize>;

/// File contents by name, after a power cut.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A disk with one directory.
#[derive(Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    opened: BTreeMap<u64, usize>,
    names: Names,
    synced_names: Names,
    unsynced_names: Vec<DirChange>,
}

impl Disk {
    /// Applies a recorded operation.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Open { file, name, durable, .. } => self.open(*file, name, *durable),
            Event::Write { file, offset, data } => {
                self.change(*file, Change::Write { offset: *offset, data: data.clone() });
            }
            Event::Truncate { file, size } => self.change(*file, Change::Truncate(*size)),
            Event::Sync { file } => {
                let inode = &mut self.inodes[self.opened[file]];
                inode.synced.clone_from(&inode.now);
                inode.unsynced.clear();
                if std::mem::take(&mut inode.syncs_dir) {
                    self.sync_dir();
                }
            }
            Event::Delete { name, synced } => {
                self.names.remove(name);
                self.unsynced_names.push(DirChange::Unlink(name.clone()));
                if *synced {
                    self.sync_dir();
                }
            }
            Event::Mark(_) => {}
        }
    }

    fn open(&mut self, file: u64, name: &str, durable: bool) {
        let known = self.names.get(name).copied().or_else(|| self.renamed(name));
        let inode = known.unwrap_or_else(|| {
            self.inodes.push(Inode { syncs_dir: durable, ..Inode::default() });
            let inode = self.inodes.len() - 1;
            self.names.insert(name.to_owned(), inode);
            self.unsynced_names.push(DirChange::Link(name.to_owned(), inode));
            inode
        });
        self.opened.insert(file, inode);
    }

    /// The store creates a new database under a temporary name, syncs it, renames it and syncs the directory, outside
    /// SQLite.
    fn renamed(&mut self, name: &str) -> Option<usize> {
        let temporary = |known: &&String| known.starts_with(&format!("{name}.")) && known.contains(".tmp");
        let temporary = self.names.keys().find(temporary)?.clone();
        let inode = self.names.remove(&temporary)?;
        let content = &mut self.inodes[inode];
        content.synced.clone_from(&content.now);
        content.unsynced.clear();
        self.names.insert(name.to_owned(), inode);
        self.sync_dir();
        Some(inode)
    }

    fn change(&mut self, file: u64, change: Change) {
        let inode = &mut self.inodes[self.opened[&file]];
        change.apply(&mut inode.now);
        inode.unsynced.push(change);
    }

    fn sync_dir(&mut self) {
        self.synced_names.clone_from(&self.names);
        self.unsynced_names.clear();
    }

    /// The files if everything reached the disk.
    pub fn all(&self) -> Files {
        self.names.iter().map(|(name, inode)| (name.clone(), self.inodes[*inode].now.clone())).collect()
    }

    /// The files if only synced data reached the disk.
    pub fn none(&self) -> Files {
        self.synced_names.iter().map(|(name, inode)| (name.clone(), self.inodes[*inode].synced.clone())).collect()
    }

    /// The files if synced data reached the disk, and of the rest the sectors that `keep` selects.
    pub fn torn(&self, mut keep: impl FnMut() -> bool) -> Files {
        let mut names = self.synced_names.clone();
        for change in &self.unsynced_names {
            match change {
                _ if !keep() => {}
                DirChange::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
                DirChange::Unlink(name) => drop(names.remove(name)),
            }
        }
        let torn = names.into_iter().map(|(name, inode)| {
            let inode = &self.inodes[inode];
            let mut content = inode.synced.clone();
            for change in &inode.unsynced {
                change.apply_torn(&mut content, &mut keep);
            }
            (name, content)
        });
        torn.collect()
    }

    /// Whether a power cut now can only leave [`Disk::all`].
    pub fn is_synced(&self) -> bool {
        self.unsynced_names.is_empty() && self.names.values().all(|inode| self.inodes[*inode].unsynced.is_empty())
    }
}

/// A seeded random number generator (splitmix64), so that every run makes the same cuts.
pub struct Seeded(pub u64);

impl Seeded {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True in this percentage of calls.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
