//! An in-memory index of all users: name, state and last sign-in in order of creation, and the order of names. It
//! searches, filters and sorts a million users in milliseconds. SQLite has no index that finds one or two letters
//! inside a name, counts the matches of a common part, or lists the users of one state by name. [`search`] loads it and
//! keeps it up to date.

use crate::store::user_list::{UserSort, UserState};

mod chunk;
pub mod search;
#[cfg(test)]
mod tests;

use chunk::{Chunk, ChunkFilter};
pub(crate) use chunk::{IndexedUser, NEVER};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IndexQuery<'a> {
    /// Part of what the name is sorted by.
    pub part: Option<&'a str>,
    pub state: Option<UserState>,
    pub sort: UserSort,
    pub descending: bool,
    pub skip: usize,
    pub limit: usize,
}

impl IndexQuery<'_> {
    fn is_narrow(&self) -> bool {
        self.part.is_some() || self.state.is_some()
    }
}

/// All users, ascending by id.
#[derive(Debug, Default)]
pub struct UserIndex {
    chunks: Vec<Chunk>,
    /// The ids in order of names. Without `added_names`, and with `removed_names`, until [`UserIndex::reorder`].
    by_name: Vec<i64>,
    /// Ids whose name is new or changed, and ids whose name changed or was deleted, since then.
    added_names: Vec<i64>,
    removed_names: Vec<i64>,
}

impl UserIndex {
    /// Returns the largest id, or 0.
    pub fn last(&self) -> i64 {
        self.chunks.last().and_then(|chunk| chunk.ids().last()).copied().unwrap_or(0)
    }

    /// Adds a user whose id is larger than all others.
    pub(crate) fn push(&mut self, id: i64, user: IndexedUser<'_>) {
        if self.chunks.last().is_none_or(Chunk::is_full) {
            self.chunks.push(Chunk::default());
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(id, user);
        }
        self.added_names.push(id);
    }

