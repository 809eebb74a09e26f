//! An open connection to PostgreSQL: prepared statements and the state of its transaction.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};

use crate::store::engine::error::StoreError;
use crate::store::engine::value::Value;

/// An open connection.
pub struct Session {
    client: RefCell<Client>,
    /// Prepared statements by their text, as the tables' queries have it.
    statements: RefCell<HashMap<String, Statement>>,
    in_transaction: Cell<bool>,
}

impl Session {
    /// Wraps an open connection.
    pub fn new(client: Client) -> Self {
        Self {
            client: RefCell::new(client),
            statements: RefCell::new(HashMap::new()),
            in_transaction: Cell::new(false),
        }
    }

    fn prepared(&self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.borrow_mut().prepare(&with_numbered_parameters(sql))?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Returns all rows of a query.
    pub fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql)?;
        Ok(self.client.borrow_mut().query(&statement, &parameters(values))?)
    }

    /// Calls `read` with each row of a query.
    pub fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepared(sql)?;
        let mut client = self.client.borrow_mut();
        let mut rows = client.query_raw(&statement, parameters(values))?;
        while let Some(row) = rows.next()? {
            read(&row)?;
        }
        Ok(())
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let statement = self.prepared(sql)?;
        let changed = self.client.borrow_mut().execute(&statement, &parameters(values))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a statement in a savepoint of its own, to which it is undone if it fails.
    pub fn execute_in_savepoint(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        if !self.in_transaction() {
            return self.execute(sql, values);
        }
        self.batch("SAVEPOINT statement")?;
        let outcome = self.execute(sql, values);
        self.batch(if outcome.is_ok() { "RELEASE statement" } else { "ROLLBACK TO statement; RELEASE statement" })?;
        outcome
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.borrow_mut().batch_execute(sql)?)
    }

    /// Begins a transaction.
    pub fn begin(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction.set(true);
        let outcome = self.batch(sql);
        if outcome.is_err() {
            // BEGIN may have succeeded, and the statement after it failed.
            let _ = self.end("ROLLBACK");
        }
        outcome
    }

    /// Ends the transaction.
    pub fn end(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction.set(false);
        self.batch(sql)
    }

    /// Reports whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction.get() && !self.client.borrow().is_closed()
    }

    /// Reports whether the connection is lost. Looks for what has arrived, without waiting.
    pub fn is_broken(&self) -> bool {
        let mut client = self.client.borrow_mut();
        client.is_closed() || client.notifications().iter().next().is_err() || client.is_closed()
    }

    /// Closes the connection.
    pub fn close(self) -> Result<(), StoreError> {
        Ok(self.client.into_inner().close()?)
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Replaces `?` and `?1` by `$1`. Texts in quotes stay as they are.
fn with_numbered_parameters(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let (mut count, mut quoted) = (0, false);
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => quoted = !quoted,
            '?' if !quoted => {
                numbered.push('$');
                if !characters.peek().is_some_and(char::is_ascii_digit) {
                    count += 1;
                    numbered.push_str(&count.to_string());
                }
                continue;
            }
            _ => {}
        }
        numbered.push(character);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_outside_of_quotes() {
        assert_eq!(with_numbered_parameters("a = ? AND b = '?' AND c = ?"), "a = $1 AND b = '?' AND c = $2");
        assert_eq!(with_numbered_parameters("?2, ?1, ?10"), "$2, $1, $10");
    }
}
