//! Makes statistics anew from what is stored.

use super::schema::DOCUMENT_MAX;
use super::statistics::{add, add_document};
use crate::batch::Contributions;
use crate::document;
use crate::sealing::Keyring;
use crate::statistics::{Document, RebuiltStatistics, Span};
use flow::Flow;
use flow::statistics::Quarter;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Flows whose contributions are summed up before they are written.
const SUMMED_MAX: usize = 10_000;

/// Returns whether the flows are not counted yet: an older version stored them.
pub(super) fn is_owed(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT statistics_owed FROM installation", [], |row| row.get(0))
}

/// Makes the statistics of each application anew from its stored flows, from the quarter of its oldest one
/// on. Older quarters stay: their flows were pruned. To be done in a transaction.
pub(super) fn rebuild(connection: &Connection, keyring: &Keyring) -> rusqlite::Result<RebuiltStatistics> {
    let mut oldest: BTreeMap<String, Quarter> = BTreeMap::new();
    for_each_flow(connection, keyring, |flow| {
        let quarter = Quarter::of(flow.created_ms);
        match oldest.get_mut(&flow.application) {
            Some(oldest) => *oldest = quarter.min(*oldest),
            None => drop(oldest.insert(flow.application, quarter)),
        }
        Ok(())
    })?;
    let mut forgotten = 0;
    for (application, first) in &oldest {
        forgotten += forget(connection, application, *first)?;
    }
    let counted = count(connection, keyring)?;
    // What a damaged document had is not known: nothing of it counts as lost.
    Ok(RebuiltStatistics { lost: (forgotten - counted.flows as i64).max(0), ..counted })
}

/// Counts every stored flow, none of which is counted yet. To be done in a transaction.
pub(super) fn count(connection: &Connection, keyring: &Keyring) -> rusqlite::Result<RebuiltStatistics> {
    let (mut flows, mut keys, mut sums) = (0, None, Contributions::default());
    let unreadable = for_each_flow(connection, keyring, |flow| {
        flows += 1;
        sums.entry((flow.application.clone(), Quarter::of(flow.created_ms))).or_default().add(&flow);
        if flows % SUMMED_MAX == 0 {
            add(connection, &mut keys, &std::mem::take(&mut sums))?;
        }
        Ok(())
    })?;
    add(connection, &mut keys, &sums)?;
    connection.execute("UPDATE installation SET statistics_owed = 0", [])?;
    Ok(RebuiltStatistics { flows, unreadable, lost: 0 })
}

/// Reads every flow, in the order of acceptance; returns how many can't be read.
fn for_each_flow(
    connection: &Connection,
    keyring: &Keyring,
    mut work: impl FnMut(Flow) -> rusqlite::Result<()>,
) -> rusqlite::Result<usize> {
    let sql = "SELECT id, iif(length(doc) <= ?1, doc, NULL) FROM flows ORDER BY row";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([DOCUMENT_MAX])?;
    let mut unreadable = 0;
    while let Some(row) = rows.next()? {
        let id = Uuid::from_bytes(row.get(0)?);
        let sealed = row.get_ref(1)?.as_blob_or_null().ok().flatten();
        let opened = sealed.and_then(|sealed| keyring.unseal(id.as_bytes(), sealed).ok());
        match opened.and_then(|opened| document::decode(&opened).ok()) {
            Some(flow) => work(flow)?,
            None => unreadable += 1,
        }
    }
    Ok(unreadable)
}

/// Forgets an application's statistics from a quarter on; returns how many flows they had.
fn forget(connection: &Connection, application: &str, first: Quarter) -> rusqlite::Result<i64> {
    let quarters = |from: Quarter, until: Quarter| -> rusqlite::Result<Vec<(Quarter, Document)>> {
        let sql = "SELECT start, doc FROM statistics
                   WHERE application = ?1 AND span = ?2 AND start >= ?3 AND start < ?4";
        let values = params![application, Span::Quarter.quarters(), from.0, until.0];
        let mut statement = connection.prepare(sql)?;
        // A damaged one had nothing that is still known.
        let read = |row: &rusqlite::Row<'_>| {
            Ok((Quarter(row.get(0)?), Document::decode(row.get_ref(1)?.as_blob()?).unwrap_or_default()))
        };
        statement.query_map(values, read)?.collect()
    };
    let forgotten = quarters(first, Quarter(i64::MAX))?;
    let kept = quarters(Span::Day.start(first), first)?;
    for span in Span::ALL {
        let sql = "DELETE FROM statistics WHERE application = ?1 AND span = ?2 AND start >= ?3";
        connection.execute(sql, params![application, span.quarters(), span.start(first).0])?;
    }
    // The hour and the day of that quarter keep what was before it.
    for (quarter, document) in &kept {
        for span in [Span::Hour, Span::Day] {
            if span.start(*quarter) == span.start(first) {
                add_document(connection, application, span, span.start(first), document)?;
            }
        }
    }
    let flows = forgotten.iter().flat_map(|(_, document)| document.flows.values());
    Ok(flows.map(|figures| figures.flows).sum())
}
