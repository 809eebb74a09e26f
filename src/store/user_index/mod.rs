//! An in-memory index of all users: name, state and last sign-in in order of creation, and the orders of names and of
//! last sign-ins. It searches, filters and sorts a million users in milliseconds. SQLite has no index that finds one or
//! two letters inside a name, counts the matches of a common part, lists the users of one state by name, or skips half
//! of a list. [`search`] loads it and keeps it up to date.

use crate::store::user_list::{UserSort, UserState};

mod chunk;
mod order;
pub mod search;
#[cfg(test)]
mod tests;

use chunk::{Chunk, ChunkFilter, chunk_of};
pub(crate) use chunk::{IndexedUser, NEVER};
use order::{IdSet, Order};

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
    by_name: Order,
    by_last_login: Order,
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
        self.by_name.add_change(id);
        self.by_last_login.add_change(id);
    }

    /// Updates a user, or removes it if `user` is `None`. Unknown ids are ignored.
    pub(crate) fn change(&mut self, id: i64, user: Option<IndexedUser<'_>>) {
        let at = chunk_of(&self.chunks, id);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Some(row) = chunk.row(id) else { return };
        let Some(user) = user else {
            chunk.remove(row);
            if chunk.is_empty() {
                self.chunks.remove(at);
            }
            self.by_name.add_change(id);
            self.by_last_login.add_change(id);
            return;
        };
        let changed = chunk.change(row, user);
        if changed.name {
            self.by_name.add_change(id);
        }
        if changed.last_login {
            self.by_last_login.add_change(id);
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
        let at = chunk_of(&self.chunks, id);
        if let Some(chunk) = self.chunks.get_mut(at)
            && let Some(row) = chunk.row(id)
        {
            set(chunk, row);
        }
    }

    /// Sets the order of names.
    pub fn set_order_of_names(&mut self, ids: Vec<i64>) {
        self.by_name.set(ids);
    }

    /// Reports whether no changes of this order are pending.
    pub fn is_ordered_by(&self, sort: UserSort) -> bool {
        match sort {
            UserSort::Created => true,
            UserSort::Name => self.by_name.is_current(),
            UserSort::LastLogin => self.by_last_login.is_current(),
        }
    }

    /// Applies the pending changes of this order.
    pub fn order_by(&mut self, sort: UserSort) {
        match sort {
            UserSort::Created => {}
            UserSort::Name => self.by_name.update(&self.chunks, Chunk::name),
            UserSort::LastLogin => self.by_last_login.update(&self.chunks, Chunk::last_login),
        }
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

    /// Returns the number of matches and the ids of the requested page. Changes that are pending for its order are
    /// ignored; see [`UserIndex::is_ordered_by`].
    pub(crate) fn select(&self, wanted: &IndexQuery<'_>) -> (usize, Vec<i64>) {
        let filter = ChunkFilter::new(wanted.part, wanted.state);
        match wanted.sort {
            _ if filter.matches_nothing() => (0, Vec::new()),
            UserSort::Created => self.by_creation(wanted, &filter),
            UserSort::Name => self.by_order(&self.by_name, wanted, &filter),
            UserSort::LastLogin => self.by_order(&self.by_last_login, wanted, &filter),
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

    fn by_order(&self, order: &Order, wanted: &IndexQuery<'_>, filter: &ChunkFilter<'_>) -> (usize, Vec<i64>) {
        let all = order.ids().iter().copied();
        if !wanted.is_narrow() {
            return (all.len(), page(all, wanted));
        }
        let (mut matches, mut total) = (IdSet::up_to(self.last()), 0);
        for chunk in &self.chunks {
            chunk.each(filter, |row| {
                matches.insert(chunk.ids()[row]);
                total += 1;
            });
        }
        let hits = all.filter(|&id| matches.contains(id));
        (total, if wanted.skip < total { page(hits, wanted) } else { Vec::new() })
    }
}

fn page(ids: impl DoubleEndedIterator<Item = i64>, wanted: &IndexQuery<'_>) -> Vec<i64> {
    let (skip, limit) = (wanted.skip, wanted.limit);
    if wanted.descending { ids.rev().skip(skip).take(limit).collect() } else { ids.skip(skip).take(limit).collect() }
}
