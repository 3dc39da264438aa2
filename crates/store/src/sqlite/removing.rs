//! Rows that go: with their flow, or by their age.

use super::counters::Counters;
use super::references;
use super::unanswered;
use crate::batch::Removal;
use crate::later::later_recipients;
use crate::upkeep::Cutoffs;
use flow::Flow;
use rusqlite::{Connection, params};

/// Forgets keys, tokens, links, receipts and what handsets sent by their cut-offs, at most `limit` of each
/// kind; returns whether there may be more. Each kind is one bounded step by an index on its time: a row
/// whose time is wrong stands before no other.
pub(super) fn forget_old(
    connection: &Connection,
    counters: &mut Counters,
    cutoffs: &Cutoffs,
    limit: usize,
) -> rusqlite::Result<bool> {
    let Cutoffs { flows_before_ms, keys_before_ms, unmatched_before_ms } = *cutoffs;
    let forget =
        |sql: &str, before_ms: i64| connection.prepare_cached(sql)?.execute([before_ms, limit as i64]);
    let mut more = false;
    for sql in [
        "DELETE FROM keys WHERE (application, key) IN
         (SELECT application, key FROM keys WHERE used_ms < ?1 LIMIT ?2)",
        "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires_ms < ?1 LIMIT ?2)",
        "DELETE FROM links WHERE code IN (SELECT code FROM links WHERE expires_ms < ?1 LIMIT ?2)",
    ] {
        more |= forget(sql, keys_before_ms)? == limit;
    }
    let Counters { early, unmatched, inbound, .. } = counters;
    for (sql, before_ms, count) in [
        (
            "DELETE FROM early WHERE row IN (SELECT row FROM early WHERE received_ms < ?1 LIMIT ?2)",
            keys_before_ms,
            early,
        ),
        (
            "DELETE FROM unmatched WHERE row IN (SELECT row FROM unmatched WHERE received_ms < ?1 LIMIT ?2)",
            unmatched_before_ms,
            unmatched,
        ),
    ] {
        let forgotten = forget(sql, before_ms)?;
        *count -= forgotten as i64;
        more |= forgotten == limit;
    }
    for sql in [
        "DELETE FROM inbound WHERE row IN (SELECT row FROM inbound WHERE received_ms < ?1 LIMIT ?2)",
        "DELETE FROM inbound_segments WHERE (message, sequence) IN (
             SELECT message, sequence FROM inbound_segments WHERE received_ms < ?1 LIMIT ?2)",
    ] {
        let forgotten = forget(sql, flows_before_ms)?;
        *inbound -= forgotten as i64;
        more |= forgotten == limit;
    }
    Ok(more)
}

/// The codes of a flow's short links.
fn codes(flow: &Flow) -> impl Iterator<Item = &str> {
    flow.shortened().flat_map(|shortened| &shortened.links).map(|link| link.code.as_str())
}

/// Removes a flow with all that belongs to it.
pub(super) fn remove(
    connection: &Connection,
    counters: &mut Counters,
    secret_key: &[u8; 32],
    Removal { stored, erased }: &Removal,
) -> rusqlite::Result<()> {
    let flow = &*stored.flow;
    let id = flow.id.as_bytes();
    for part in flow.state.messages.iter().flat_map(|message| &message.parts) {
        if let Some(of) = &part.carrier {
            references::forget(connection, counters, of, flow.id)?;
        }
    }
    unanswered::forget(connection, counters, flow.id)?;
    for recipient in later_recipients(secret_key, flow) {
        let sql = "DELETE FROM later_recipients WHERE recipient = ?1 AND flow = ?2";
        connection.prepare_cached(sql)?.execute(params![recipient, id])?;
    }
    if *erased {
        for code in codes(flow) {
            connection.prepare_cached("DELETE FROM links WHERE code = ?1")?.execute([code])?;
        }
    }
    connection.prepare_cached("DELETE FROM flows WHERE row = ?1")?.execute([stored.handle])?;
    counters.change += 1;
    let sql =
        "INSERT INTO removals (change, application, id, created_ms, erased) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![counters.change, flow.application, id, flow.created_ms, erased];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Forgets removals up to a number. The last one stays: it keeps the feed's position if no flow does.
pub(super) fn forget_removals(connection: &Connection, until: u64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM removals WHERE change <= ?1 AND change < (SELECT max(change) FROM removals)";
    connection.execute(sql, [until as i64])?;
    Ok(())
}
