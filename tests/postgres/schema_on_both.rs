//! Compares the two schemas column by column.

use usher::store::{Connection, StoreError};

use crate::both::{block_on, both};

/// Table, column, kind, whether it may be NULL.
type Columns = Vec<(String, String, String, bool)>;

fn columns(connection: &Connection, sql: &str) -> Result<Columns, StoreError> {
    connection.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
}

#[test]
fn both_schemas_have_the_same_tables_and_columns() {
    const SQLITE: &str = "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0 FROM pragma_table_list t, \
         pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' \
         ORDER BY t.name, c.cid";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
         FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name NOT IN ('schema_version', 'writer') ORDER BY table_name COLLATE \"C\", ordinal_position";
    let (_dir, [sqlite, postgres]) = both();
    let sqlite = block_on(sqlite.read(|connection| columns(connection, SQLITE))).unwrap();
    let postgres = block_on(postgres.read(|connection| columns(connection, POSTGRES))).unwrap();
    assert!(sqlite.len() > 60);
    let name = |(table, column, _, null): &(String, String, String, bool)| (table.clone(), column.clone(), *null);
    assert_eq!(sqlite.iter().map(name).collect::<Vec<_>>(), postgres.iter().map(name).collect::<Vec<_>>());
    for (one, other) in sqlite.iter().zip(&postgres) {
        let expected: &[&str] = match one.2.as_str() {
            "INTEGER" => &["bigint", "smallint"],
            "BLOB" => &["uuid", "bytea"],
            "TEXT" => &["text", "timestamp with time zone"],
            other => panic!("{other}"),
        };
        assert!(expected.contains(&other.2.as_str()), "{one:?} {other:?}");
    }
}
