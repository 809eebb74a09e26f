//! Owns what lists of users are found by, in memory: everybody's name, state and last log-in in order of creation, and
//! everybody in the order of names. A million users are searched, narrowed and sorted in milliseconds, whatever is looked
//! for, where no index of SQLite's finds one or two letters, counts the hits of a common part, or has the users of one
//! state in the order of names. Where all this comes from is `search`'s business.

use crate::store::user_list::{UserSort, UserState};

mod chunk;
pub mod search;
#[cfg(test)]
mod tests;

use chunk::{Chunk, ChunkFilter};
pub(crate) use chunk::{IndexedUser, NEVER};

/// Which part of which list is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IndexQuery<'a> {
    /// Part of the name, in the form that names are compared in.
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

/// Everybody, by id, ascending.
#[derive(Debug, Default)]
pub struct UserIndex {
    pieces: Vec<Chunk>,
    /// Their ids in the order of names; without those in `placed` below until [`UserIndex::reorder`].
    by_name: Vec<i64>,
    /// Whose names came or changed since; and whose names changed or went.
    placed: Vec<i64>,
    misplaced: Vec<i64>,
}

impl UserIndex {
    /// The largest id, 0 when there is none.
    pub fn last(&self) -> i64 {
        self.pieces.last().and_then(|piece| piece.ids().last()).copied().unwrap_or(0)
    }

    /// Adds somebody whose id is larger than all others.
    pub(crate) fn push(&mut self, id: i64, person: IndexedUser<'_>) {
        if self.pieces.last().is_none_or(Chunk::is_full) {
            self.pieces.push(Chunk::default());
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(id, person);
        }
        self.placed.push(id);
    }

    /// Notes what is now known of an id that is known; with `None` forgets it.
    pub(crate) fn change(&mut self, id: i64, person: Option<IndexedUser<'_>>) {
        let at = self.piece_of(id);
        let Some(piece) = self.pieces.get_mut(at) else { return };
        let Some(row) = piece.row(id) else { return };
        let Some(person) = person else {
            piece.remove(row);
            if piece.is_empty() {
                self.pieces.remove(at);
            }
            return self.misplaced.push(id);
        };
        if piece.change(row, person) {
            self.misplaced.push(id);
            self.placed.push(id);
        }
    }

    /// Notes that this one is a superuser.
    pub fn note_superuser(&mut self, id: i64) {
        let at = self.piece_of(id);
        if let Some(piece) = self.pieces.get_mut(at)
            && let Some(row) = piece.row(id)
        {
            piece.note_superuser(row);
        }
    }

    fn piece_of(&self, id: i64) -> usize {
        self.pieces.partition_point(|piece| piece.ids().last().is_some_and(|&last| last < id))
    }

    fn name_of(&self, id: i64) -> &[u8] {
        let piece = self.pieces.get(self.piece_of(id));
        piece.and_then(|piece| Some(piece.name(piece.row(id)?))).unwrap_or_default()
    }

    /// How many names have to find their place in the order of names.
    pub fn disorder(&self) -> usize {
        self.placed.len()
    }

    /// Takes over the order of names, from where it is known.
    pub fn set_order(&mut self, ids: Vec<i64>) {
        self.by_name = ids;
        self.placed.clear();
        self.misplaced.clear();
    }

    /// Brings the order of names up to date: as much work as there are people, and a little for each change.
    pub fn reorder(&mut self) {
        let (mut placed, mut misplaced) = (std::mem::take(&mut self.placed), std::mem::take(&mut self.misplaced));
        if !misplaced.is_empty() {
            misplaced.sort_unstable();
            self.by_name.retain(|id| misplaced.binary_search(id).is_err());
        }
        placed.sort_unstable();
        placed.dedup();
        // Somebody who came and went has no name to be placed by.
        let known = placed.into_iter().map(|id| (self.name_of(id), id)).filter(|(name, _)| !name.is_empty());
        let mut known: Vec<(&[u8], i64)> = known.collect();
        if known.is_empty() {
            return;
        }
        known.sort_unstable();
        let mut merged = Vec::with_capacity(self.by_name.len() + known.len());
        let mut rest = self.by_name.as_slice();
        for (name, id) in known {
            let (before, after) = rest.split_at(rest.partition_point(|&other| self.name_of(other) < name));
            merged.extend_from_slice(before);
            merged.push(id);
            rest = after;
        }
        merged.extend_from_slice(rest);
        self.by_name = merged;
    }

    /// The id that `skip` others come before, in order of creation.
    pub fn nth(&self, mut skip: usize) -> Option<i64> {
        for piece in &self.pieces {
            match piece.ids().get(skip) {
                Some(&id) => return Some(id),
                None => skip -= piece.ids().len(),
            }
        }
        None
    }

    /// The ids of the part that is wanted, in the order that is wanted, and how many there are in all.
    pub(crate) fn select(&self, wanted: &IndexQuery<'_>) -> (usize, Vec<i64>) {
        let filter = ChunkFilter::new(wanted.part, wanted.state);
        match wanted.sort {
            _ if filter.fits_nobody() => (0, Vec::new()),
            UserSort::Created => self.by_creation(wanted, &filter),
            UserSort::Name => self.by_name(wanted, &filter),
            UserSort::LastLogin => self.by_last_login(wanted, &filter),
        }
    }

    fn by_creation(&self, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        let (mut total, mut ids, mut rows) = (0, Vec::new(), Vec::new());
        let (from, to) = (wanted.skip, wanted.skip.saturating_add(wanted.limit));
        for at in 0..self.pieces.len() {
            let piece = &self.pieces[if wanted.descending { self.pieces.len() - 1 - at } else { at }];
            let before = total;
            total += piece.count(filter);
            if before < to && total > from {
                rows.clear();
                piece.each(filter, |row| rows.push(row));
                if wanted.descending {
                    rows.reverse();
                }
                let page = rows.iter().skip(from.saturating_sub(before)).take(wanted.limit - ids.len());
                ids.extend(page.map(|&row| piece.ids()[row]));
            }
        }
        (total, ids)
    }

    fn by_name(&self, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        if !wanted.is_narrow() {
            let all = self.by_name.iter().copied();
            return (all.len(), page(all, wanted));
        }
        // A bit for each id, set for those that are wanted.
        let mut bits = vec![0_u64; usize::try_from(self.last()).unwrap_or(0) / 64 + 1];
        let place = |id: i64| (usize::try_from(id).unwrap_or(0) / 64, id % 64);
        let mut total = 0;
        for piece in &self.pieces {
            piece.each(filter, |row| {
                let (word, bit) = place(piece.ids()[row]);
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
        for piece in &self.pieces {
            piece.each(filter, |row| hits.push((piece.last_login(row), piece.ids()[row])));
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
