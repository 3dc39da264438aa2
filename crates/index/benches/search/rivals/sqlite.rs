//! SQLite in this process.

use super::{Database, ROLLUP, TABLES, Value, columns};
use crate::generator::Generated;
use uuid::Uuid;

/// The database.
pub struct Sqlite {
    connection: rusqlite::Connection,
}

impl Sqlite {
    /// Fills a database in a directory.
    pub fn fill(
        directory: &std::path::Path,
        flows: impl Iterator<Item = Generated>,
    ) -> rusqlite::Result<Sqlite> {
        let mut connection = rusqlite::Connection::open(directory.join("flows.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;
             PRAGMA mmap_size = 8000000000; PRAGMA temp_store = MEMORY;",
        )?;
        connection.set_prepared_statement_cache_capacity(200);
        connection.execute_batch(&TABLES.replace("UUID", "BLOB"))?;
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO flows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
            for flow in flows {
                let (status, term, types, recipient, backwards) = columns(&flow);
                let id = flow.id.as_bytes();
                insert.execute(rusqlite::params![
                    flow.application as i64,
                    flow.created_ms,
                    id,
                    status,
                    term,
                    types,
                    recipient,
                    backwards
                ])?;
            }
        }
        transaction.commit()?;
        connection.execute_batch(
            "CREATE INDEX by_time ON flows (app, created, id, status, term, types, recipient);
             CREATE INDEX by_status ON flows (app, status, created, id, term, types);
             CREATE INDEX by_recipient ON flows (app, recipient, created, id, status, term, types);
             CREATE INDEX by_end ON flows (app, backwards, created, id, status, term, types, recipient);
             CREATE TABLE recipients (recipient TEXT);
             INSERT INTO recipients SELECT DISTINCT recipient FROM flows WHERE app = 0;
             CREATE VIRTUAL TABLE grams USING fts5(recipient, content = recipients, tokenize = trigram);
             INSERT INTO grams (grams) VALUES ('rebuild');",
        )?;
        connection.execute_batch(ROLLUP)?;
        connection.execute_batch("ANALYZE")?;
        Ok(Sqlite { connection })
    }

    fn rows<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut statement = self.connection.prepare_cached(sql).expect("the statement is right");
        for (at, value) in values.iter().enumerate() {
            let bound = match value {
                Value::Integer(integer) => statement.raw_bind_parameter(at + 1, integer),
                Value::Text(text) => statement.raw_bind_parameter(at + 1, text),
            };
            bound.expect("the statement has the parameter");
        }
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().expect("SQLite answers") {
            found.push(read(row).expect("the columns are as asked"));
        }
        found
    }
}

impl Database for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn integers(&mut self, sql: &str, values: &[Value]) -> Vec<(i64, i64)> {
        self.rows(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn ids(&mut self, sql: &str, values: &[Value]) -> Vec<Uuid> {
        self.rows(sql, values, |row| row.get(0).map(Uuid::from_bytes))
    }

    fn hint(&self, index: &str) -> String {
        format!("INDEXED BY {index}")
    }

    fn containing(&self, parameter: usize, conditions: &str) -> String {
        format!(
            "flows INDEXED BY by_recipient WHERE {conditions} AND recipient IN
                 (SELECT recipient FROM recipients WHERE rowid IN
                     (SELECT rowid FROM grams WHERE recipient MATCH '\"' || ?{parameter} || '\"'))"
        )
    }
}