    /// Updates a user, or removes it if `user` is `None`. Unknown ids are ignored.
    pub(crate) fn change(&mut self, id: i64, user: Option<IndexedUser<'_>>) {
        let at = self.chunk_of(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Some(row) = chunk.row(id) else { return };
        let Some(user) = user else {
            chunk.remove(row);
            if chunk.is_empty() {
                self.chunks.remove(at);
            }
            return self.removed_names.push(id);
        };
        if chunk.change(row, user) {
            self.removed_names.push(id);
            self.added_names.push(id);
        }
    }

    /// Marks a user as a superuser.
    pub fn set_superuser(&mut self, id: i64) {
        self.mark(id, Chunk::set_superuser);
    }

    /// Marks a user as one who has a second factor.
    pub fn set_factor(&mut self, id: i64) {
        self.mark(id, Chunk::set_factor);
    }

    fn mark(&mut self, id: i64, set: fn(&mut Chunk, usize)) {
        let at = self.chunk_of(id);
        if let Some(chunk) = self.chunks.get_mut(at)
            && let Some(row) = chunk.row(id)
        {
            set(chunk, row);
        }
    }

    fn chunk_of(&self, id: i64) -> usize {
        self.chunks.partition_point(|chunk| chunk.ids().last().is_some_and(|&last| last < id))
    }

    fn name_of(&self, id: i64) -> &[u8] {
        let chunk = self.chunks.get(self.chunk_of(id));
        chunk.and_then(|chunk| Some(chunk.name(chunk.row(id)?))).unwrap_or_default()
    }

    /// Returns the number of names that [`UserIndex::reorder`] has to insert.
    pub fn unsorted_count(&self) -> usize {
        self.added_names.len()
    }

    /// Sets the order of names.
    pub fn set_order(&mut self, ids: Vec<i64>) {
        self.by_name = ids;
        self.added_names.clear();
        self.removed_names.clear();
    }

    /// Applies the pending changes to the order of names, in time linear in the number of users.
    pub fn reorder(&mut self) {
        let (mut added_names, mut removed_names) =
            (std::mem::take(&mut self.added_names), std::mem::take(&mut self.removed_names));
        if !removed_names.is_empty() {
            removed_names.sort_unstable();
            self.by_name.retain(|id| removed_names.binary_search(id).is_err());
        }
        added_names.sort_unstable();
        added_names.dedup();
        // A user who was added and deleted has no name.
        let known = added_names.into_iter().map(|id| (self.name_of(id), id)).filter(|(name, _)| !name.is_empty());
        let mut known: Vec<(&[u8], i64)> = known.collect();
        if known.is_empty() {
            return;
        }
        known.sort_unstable();
        let mut merged = Vec::with_capacity(self.by_name.len() + known.len());
        let mut rest = self.by_name.as_slice();
        for (name, id) in known {
            let (before, after) =
                rest.split_at(rest.partition_point(|&other| (self.name_of(other), other) < (name, id)));
            merged.extend_from_slice(before);
            merged.push(id);
            rest = after;
        }
        merged.extend_from_slice(rest);
        self.by_name = merged;
    }

    /// Returns the id at this position in order of creation.
    pub fn id_at(&self, mut skip: usize) -> Option<i64> {
        for chunk in &self.chunks {
            match chunk.ids().get(skip) {
                Some(&id) => return Some(id),
                None => skip -= chunk.ids().len(),
            }
        }
        None
    }

    /// Returns the number of matches and the ids of the requested page.
    pub(crate) fn select(&self, wanted: &IndexQuery<'_>) -> (usize, Vec<i64>) {
        let filter = ChunkFilter::new(wanted.part, wanted.state);
        match wanted.sort {
            _ if filter.matches_nothing() => (0, Vec::new()),
            UserSort::Created => self.by_creation(wanted, &filter),
            UserSort::Name => self.by_name(wanted, &filter),
            UserSort::LastLogin => self.by_last_login(wanted, &filter),
        }
    }

    fn by_creation(&self, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        let (mut total, mut ids, mut rows) = (0, Vec::new(), Vec::new());
        let (from, to) = (wanted.skip, wanted.skip.saturating_add(wanted.limit));
        for at in 0..self.chunks.len() {
            let chunk = &self.chunks[if wanted.descending { self.chunks.len() - 1 - at } else { at }];
            let before = total;
            total += chunk.count(filter);
            if before < to && total > from {
                rows.clear();
                chunk.each(filter, |row| rows.push(row));
                if wanted.descending {
                    rows.reverse();
                }
                let page = rows.iter().skip(from.saturating_sub(before)).take(wanted.limit - ids.len());
                ids.extend(page.map(|&row| chunk.ids()[row]));
            }
        }
        (total, ids)
    }

    fn by_name(&self, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        if !wanted.is_narrow() {
            let all = self.by_name.iter().copied();
            return (all.len(), page(all, wanted));
        }
        // A bit per id, set for matches.
        let mut bits = vec![0_u64; usize::try_from(self.last()).unwrap_or(0) / 64 + 1];
        let place = |id: i64| (usize::try_from(id).unwrap_or(0) / 64, id % 64);
        let mut total = 0;
        for chunk in &self.chunks {
            chunk.each(filter, |row| {
                let (word, bit) = place(chunk.ids()[row]);
                bits[word] |= 1 << bit;
                total += 1;
            });
        }
        let hits = self.by_name.iter().copied().filter(|&id| {
            let (word, bit) = place(id);
            bits.get(word).is_some_and(|word| word >> bit & 1 == 1)
        });
        (total, if wanted.skip < total { page(hits, wanted) } else { Vec::new() })
    }

    fn by_last_login(&self, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        let mut hits: Vec<(i64, i64)> = Vec::new();
        for chunk in &self.chunks {
            chunk.each(filter, |row| hits.push((chunk.last_login(row), chunk.ids()[row])));
        }
        let total = hits.len();
        let (from, to) = (wanted.skip, wanted.skip.saturating_add(wanted.limit).min(total));
        if from >= to {
            return (total, Vec::new());
        }
        let order = |a: &(i64, i64), b: &(i64, i64)| if wanted.descending { b.cmp(a) } else { a.cmp(b) };
        if to < total {
            hits.select_nth_unstable_by(to, order);
        }
        if from > 0 {
            hits[..to].select_nth_unstable_by(from, order);
        }
        hits[from..to].sort_unstable_by(order);
        (total, hits[from..to].iter().map(|&(_, id)| id).collect())
    }
}

fn page(ids: impl DoubleEndedIterator<Item = i64>, wanted: &IndexQuery<'_>) -> Vec<i64> {
    let (skip, limit) = (wanted.skip, wanted.limit);
    if wanted.descending { ids.rev().skip(skip).take(limit).collect() } else { ids.skip(skip).take(limit).collect() }
}
