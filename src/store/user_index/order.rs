//! The order of all users by a key, such as their last sign-in, updated when a query needs it.

use super::chunk::{Chunk, find};

/// If more than one in this many users changed, the order is sorted anew.
const MERGED_PART: usize = 10;

/// The ids of all users, sorted by a key and then by id.
///
/// Changes are collected, because some keys change all the time and few lists need their order. [`Order::update`]
/// applies them.
#[derive(Debug, Default)]
pub struct Order {
    /// Without the changes.
    ids: Vec<i64>,
    /// Ids whose key is new, changed or gone. May contain duplicates.
    changed: Vec<i64>,
    /// Too many keys changed to apply the changes one by one. `changed` is empty then.
    is_lost: bool,
}

impl Order {
    /// Returns the ids in order, as of the last update.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Reports whether no changes are pending.
    pub fn is_current(&self) -> bool {
        self.changed.is_empty() && !self.is_lost
    }

    /// Sets all ids, in order.
    pub fn set(&mut self, ids: Vec<i64>) {
        *self = Self { ids, ..Self::default() };
    }

    /// Records that this user is new, has another key, or was removed.
    pub fn add_change(&mut self, id: i64) {
        if self.is_lost {
            return;
        }
        self.changed.push(id);
        if self.changed.len() > self.ids.len() / MERGED_PART {
            self.changed = Vec::new();
            self.is_lost = true;
        }
    }

    /// Applies the pending changes.
    pub fn update<'a, K: Ord>(&mut self, chunks: &'a [Chunk], key: impl Fn(&'a Chunk, usize) -> K) {
        if self.is_lost {
            self.sort(chunks, key);
        } else if !self.changed.is_empty() {
            self.merge(chunks, key);
        }
    }

    fn sort<'a, K: Ord>(&mut self, chunks: &'a [Chunk], key: impl Fn(&'a Chunk, usize) -> K) {
        let mut keys = Vec::with_capacity(chunks.iter().map(|chunk| chunk.ids().len()).sum());
        for chunk in chunks {
            keys.extend(chunk.ids().iter().enumerate().map(|(row, &id)| (key(chunk, row), id)));
        }
        keys.sort_unstable();
        self.ids.clear();
        self.ids.extend(keys.into_iter().map(|(_, id)| id));
        self.is_lost = false;
    }

    /// Moves the changed ids, in time linear in the number of users.
    fn merge<'a, K: Ord>(&mut self, chunks: &'a [Chunk], key: impl Fn(&'a Chunk, usize) -> K) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        // All ids have a bit: a bounds check that depends on the id takes longer than the rest.
        let known = chunks.last().and_then(|chunk| chunk.ids().last());
        let mut moved = IdSet::up_to(known.max(changed.last()).copied().unwrap_or(0));
        for &id in &changed {
            moved.insert(id);
        }
        self.ids.retain(|&id| !moved.contains(id));

        let key = |id| find(chunks, id).map(|(chunk, row)| key(chunk, row));
        let mut added: Vec<(Option<K>, i64)> = changed.into_iter().map(|id| (key(id), id)).collect();
        added.retain(|(key, _)| key.is_some());
        added.sort_unstable();
        // From the end, so that each id is moved at most once.
        let mut end = self.ids.len();
        self.ids.resize(end + added.len(), 0);
        for (before, one) in added.into_iter().enumerate().rev() {
            let at = partition_point_from_end(&self.ids[..end], |other| (key(other), other) < one);
            self.ids.copy_within(at..end, at + before + 1);
            self.ids[at + before] = one.1;
            end = at;
        }
    }
}

/// Like `partition_point`, but in fewer steps if the point is near the end: most changes are sign-ins, which move a
/// user to the end.
fn partition_point_from_end(ids: &[i64], is_before: impl Fn(i64) -> bool) -> usize {
    let (mut end, mut step) = (ids.len(), 1);
    while end > 0 {
        let at = end.saturating_sub(step);
        if is_before(ids[at]) {
            return at + 1 + ids[at + 1..end].partition_point(|&id| is_before(id));
        }
        end = at;
        step *= 2;
    }
    0
}

/// A set of ids, with a bit per possible id.
pub struct IdSet(Vec<u64>);

impl IdSet {
    /// An empty set of ids up to this one.
    pub fn up_to(last: i64) -> Self {
        Self(vec![0; usize::try_from(last).unwrap_or(0) / 64 + 1])
    }

    pub fn insert(&mut self, id: i64) {
        let (word, bit) = place(id);
        self.0[word] |= 1 << bit;
    }

    pub fn contains(&self, id: i64) -> bool {
        let (word, bit) = place(id);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }
}

fn place(id: i64) -> (usize, i64) {
    (usize::try_from(id).unwrap_or(0) / 64, id % 64)
}
