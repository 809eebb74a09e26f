//! A few thousand users in order of creation, laid out to be scanned at memory speed.

use memchr::{memchr, memmem};

use crate::store::user_list::UserState;

/// Terminates every name. Names contain no control characters.
const END: u8 = 0;
/// Users per chunk, so that a change moves kilobytes, not everything behind it.
const CHUNK_SIZE: usize = 4096;
/// The last sign-in of a user who never signed in. It sorts first, as NULL does in SQLite.
pub const NEVER: i64 = i64::MIN;

const ACTIVE: u8 = 1;
const SUPERUSER: u8 = 2;
const SEEN: u8 = 4;
const FACTOR: u8 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser<'a> {
    /// The sort key of the name.
    pub name: &'a str,
    pub is_active: bool,
    pub is_superuser: bool,
    pub has_factor: bool,
    /// In microseconds since 1970, or [`NEVER`].
    pub last_login: i64,
}

impl IndexedUser<'_> {
    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let rights = flag(self.is_active, ACTIVE) | flag(self.is_superuser, SUPERUSER);
        rights | flag(self.last_login != NEVER, SEEN) | flag(self.has_factor, FACTOR)
    }
}

/// Returns the flags that a state looks at and their required values.
fn mask(state: Option<UserState>) -> (u8, u8) {
    match state {
        None => (0, 0),
        Some(UserState::Waiting) => (ACTIVE | SEEN, 0),
        Some(UserState::Active) => (ACTIVE, ACTIVE),
        Some(UserState::Inactive) => (ACTIVE | SEEN, SEEN),
        Some(UserState::Superuser) => (SUPERUSER, SUPERUSER),
        Some(UserState::NoSecondFactor) => (FACTOR, 0),
    }
}

/// Users, ascending by id.
#[derive(Debug, Default)]
pub struct Chunk {
    ids: Vec<i64>,
    flags: Vec<u8>,
    logins: Vec<i64>,
    /// Where each name starts in `text`.
    starts: Vec<u32>,
    /// The names, each followed by [`END`].
    text: Vec<u8>,
}

/// The filter of a query.
pub struct ChunkFilter<'a> {
    part: Option<memmem::Finder<'a>>,
    mask: u8,
    set: u8,
}

impl<'a> ChunkFilter<'a> {
    /// Matches users whose name contains `part` and who are in `state`.
    pub fn new(part: Option<&'a str>, state: Option<UserState>) -> Self {
        let (mask, set) = mask(state);
        Self { part: part.map(memmem::Finder::new), mask, set }
    }

    /// Reports whether the part contains [`END`], which would match across two names.
    pub fn matches_nothing(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.needle().contains(&END))
    }
}

/// The keys that lists are sorted by, and that a change of a user changed.
#[derive(Clone, Copy, Debug)]
pub struct ChangedKeys {
    pub name: bool,
    pub last_login: bool,
}

/// Returns the position of the chunk that contains this id, if any does.
pub fn chunk_of(chunks: &[Chunk], id: i64) -> usize {
    chunks.partition_point(|chunk| chunk.ids.last().is_some_and(|&last| last < id))
}

/// Returns the chunk and the row of this id.
pub fn find(chunks: &[Chunk], id: i64) -> Option<(&Chunk, usize)> {
    let chunk = chunks.get(chunk_of(chunks, id))?;
    Some((chunk, chunk.row(id)?))
}

impl Chunk {
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    pub fn is_full(&self) -> bool {
        self.ids.len() >= CHUNK_SIZE
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the row of this id.
    pub fn row(&self, id: i64) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    pub fn last_login(&self, row: usize) -> i64 {
        self.logins[row]
    }

    pub fn set_superuser(&mut self, row: usize) {
        self.flags[row] |= SUPERUSER;
    }

    pub fn set_factor(&mut self, row: usize) {
        self.flags[row] |= FACTOR;
    }

    /// Adds a row whose id is larger than all others.
    pub fn push(&mut self, id: i64, user: IndexedUser<'_>) {
        self.ids.push(id);
        self.flags.push(user.flags());
        self.logins.push(user.last_login);
        self.starts.push(position(self.text.len()));
        self.text.extend_from_slice(user.name.as_bytes());
        self.text.push(END);
    }

    /// Returns where the name of this row ends.
    fn end(&self, row: usize) -> usize {
        self.starts.get(row + 1).map_or(self.text.len(), |&next| next as usize) - 1
    }

    pub fn name(&self, row: usize) -> &[u8] {
        &self.text[self.starts[row] as usize..self.end(row)]
    }

    /// Updates a row and returns which of its keys changed.
    pub fn change(&mut self, row: usize, user: IndexedUser<'_>) -> ChangedKeys {
        let changed = ChangedKeys {
            name: self.name(row) != user.name.as_bytes(),
            last_login: self.logins[row] != user.last_login,
        };
        self.flags[row] = user.flags();
        self.logins[row] = user.last_login;
        if changed.name {
            let (from, to) = (self.starts[row] as usize, self.end(row));
            self.text.splice(from..to, user.name.bytes());
            self.shift(row + 1, to - from, user.name.len());
        }
        changed
    }

    pub fn remove(&mut self, row: usize) {
        let (from, to) = (self.starts[row] as usize, self.end(row) + 1);
        self.text.drain(from..to);
        self.shift(row + 1, to - from, 0);
        self.starts.remove(row);
        self.ids.remove(row);
        self.flags.remove(row);
        self.logins.remove(row);
    }

    /// Shifts the starts of the names from this row on, after a name before them changed its length from `old` to `new`
    /// bytes.
    fn shift(&mut self, row: usize, old: usize, new: usize) {
        for start in &mut self.starts[row..] {
            *start = position(*start as usize + new - old);
        }
    }

    /// Returns the number of matching rows.
    pub fn count(&self, filter: &ChunkFilter<'_>) -> usize {
        let mut count = 0;
        match &filter.part {
            None if filter.mask == 0 => return self.ids.len(),
            // Count without finding rows; a name that contains the part twice is one match.
            Some(part) if filter.mask == 0 => {
                let mut at = 0;
                while let Some(hit) = part.find(&self.text[at..]) {
                    count += 1;
                    let hit = at + hit;
                    at = memchr(END, &self.text[hit..]).map_or(self.text.len(), |length| hit + length + 1);
                }
            }
            _ => self.each(filter, |_| count += 1),
        }
        count
    }

    /// Calls `found` with each matching row, ascending.
    pub fn each(&self, filter: &ChunkFilter<'_>, mut found: impl FnMut(usize)) {
        let fits = |row: usize| self.flags[row] & filter.mask == filter.set;
        let Some(part) = &filter.part else {
            return (0..self.ids.len()).filter(|&row| fits(row)).for_each(found);
        };
        let (mut at, mut row) = (0, 0);
        while let Some(hit) = part.find(&self.text[at..]) {
            let hit = at + hit;
            while self.end(row) < hit {
                row += 1;
            }
            if fits(row) {
                found(row);
            }
            // Continue at the next name; one that contains the part twice is one match.
            at = self.end(row) + 1;
        }
    }
}

/// Converts a position in a chunk's text, which holds at most [`CHUNK_SIZE`] names of 255 characters.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
