//! PostgreSQL, another process on this machine, by its socket.

use super::{Database, ROLLUP, TABLES, Value, write_rows};
use crate::generator::Generated;
use std::collections::HashMap;
use uuid::Uuid;

/// The server and what was prepared there.
pub struct Postgres {
    client: ::postgres::Client,
    statements: HashMap<String, ::postgres::Statement>,
}

impl Postgres {
    /// Fills a database.
    pub fn fill(
        parameters: &str,
        flows: impl Iterator<Item = Generated>,
    ) -> Result<Postgres, Box<dyn std::error::Error>> {
        let mut client = ::postgres::Client::connect(parameters, ::postgres::NoTls)?;
        let c = "COLLATE \"C\"";
        client.batch_execute(
            &TABLES.replace("TEXT", &format!("TEXT {c}")).replace("CREATE TABLE", "CREATE UNLOGGED TABLE"),
        )?;
        let mut copy = client.copy_in("COPY flows FROM STDIN")?;
        write_rows(&mut copy, flows)?;
        copy.finish()?;
        client.batch_execute(&format!(
            "SET maintenance_work_mem = '1GB'; CREATE EXTENSION pg_trgm;
             CREATE INDEX by_time ON flows (app, created, id) INCLUDE (status, term, types, recipient);
             CREATE INDEX by_status ON flows (app, status, created, id) INCLUDE (term, types);
             CREATE INDEX by_recipient ON flows (app, recipient, created, id) INCLUDE (status, term, types);
             CREATE INDEX by_end ON flows (app, backwards, created, id)
                INCLUDE (status, term, types, recipient);
             CREATE UNLOGGED TABLE recipients (recipient TEXT {c});
             INSERT INTO recipients SELECT DISTINCT recipient FROM flows WHERE app = 0;
             CREATE INDEX grams ON recipients USING gin (recipient gin_trgm_ops);"
        ))?;
        client.batch_execute(ROLLUP)?;
        for table in ["flows", "recipients", "rollup"] {
            client.batch_execute(&format!("VACUUM ANALYZE {table}"))?;
        }
        Ok(Postgres { client, statements: HashMap::new() })
    }

    fn rows(&mut self, sql: &str, values: &[Value]) -> Vec<::postgres::Row> {
        // Types of parameters follow from the columns, or are given.
        let sql = values.iter().enumerate().rev().fold(sql.to_owned(), |sql, (at, value)| {
            let kind = if matches!(value, Value::Integer(_)) { "bigint" } else { "text" };
            sql.replace(&format!("?{}", at + 1), &format!("(${}::{kind})", at + 1))
        });
        let statement = match self.statements.get(&sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(&sql).expect("the statement is right");
                self.statements.insert(sql, statement.clone());
                statement
            }
        };
        let values: Vec<&(dyn ::postgres::types::ToSql + Sync)> = values
            .iter()
            .map(|value| match value {
                Value::Integer(integer) => integer as _,
                Value::Text(text) => text as _,
            })
            .collect();
        self.client.query(&statement, &values).expect("PostgreSQL answers")
    }
}

impl Database for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn integers(&mut self, sql: &str, values: &[Value]) -> Vec<(i64, i64)> {
        self.rows(sql, values).iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    fn ids(&mut self, sql: &str, values: &[Value]) -> Vec<Uuid> {
        self.rows(sql, values).iter().map(|row| row.get(0)).collect()
    }

    fn hint(&self, _: &str) -> String {
        String::new()
    }

    fn containing(&self, parameter: usize, conditions: &str) -> String {
        // The planner knows nothing of how many recipients will contain the term: OFFSET 0 keeps it to this
        // order.
        format!(
            "(SELECT recipient AS wanted FROM recipients
                 WHERE recipient LIKE '%' || ?{parameter} || '%' OFFSET 0) r
             CROSS JOIN LATERAL
                 (SELECT created, id FROM flows WHERE {conditions} AND recipient = wanted OFFSET 0) flows"
        )
    }
}
