//! Owns all users' names in memory, in order of creation, for finding a part of one: a million names are searched in
//! a few milliseconds, whatever is looked for, where no index of SQLite's finds one or two letters or counts the hits
//! of a common part. Knows names and ids; where they come from is `search`'s business.

use memchr::{memchr, memchr_iter, memmem};

/// Ends every name. No name contains it, as names hold no control characters.
const END: u8 = 0;
/// How many names stand in one piece, so that a change moves some kilobytes and not all that follow.
const PIECE: usize = 4096;

/// Names by id, ascending.
#[derive(Debug, Default)]
pub(super) struct Names {
    pieces: Vec<Piece>,
}

#[derive(Debug, Default)]
struct Piece {
    ids: Vec<i64>,
    /// The names of `ids`, each with its [`END`].
    text: Vec<u8>,
}

impl Names {
    /// The largest id, 0 when there is none.
    pub fn last(&self) -> i64 {
        self.pieces.last().and_then(|piece| piece.ids.last()).copied().unwrap_or(0)
    }

    /// Adds a name whose id is larger than all others.
    pub fn push(&mut self, id: i64, name: &str) {
        if self.pieces.last().is_none_or(|piece| piece.ids.len() >= PIECE) {
            self.pieces.push(Piece::default());
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.ids.push(id);
            piece.text.extend_from_slice(name.as_bytes());
            piece.text.push(END);
        }
    }

    /// Gives an id that is known another name, or with `None` forgets it.
    pub fn change(&mut self, id: i64, name: Option<&str>) {
        let at = self.pieces.partition_point(|piece| piece.ids.last().is_some_and(|&last| last < id));
        let Some(piece) = self.pieces.get_mut(at) else { return };
        let Ok(row) = piece.ids.binary_search(&id) else { return };
        let from = row.checked_sub(1).and_then(|before| memchr_iter(END, &piece.text).nth(before));
        let from = from.map_or(0, |end| end + 1);
        let length = memchr(END, &piece.text[from..]).unwrap_or(0);
        if let Some(name) = name {
            piece.text.splice(from..from + length, name.bytes());
            return;
        }
        piece.text.drain(from..=from + length);
        piece.ids.remove(row);
        if piece.ids.is_empty() {
            self.pieces.remove(at);
        }
    }

    /// The ids whose names contain `part`, without the first `skip` and at most `limit`, and how many there are in all.
    pub fn find(&self, part: &str, skip: usize, limit: usize) -> (usize, Vec<i64>) {
        let (mut total, mut ids) = (0, Vec::new());
        if part.as_bytes().contains(&END) {
            return (total, ids);
        }
        let finder = memmem::Finder::new(part);
        for piece in &self.pieces {
            let (mut at, mut row, mut counted) = (0, 0, 0);
            while let Some(hit) = finder.find(&piece.text[at..]) {
                let hit = at + hit;
                if total >= skip && ids.len() < limit {
                    row += memchr_iter(END, &piece.text[counted..hit]).count();
                    counted = hit;
                    ids.push(piece.ids[row]);
                }
                total += 1;
                // On to the next name: one that contains the part twice is one hit.
                at = memchr(END, &piece.text[hit..]).map_or(piece.text.len(), |length| hit + length + 1);
            }
        }
        (total, ids)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.ids.len()).sum()
    }

    /// The id that `skip` others come before.
    pub fn nth(&self, mut skip: usize) -> Option<i64> {
        for piece in &self.pieces {
            match piece.ids.get(skip) {
                Some(&id) => return Some(id),
                None => skip -= piece.ids.len(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn parts_are_found_in_order_once_for_each_name_and_counted() {
        let mut names = Names::default();
        for (id, name) in [(2, "anna"), (3, "bob"), (7, "žanna"), (9, "nan"), (12, "an an an")] {
            names.push(id, name);
        }
        assert_eq!(names.find("an", 0, 10), (4, vec![2, 7, 9, 12]));
        assert_eq!(names.find("an", 1, 2), (4, vec![7, 9]));
        assert_eq!(names.find("an", 4, 2), (4, vec![]));
        assert_eq!(names.find("ž", 0, 10), (1, vec![7]));
        assert_eq!(names.find("abob", 0, 10), (0, vec![]));
        assert_eq!(names.find("a\0b", 0, 10), (0, vec![]));
        assert_eq!((names.nth(2), names.nth(5), names.last()), (Some(7), None, 12));
    }

    proptest! {
        #[test]
        fn whatever_changes_the_hits_are_those_of_looking_at_every_name(
            count in 0i64..10_000,
            changes in prop::collection::vec((0i64..12_000, prop::option::of("[abé]{0,3}")), 0..40),
            part in "[abé]{1,3}",
            skip in 0usize..50,
        ) {
            let mut names = Names::default();
            let mut plain: BTreeMap<i64, String> = (1..=count).map(|id| (id, format!("{id:x}"))).collect();
            for (&id, name) in &plain {
                names.push(id, name);
            }
            for (id, name) in changes {
                names.change(id, name.as_deref());
                match (plain.contains_key(&id), name) {
                    (true, Some(name)) => drop(plain.insert(id, name)),
                    (_, None) => drop(plain.remove(&id)),
                    (false, Some(_)) => {}
                }
            }
            let hits: Vec<i64> = plain.iter().filter(|(_, name)| name.contains(&part)).map(|(&id, _)| id).collect();
            let page: Vec<i64> = hits.iter().copied().skip(skip).take(5).collect();
            prop_assert_eq!(names.find(&part, skip, 5), (hits.len(), page));
            prop_assert_eq!(names.nth(skip), plain.keys().nth(skip).copied());
            prop_assert_eq!(names.len(), plain.len());
            prop_assert_eq!(names.last(), plain.keys().last().copied().unwrap_or(0));
        }
    }
}
