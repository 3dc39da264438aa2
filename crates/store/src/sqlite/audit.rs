//! The table of the audit.

use super::admin::SqliteAdmin;
use crate::audit::{Audit, AuditEntry, AuditQuery, NewAuditEntry, Outcome};
use crate::error::Result;
use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

/// How the outcome of what was not done begins.
const FAILED: &str = "failed: ";

fn stored(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".into(),
        Outcome::Failed(why) => format!("{FAILED}{why}"),
    }
}

fn outcome_of(stored: &str) -> Outcome {
    stored.strip_prefix(FAILED).map_or(Outcome::Done, |why| Outcome::Failed(why.to_owned()))
}

fn entry_of_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let outcome: Option<String> = row.get(6)?;
    Ok(AuditEntry {
        id: row.get(0)?,
        entry: NewAuditEntry {
            at_ms: row.get(1)?,
            operator: row.get(2)?,
            action: row.get(3)?,
            subject: row.get(4)?,
            detail: row.get(5)?,
        },
        outcome: outcome.as_deref().map(outcome_of),
    })
}

fn list(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<Vec<AuditEntry>> {
    let AuditQuery { before, limit, operator, action, subject } = query;
    let mut sql =
        "SELECT id, at_ms, operator, action, subject, detail, outcome FROM audit WHERE id < ?".to_owned();
    let mut values = vec![Value::Integer(before.unwrap_or(i64::MAX))];
    for (column, wanted) in [("operator", operator), ("action", action), ("subject", subject)] {
        if let Some(wanted) = wanted {
            sql += &format!(" AND {column} = ?");
            values.push(Value::Text(wanted.clone()));
        }
    }
    sql += " ORDER BY id DESC LIMIT ?";
    values.push(Value::Integer(*limit as i64));
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), entry_of_row)?.collect()
}

#[async_trait]
impl Audit for SqliteAdmin {
    async fn add_audit_entry(&self, new: &NewAuditEntry) -> Result<i64> {
        let NewAuditEntry { at_ms, operator, action, subject, detail } = new;
        let sql = "INSERT INTO audit (at_ms, operator, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.with(|connection| {
            connection.execute(sql, params![at_ms, operator, action, subject, detail])?;
            Ok(connection.last_insert_rowid())
        })
    }

    async fn set_audit_outcome(&self, id: i64, outcome: &Outcome) -> Result<bool> {
        let sql = "UPDATE audit SET outcome = ?2 WHERE id = ?1 AND outcome IS NULL";
        self.with(|connection| Ok(connection.execute(sql, params![id, stored(outcome)])? > 0))
    }

    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>> {
        self.with(|connection| list(connection, query))
    }
}
