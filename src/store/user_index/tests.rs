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

/// What looking at everybody gives.
fn plainly(people: &BTreeMap<i64, Owned>, wanted: &IndexQuery<'_>) -> (usize, Vec<i64>) {
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
    let mut hits: Vec<(&i64, &Owned)> = people.iter().filter(|(_, one)| is_wanted(one)).collect();
    hits.sort_by(|(a_id, a), (b_id, b)| {
        let order = match wanted.sort {
            UserSort::Created => a_id.cmp(b_id),
            UserSort::Name => (&a.0, a_id).cmp(&(&b.0, b_id)),
            UserSort::LastLogin => (a.3, a_id).cmp(&(b.3, b_id)),
        };
        if wanted.descending { order.reverse() } else { order }
    });
    let ids = hits.iter().skip(wanted.skip).take(wanted.limit).map(|(id, _)| **id).collect();
    (hits.len(), ids)
}

proptest! {
    #[test]
    fn every_list_equals_a_full_scan_after_random_changes(
        count in 0i64..9_000,
        changes in prop::collection::vec((0i64..10_000, prop::option::of(owned())), 0..40),
        more in 0i64..20,
        part in prop::option::of("[abé0-9]{1,2}"),
        (skip, limit) in (prop_oneof![0usize..50, 0usize..9_000], 0usize..8),
    ) {
        let mut people = UserIndex::default();
        let made = |id: i64| Owned(format!("{:x}", id * 7919 % 10_037), id % 3 == 0, id % 50 == 0, id % 11 - 5, id % 4 == 0);
        let mut plain = BTreeMap::new();
        let add = |people: &mut UserIndex, plain: &mut BTreeMap<i64, Owned>, id: i64| {
            people.push(id, made(id).person());
            plain.insert(id, made(id));
        };
        (1..=count).for_each(|id| add(&mut people, &mut plain, id));
        let mut order: Vec<i64> = plain.keys().copied().collect();
        order.sort_by_key(|id| (plain[id].0.clone(), *id));
        people.set_order(order);
        for (id, one) in changes {
            // None is empty. Names that differ in accents are sorted by the same text.
            let one = one.map(|one| Owned(format!("{}-{}", one.0, id % 10), one.1, one.2, one.3, one.4));
            people.change(id, one.as_ref().map(Owned::person));
            match (plain.contains_key(&id), one) {
                (true, Some(one)) => drop(plain.insert(id, one)),
                (_, None) => drop(plain.remove(&id)),
                (false, Some(_)) => {}
            }
        }
        (10_001..10_001 + more).for_each(|id| add(&mut people, &mut plain, id));
        people.reorder();
        prop_assert_eq!(people.unsorted_count(), 0);
        for (sort, state, descending) in SORTS.iter().flat_map(|sort| {
            STATES.iter().flat_map(move |state| [true, false].map(|down| (*sort, *state, down)))
        }) {
            let wanted = IndexQuery { part: part.as_deref(), state, sort, descending, skip, limit };
            prop_assert_eq!(people.select(&wanted), plainly(&plain, &wanted), "{:?}", wanted);
        }
        prop_assert_eq!(people.id_at(skip), plain.keys().nth(skip).copied());
        prop_assert_eq!(people.last(), plain.keys().last().copied().unwrap_or(0));
    }
}
