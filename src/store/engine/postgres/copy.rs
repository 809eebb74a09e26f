//! COPY, which adds many rows with one statement.

use std::pin::pin;

use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::session::PostgresSession;
use crate::store::engine::value::Value;

impl PostgresSession {
    /// Adds rows to a table. Each has a value for each of `columns`, which is a list as in SQL.
    pub fn copy_rows<'a>(
        &self,
        table: &str,
        columns: &str,
        rows: impl IntoIterator<Item = Vec<Value<'a>>>,
    ) -> Result<(), StoreError> {
        let selected = self.prepared(&format!("SELECT {columns} FROM {table}"))?;
        let types: Vec<Type> = selected.columns().iter().map(|column| column.type_().clone()).collect();
        self.wait(async {
            let sql = format!("COPY {table} ({columns}) FROM STDIN BINARY");
            let mut writer = pin!(BinaryCopyInWriter::new(self.client().copy_in(&sql).await?, &types));
            for row in rows {
                writer.as_mut().write_raw(row).await?;
            }
            writer.finish().await.map(drop)
        })
    }
}
