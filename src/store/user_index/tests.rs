//! Every list against looking at everybody.

use crate::store::user_index::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SORTS: [UserSort; 3] = [UserSort::Created, UserSort::Name, UserSort::LastLogin];
const STATES: [Option<UserState>; 6] = [
    None,
    Some(UserState::Waiting),
    Some(UserState::Active),
    Some(UserState::Inactive),
    Some(UserState::Superuser),
    Some(UserState::NoSecondFactor),
];

fn active(name: &str) -> IndexedUser<'_> {
    IndexedUser { name, is_active: true, is_superuser: false, has_factor: false, last_login: 5 }
}

#[test]
fn parts_are_found_in_order_once_for_each_name_and_counted() {
    let mut people = UserIndex::default();
    for (id, name) in [(2, "anna"), (3, "bob"), (7, "žanna"), (9, "nan"), (12, "an an an")] {
        people.push(id, active(name));
    }
    let find =
        |part, skip, limit| people.select(&IndexQuery { part: Some(part), skip, limit, ..IndexQuery::default() });
    assert_eq!(find("an", 0, 10), (4, vec![2, 7, 9, 12]));
    assert_eq!(find("an", 1, 2), (4, vec![7, 9]));
    assert_eq!(find("an", 4, 2), (4, vec![]));
    assert_eq!(find("ž", 0, 10), (1, vec![7]));
    assert_eq!(find("abob", 0, 10), (0, vec![]));
    assert_eq!(find("a\0b", 0, 10), (0, vec![]));
    assert_eq!((people.id_at(2), people.id_at(5), people.last()), (Some(7), None, 12));
}

#[derive(Clone, Debug)]
struct Owned(String, bool, bool, i64, bool);

impl Owned {
    fn person(&self) -> IndexedUser<'_> {
        let Self(name, is_active, is_superuser, last_login, has_factor) = self;
        let (is_active, is_superuser, has_factor) = (*is_active, *is_superuser, *has_factor);
        IndexedUser { name, is_active, is_superuser, has_factor, last_login: *last_login }
    }
}

fn owned() -> impl Strategy<Value = Owned> {
    let login = prop_oneof![Just(NEVER), -3i64..3];
    ("[abé]{0,3}", any::<bool>(), any::<bool>(), login, any::<bool>())
        .prop_map(|(name, active, superuser, login, factor)| Owned(name, active, superuser, login, factor))
}

/// Everybody, sorted.
fn sorted(people: &BTreeMap<i64, Owned>, sort: UserSort) -> Vec<(i64, &Owned)> {
    let mut all: Vec<(i64, &Owned)> = people.iter().map(|(id, one)| (*id, one)).collect();
    match sort {
        UserSort::Created => all.sort_by_key(|(id, _)| *id),
        UserSort::Name => all.sort_by_key(|(id, one)| (&one.0, *id)),
        UserSort::LastLogin => all.sort_by_key(|(id, one)| (one.3, *id)),
    }
    all
}

/// What looking at everybody gives. `people` are sorted.
fn plainly(people: &[(i64, &Owned)], wanted: &IndexQuery<'_>) -> (usize, Vec<i64>) {
    let is_wanted = |one: &Owned| {
        let state = match wanted.state {
            None => true,
            Some(UserState::Waiting) => !one.1 && one.3 == NEVER,
            Some(UserState::Active) => one.1,
            Some(UserState::Inactive) => !one.1 && one.3 != NEVER,
            Some(UserState::Superuser) => one.2,
            Some(UserState::NoSecondFactor) => !one.4,
        };
        state && wanted.part.is_none_or(|part| one.0.contains(part))
    };
    let mut hits: Vec<i64> = people.iter().filter(|(_, one)| is_wanted(one)).map(|(id, _)| *id).collect();
    if wanted.descending {
        hits.reverse();
    }
    (hits.len(), hits.iter().skip(wanted.skip).take(wanted.limit).copied().collect())
}

/// What happens to the users between two looks at the lists.
#[derive(Clone, Debug)]
struct Round {
    /// Changed users, or deleted ones.
    changes: Vec<(i64, Option<Owned>)>,
    /// The first of many users who sign in, and how many.
    sign_ins: (i64, i64),
    new: i64,
    /// The orders that the lists then need.
    sorts: Vec<UserSort>,
}

fn round() -> impl Strategy<Value = Round> {
    let changes = prop::collection::vec((0i64..10_000, prop::option::of(owned())), 0..40);
    let sign_ins = (0i64..10_000, prop_oneof![0i64..5, 0i64..2_000]);
    let sorts = prop::sample::subsequence(SORTS.to_vec(), 0..=SORTS.len());
    (changes, sign_ins, 0i64..20, sorts).prop_map(|(changes, sign_ins, new, sorts)| Round {
        changes,
        sign_ins,
        new,
        sorts,
    })
}

