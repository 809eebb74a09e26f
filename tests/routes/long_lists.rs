//! The list of users when there are too many for SQLite alone, so that the index in memory answers.

use serde_json::json;
use uuid::Uuid;

use crate::support::server::PASSWORD;
use crate::support::{Server, postgres};

const SEEDED: i64 = 2_400;

/// When a seeded user signed in last, in seconds. Some never did, and some at the same time.
fn last_login(number: i64) -> Option<i64> {
    (number % 3 > 0).then_some(number * 7919 % 1_000)
}

fn is_active(number: i64) -> bool {
    number % 4 > 0
}

fn seed(server: &Server) {
    let rows: Vec<String> = (1..=SEEDED)
        .map(|number| {
            let id = Uuid::from_u128(u128::try_from(number).unwrap());
            let id = if postgres::IS_ENGINE { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
            let login = last_login(number).map_or("NULL".to_owned(), |seconds| {
                format!("'2024-01-01 00:{:02}:{:02}+00:00'", seconds / 60, seconds % 60)
            });
            let (then, is_active) = ("'2023-01-01 00:00:00+00:00'", i64::from(is_active(number)));
            format!("({id}, 'u{number}', 'u{number}', 'u{number}', 'x', {is_active}, 0, {then}, {then}, {login})")
        })
        .collect();
    server.execute(&format!(
        "INSERT INTO users (uuid, username, username_folded, username_sort, password_hash, is_active, is_superuser, \
         create_at, updated_at, last_login_at) VALUES {}",
        rows.join(", ")
    ));
}

/// Returns the total and the names of the page.
fn list(server: &Server, admin: &str, query: &str) -> (i64, Vec<String>) {
    let page = server.get(format!("/api/v1/users/?{query}")).bearer(admin).send().expect(200).json();
    let names = page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
    (page["total_count"].as_i64().unwrap(), names.collect())
}

#[test]
fn a_long_list_by_last_sign_in_has_the_same_order_at_every_page() {
    let server = Server::start();
    let admin = server.admin();
    seed(&server);
    for (filter, is_listed) in [("", (|_| true) as fn(i64) -> bool), ("&state=active", is_active)] {
        let mut expected: Vec<i64> = (1..=SEEDED).filter(|&number| is_listed(number)).collect();
        expected.sort_by_key(|&number| (last_login(number), number));
        let mut expected: Vec<String> = expected.into_iter().map(|number| format!("u{number}")).collect();
        // The only one who signed in today.
        expected.push("admin".to_owned());
        let total = i64::try_from(expected.len()).unwrap();
        for order in ["asc", "desc"] {
            for skip in [0, 1, 799, expected.len() / 2, expected.len() - 3, expected.len()] {
                let query = format!("sort=last_login&order={order}&skip={skip}&limit=4{filter}");
                let page: Vec<String> = expected.iter().skip(skip).take(4).cloned().collect();
                assert_eq!(list(&server, &admin, &query), (total, page), "{query}");
            }
            expected.reverse();
        }
    }
}

#[test]
fn the_next_long_list_by_last_sign_in_shows_every_sign_in_and_change() {
    let server = Server::start();
    let admin = server.admin();
    seed(&server);
    let newest = || list(&server, &admin, "sort=last_login&order=desc&limit=3").1;
    assert_eq!(newest()[0], "admin");
    let (ann, _) = server.member(&admin, "ann");
    assert_eq!(newest()[..2], ["ann", "admin"]);
    server.member(&admin, "ben");
    assert_eq!(newest(), ["ben", "ann", "admin"]);
    server.login("ann", PASSWORD);
    // This list reads the change and needs no order.
    assert_eq!(list(&server, &admin, "order=desc&limit=1").1, ["ben"]);
    assert_eq!(newest(), ["ann", "ben", "admin"]);
    assert_eq!(list(&server, &admin, "sort=name&limit=2").1, ["admin", "ann"]);
    let renamed = json!({ "username": "zoe" });
    server.patch(format!("/api/v1/users/{ann}")).bearer(&admin).json(&renamed).send().expect(200);
    assert_eq!(newest(), ["zoe", "ben", "admin"]);
    server.delete(format!("/api/v1/users/{ann}")).bearer(&admin).send().expect(200);
    assert_eq!(newest()[..2], ["ben", "admin"]);
    assert_eq!(
        list(&server, &admin, &format!("sort=last_login&skip={SEEDED}")),
        (SEEDED + 2, vec!["admin".into(), "ben".into()])
    );
}
