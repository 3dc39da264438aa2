//! The tables of operators, of their links and of their sessions.

use super::admin::SqliteAdmin;
use super::rows::{json, to_json, word};
use crate::error::Result;
use crate::operators::{LinkPurpose, OneTimeLink, Operator, OperatorChange, Operators, Role, Session};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

const OPERATORS: &str = "SELECT name, role, applications, password IS NOT NULL, identity, created_ms,
                                disabled_ms FROM operators";

fn operator_of_row(row: &Row<'_>) -> rusqlite::Result<Operator> {
    Ok(Operator {
        name: row.get(0)?,
        role: word(1, row.get_ref(1)?.as_str()?, Role::of)?,
        applications: json(2, row.get_ref(2)?.as_str()?.as_bytes())?,
        has_password: row.get(3)?,
        identity: row.get(4)?,
        created_ms: row.get(5)?,
        disabled_ms: row.get(6)?,
    })
}

fn end_sessions(connection: &Connection, operator: &str) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM sessions WHERE operator = ?1", [operator])
}

/// Ends what lets an operator in beside a password.
fn end_access(connection: &Connection, operator: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM operator_links WHERE operator = ?1", [operator])?;
    end_sessions(connection, operator).map(drop)
}

fn change(connection: &Connection, name: &str, change: &OperatorChange) -> rusqlite::Result<bool> {
    let changed = match change {
        OperatorChange::Role(role) => {
            let sql = "UPDATE operators SET role = ?2 WHERE name = ?1";
            connection.execute(sql, params![name, role.name()])?
        }
        OperatorChange::Applications(applications) => {
            let sql = "UPDATE operators SET applications = CAST(?2 AS TEXT) WHERE name = ?1";
            connection.execute(sql, params![name, to_json(applications)?])?
        }
        OperatorChange::Disable(now_ms) => {
            end_access(connection, name)?;
            let sql = "UPDATE operators SET disabled_ms = ifnull(disabled_ms, ?2) WHERE name = ?1";
            connection.execute(sql, params![name, now_ms])?
        }
        OperatorChange::Enable => {
            connection.execute("UPDATE operators SET disabled_ms = NULL WHERE name = ?1", [name])?
        }
    };
    Ok(changed > 0)
}

fn exists(connection: &Connection, operator: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM operators WHERE name = ?1")?.exists([operator])
}

fn add_link(connection: &Connection, new: &OneTimeLink) -> rusqlite::Result<bool> {
    let OneTimeLink { hash, operator, purpose, ends_ms } = new;
    if !exists(connection, operator)? {
        return Ok(false);
    }
    if *purpose == LinkPurpose::Password {
        end_sessions(connection, operator)?;
        connection.execute("UPDATE operators SET password = NULL WHERE name = ?1", [operator])?;
    }
    let sql = "INSERT OR REPLACE INTO operator_links (operator, hash, purpose, ends_ms)
               VALUES (?1, ?2, ?3, ?4)";
    connection.execute(sql, params![operator, hash, purpose.name(), ends_ms])?;
    Ok(true)
}

fn use_link(connection: &Connection, hash: &[u8; 32], password: Option<&str>) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM operator_links WHERE hash = ?1 RETURNING operator";
    let used: Option<String> = connection.query_row(sql, [hash], |row| row.get(0)).optional()?;
    let Some(operator) = used else { return Ok(false) };
    if let Some(password) = password {
        let sql = "UPDATE operators SET password = ?2 WHERE name = ?1";
        connection.execute(sql, params![operator, password])?;
    }
    Ok(true)
}

fn add_session(connection: &Connection, new: &Session, most: usize) -> rusqlite::Result<bool> {
    let Session { hash, operator, started_ms, seen_ms } = new;
    if !exists(connection, operator)? {
        return Ok(false);
    }
    let sql = "INSERT INTO sessions (hash, operator, started_ms, seen_ms) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(sql, params![hash, operator, started_ms, seen_ms])?;
    // The new one stays, whatever the clock says.
    let sql = "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE operator = ?1
               ORDER BY hash = ?2 DESC, started_ms DESC LIMIT -1 OFFSET ?3)";
    connection.execute(sql, params![operator, hash, most as i64])?;
    Ok(true)
}

