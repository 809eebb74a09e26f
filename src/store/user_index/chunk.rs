//! Owns some thousand people that were made one after another, in a form in which all of them are looked through at the
//! speed of memory.

use memchr::{memchr, memmem};

use crate::store::user_list::UserState;

/// Ends every name. No name contains it, as names hold no control characters.
const END: u8 = 0;
/// How many people stand in one piece, so that a change moves some kilobytes and not all that follow.
const PIECE: usize = 4096;
/// A last log-in that never was: before all others, as NULL is for SQLite.
pub const NEVER: i64 = i64::MIN;

const ACTIVE: u8 = 1;
const SUPERUSER: u8 = 2;
const SEEN: u8 = 4;

/// What is known of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedUser<'a> {
    /// In the form that names are compared in.
    pub name: &'a str,
    pub is_active: bool,
    pub is_superuser: bool,
    /// In microseconds since 1970, or [`NEVER`].
    pub last_login: i64,
}

impl IndexedUser<'_> {
    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        flag(self.is_active, ACTIVE) | flag(self.is_superuser, SUPERUSER) | flag(self.last_login != NEVER, SEEN)
    }
}

/// Which flags matter for a state, and how they must stand.
fn mask(state: Option<UserState>) -> (u8, u8) {
    match state {
        None => (0, 0),
        Some(UserState::Waiting) => (ACTIVE | SEEN, 0),
        Some(UserState::Active) => (ACTIVE, ACTIVE),
        Some(UserState::Inactive) => (ACTIVE | SEEN, SEEN),
        Some(UserState::Superuser) => (SUPERUSER, SUPERUSER),
    }
}

/// Some people, by id, ascending.
#[derive(Debug, Default)]
pub struct Chunk {
    ids: Vec<i64>,
    flags: Vec<u8>,
    logins: Vec<i64>,
    /// Where each one's name begins in `text`.
    starts: Vec<u32>,
    /// The names, each with its [`END`].
    text: Vec<u8>,
}

/// Whom a list is narrowed to.
pub struct ChunkFilter<'a> {
    part: Option<memmem::Finder<'a>>,
    mask: u8,
    set: u8,
}

impl<'a> ChunkFilter<'a> {
    /// To those whose name contains this, and to those in this state.
    pub fn new(part: Option<&'a str>, state: Option<UserState>) -> Self {
        let (mask, set) = mask(state);
        Self { part: part.map(memmem::Finder::new), mask, set }
    }

    /// Whether what is looked for can be in no name, but would be found where two of them meet.
    pub fn fits_nobody(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.needle().contains(&END))
    }
}

impl Chunk {
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    pub fn is_full(&self) -> bool {
        self.ids.len() >= PIECE
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The row of this id.
    pub fn row(&self, id: i64) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    pub fn last_login(&self, row: usize) -> i64 {
        self.logins[row]
    }

    pub fn note_superuser(&mut self, row: usize) {
        self.flags[row] |= SUPERUSER;
    }

    /// Adds a row whose id is larger than all others.
    pub fn push(&mut self, id: i64, person: IndexedUser<'_>) {
        self.ids.push(id);
        self.flags.push(person.flags());
        self.logins.push(person.last_login);
        self.starts.push(position(self.text.len()));
        self.text.extend_from_slice(person.name.as_bytes());
        self.text.push(END);
    }

    /// Where the name of this row ends, before its [`END`].
    fn end(&self, row: usize) -> usize {
        self.starts.get(row + 1).map_or(self.text.len(), |&next| next as usize) - 1
    }

    pub fn name(&self, row: usize) -> &[u8] {
        &self.text[self.starts[row] as usize..self.end(row)]
    }

    /// Notes what is now known of somebody; whether the name is another one.
    pub fn change(&mut self, row: usize, person: IndexedUser<'_>) -> bool {
        self.flags[row] = person.flags();
        self.logins[row] = person.last_login;
        if self.name(row) == person.name.as_bytes() {
            return false;
        }
        let (from, to) = (self.starts[row] as usize, self.end(row));
        self.text.splice(from..to, person.name.bytes());
        self.shift(row + 1, to - from, person.name.len());
        true
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

    /// Moves the names from this row on, as one before them had `old` bytes and has `new`.
    fn shift(&mut self, row: usize, old: usize, new: usize) {
        for start in &mut self.starts[row..] {
            *start = position(*start as usize + new - old);
        }
    }

    /// How many rows are wanted.
    pub fn count(&self, filter: &ChunkFilter<'_>) -> usize {
        let mut count = 0;
        match &filter.part {
            None if filter.mask == 0 => return self.ids.len(),
            // Rows need not be known, only that a name that contains the part twice is one hit.
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

    /// Calls `found` with every row that is wanted, ascending.
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
            // On to the next name: one that contains the part twice is one hit.
            at = self.end(row) + 1;
        }
    }
}

/// A place in a piece's text, which is at most [`PIECE`] names of 255 characters long.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