/// The index, and the same users in a plain map.
#[derive(Default)]
struct Both(UserIndex, BTreeMap<i64, Owned>);

impl Both {
    fn add(&mut self, id: i64) {
        let name = format!("{:x}", id * 7919 % 10_037);
        let one = Owned(name, id % 3 == 0, id % 50 == 0, id % 11 - 5, id % 4 == 0);
        self.0.push(id, one.person());
        self.1.insert(id, one);
    }

    fn change(&mut self, id: i64, one: Option<Owned>) {
        self.0.change(id, one.as_ref().map(Owned::person));
        match (self.1.contains_key(&id), one) {
            (true, Some(one)) => drop(self.1.insert(id, one)),
            (_, None) => drop(self.1.remove(&id)),
            (false, Some(_)) => {}
        }
    }

    fn apply(&mut self, round: &Round, now: i64) {
        for (id, one) in round.changes.clone() {
            // None is empty. Names that differ in accents are sorted by the same text.
            let one = one.map(|one| Owned(format!("{}-{}", one.0, id % 10), one.1, one.2, one.3, one.4));
            self.change(id, one);
        }
        for number in 0..round.sign_ins.1 {
            let id = (round.sign_ins.0 + number * 7) % 10_000;
            // Some sign in at the same time.
            let one = self.1.get(&id).map(|one| Owned(one.0.clone(), one.1, one.2, now + number / 3, one.4));
            if let Some(one) = one {
                self.change(id, Some(one));
            }
        }
        let last = self.0.last().max(10_000);
        for id in last + 1..=last + round.new {
            self.add(id);
        }
    }
}

proptest! {
    #[test]
    fn every_list_equals_a_full_scan_after_random_changes(
        count in prop_oneof![0i64..50, 0i64..9_000],
        has_order in any::<bool>(),
        rounds in prop::collection::vec(round(), 1..5),
        part in prop::option::of("[abé0-9]{1,2}"),
        (skip, limit) in (prop_oneof![0usize..50, 0usize..9_000], 0usize..8),
    ) {
        let mut both = Both::default();
        for id in 1..=count {
            both.add(id);
        }
        if has_order {
            let mut order: Vec<i64> = both.1.keys().copied().collect();
            order.sort_by_cached_key(|id| (both.1[id].0.clone(), *id));
            both.0.set_order_of_names(order);
        }
        for (number, round) in (0i64..).zip(&rounds) {
            both.apply(round, number * 1_000);
            for &sort in &round.sorts {
                both.0.order_by(sort);
                prop_assert!(both.0.is_ordered_by(sort));
                let everybody = sorted(&both.1, sort);
                for descending in [false, true] {
                    let wanted = IndexQuery { sort, descending, skip, limit, ..IndexQuery::default() };
                    prop_assert_eq!(both.0.select(&wanted), plainly(&everybody, &wanted), "{:?}", wanted);
                }
            }
        }
        let Both(mut people, plain) = both;
        for sort in SORTS {
            people.order_by(sort);
        }
        for sort in SORTS {
            let everybody = sorted(&plain, sort);
            for (state, descending) in STATES.iter().flat_map(|state| [true, false].map(|down| (*state, down))) {
                let wanted = IndexQuery { part: part.as_deref(), state, sort, descending, skip, limit };
                prop_assert_eq!(people.select(&wanted), plainly(&everybody, &wanted), "{:?}", wanted);
            }
        }
        prop_assert_eq!(people.id_at(skip), plain.keys().nth(skip).copied());
        prop_assert_eq!(people.last(), plain.keys().last().copied().unwrap_or(0));
    }
}

#[test]
fn a_change_is_pending_only_for_the_orders_whose_key_it_changes() {
    let mut people = UserIndex::default();
    for id in 1..=100 {
        people.push(id, active("ann"));
    }
    let mut pending_after = |change: &dyn Fn(&mut UserIndex)| {
        for sort in SORTS {
            people.order_by(sort);
        }
        change(&mut people);
        SORTS.map(|sort| !people.is_ordered_by(sort))
    };
    let renamed = IndexedUser { name: "bob", ..active("ann") };
    let signed_in = IndexedUser { last_login: 6, ..renamed };
    let blocked = IndexedUser { is_active: false, ..signed_in };
    assert_eq!(pending_after(&|people| people.change(5, Some(renamed))), [false, true, false]);
    assert_eq!(pending_after(&|people| people.change(5, Some(signed_in))), [false, false, true]);
    assert_eq!(pending_after(&|people| people.change(5, Some(blocked))), [false; 3]);
    assert_eq!(pending_after(&|people| people.change(5, None)), [false, true, true]);
    assert_eq!(pending_after(&|people| people.change(5, None)), [false; 3], "an unknown user");
    assert_eq!(pending_after(&|people| people.push(101, active("ann"))), [false, true, true]);
}