#[async_trait]
impl Operators for SqliteAdmin {
    async fn add_operator(&self, new: &Operator) -> Result<bool> {
        let Operator { name, role, applications, identity, created_ms, disabled_ms, .. } = new;
        self.with(|connection| {
            let sql = "INSERT INTO operators (name, role, applications, identity, created_ms, disabled_ms)
                       VALUES (?1, ?2, CAST(?3 AS TEXT), ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let applications = to_json(applications)?;
            let values = params![name, role.name(), applications, identity, created_ms, disabled_ms];
            Ok(connection.execute(sql, values)? > 0)
        })
    }

    async fn operators(&self) -> Result<Vec<Operator>> {
        self.with(|connection| {
            let sql = format!("{OPERATORS} ORDER BY name");
            connection.prepare(&sql)?.query_map([], operator_of_row)?.collect()
        })
    }

    async fn operator(&self, name: &str) -> Result<Option<Operator>> {
        self.with(|connection| {
            let sql = format!("{OPERATORS} WHERE name = ?1");
            connection.prepare_cached(&sql)?.query_row([name], operator_of_row).optional()
        })
    }

    async fn change_operator(&self, name: &str, to: &OperatorChange) -> Result<bool> {
        self.transact(|transaction| change(transaction, name, to))
    }

    async fn remove_operator(&self, name: &str) -> Result<bool> {
        self.transact(|transaction| {
            end_access(transaction, name)?;
            Ok(transaction.execute("DELETE FROM operators WHERE name = ?1", [name])? > 0)
        })
    }

    async fn password_hash(&self, name: &str) -> Result<Option<String>> {
        let sql = "SELECT password FROM operators WHERE name = ?1";
        let read = |connection: &Connection| {
            connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
        };
        Ok(self.with(read)?.flatten())
    }

    async fn add_link(&self, new: &OneTimeLink) -> Result<bool> {
        self.transact(|transaction| add_link(transaction, new))
    }

    async fn link(&self, hash: &[u8; 32]) -> Result<Option<OneTimeLink>> {
        let sql = "SELECT operator, purpose, ends_ms FROM operator_links WHERE hash = ?1";
        self.with(|connection| {
            let of_row = |row: &Row<'_>| {
                let purpose = word(1, row.get_ref(1)?.as_str()?, LinkPurpose::of)?;
                Ok(OneTimeLink { hash: *hash, operator: row.get(0)?, purpose, ends_ms: row.get(2)? })
            };
            connection.prepare_cached(sql)?.query_row([hash], of_row).optional()
        })
    }

    async fn use_link(&self, hash: &[u8; 32], password_hash: Option<&str>) -> Result<bool> {
        self.transact(|transaction| use_link(transaction, hash, password_hash))
    }

    async fn add_session(&self, new: &Session, most: usize) -> Result<bool> {
        self.transact(|transaction| add_session(transaction, new, most))
    }

    async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>> {
        let sql = "SELECT operator, started_ms, seen_ms FROM sessions WHERE hash = ?1";
        self.with(|connection| {
            let of_row = |row: &Row<'_>| {
                let (started_ms, seen_ms) = (row.get(1)?, row.get(2)?);
                Ok(Session { hash: *hash, operator: row.get(0)?, started_ms, seen_ms })
            };
            connection.prepare_cached(sql)?.query_row([hash], of_row).optional()
        })
    }

    async fn touch_session(&self, hash: &[u8; 32], now_ms: i64) -> Result<()> {
        let sql = "UPDATE sessions SET seen_ms = ?2 WHERE hash = ?1";
        self.with(|connection| connection.execute(sql, params![hash, now_ms]).map(drop))
    }

    async fn end_session(&self, hash: &[u8; 32]) -> Result<bool> {
        self.with(|connection| Ok(connection.execute("DELETE FROM sessions WHERE hash = ?1", [hash])? > 0))
    }

    async fn end_sessions(&self, operator: &str) -> Result<usize> {
        self.with(|connection| end_sessions(connection, operator))
    }
}
