//! What handsets send: segments wait until their message is complete.

use super::rows::{json, to_json};
use super::work::Work;
use crate::inbound::{InboundMessage, InboundOctets, InboundSegment, StoredInbound};
use crate::recipient::digits;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Most messages and segments that are kept; beyond it the oldest are forgotten.
const INBOUND_MAX: i64 = 1_000_000;
/// How long after the first one the other segments may come, milliseconds. Later ones are another message's, since
/// handsets use their numbers again.
const JOINED_MS: i64 = 24 * 3600 * 1000;

/// A message, or what is there of it, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    carrier: String,
    from: String,
    to: String,
    total: u8,
    segments: Vec<InboundOctets>,
}

impl Kept {
    fn stored(self, received_ms: i64) -> StoredInbound {
        let Kept { carrier, from, to, total, segments } = self;
        StoredInbound { received_ms, carrier, from, to, segments, total }
    }
}

/// What a sender is found by: a number's digits, or an address as it is.
fn sender(from: &str) -> String {
    digits(from).unwrap_or_else(|| from.trim().to_lowercase())
}

impl Work<'_> {
    /// Keeps what a handset sent.
    pub(super) fn inbound(&mut self, message: &InboundMessage, now_ms: i64) -> rusqlite::Result<()> {
        let InboundMessage { carrier, from, to, segment, content } = message.clone();
        let is_one_of_several = |segment: &InboundSegment| (1..=segment.total).contains(&segment.sequence);
        let segment = segment.filter(|segment| segment.total > 1 && is_one_of_several(segment));
        let total = segment.map_or(1, |segment| segment.total);
        let kept = Kept { carrier, from, to, total, segments: vec![content] };
        match segment {
            None => self.keep_message(&kept, now_ms)?,
            Some(segment) => self.keep_segment(segment, &kept, now_ms)?,
        }
        if self.counters.inbound > INBOUND_MAX {
            let mut forgotten = 0;
            for sql in [
                "DELETE FROM inbound WHERE row IN (SELECT row FROM inbound ORDER BY row LIMIT 100)",
                "DELETE FROM inbound_segments WHERE (message, sequence) IN (
                     SELECT message, sequence FROM inbound_segments ORDER BY received_ms LIMIT 100)",
            ] {
                if forgotten == 0 {
                    forgotten = self.connection.execute(sql, [])?;
                }
            }
            self.counters.inbound -= forgotten as i64;
        }
        Ok(())
    }

    fn keep_message(&mut self, kept: &Kept, now_ms: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO inbound (sender, received_ms, content)
                   SELECT sender, ?2, seal(sender, ?3) FROM (SELECT blind('inbound', '', ?1) AS sender)";
        let values = params![sender(&kept.from), now_ms, to_json(kept)?];
        self.counters.inbound += self.connection.prepare_cached(sql)?.execute(values)? as i64;
        Ok(())
    }

    /// Keeps a segment, or the whole message where it was the last one.
    fn keep_segment(&mut self, segment: InboundSegment, kept: &Kept, now_ms: i64) -> rusqlite::Result<()> {
        let InboundSegment { reference, total, sequence } = segment;
        let common =
            [&*kept.carrier, &sender(&kept.from), &kept.to, &format!("{reference}/{total}")].join("\0");
        let sql = "SELECT blind('segment', '', ?1)";
        let message: Vec<u8> = self.connection.prepare_cached(sql)?.query_row([common], |row| row.get(0))?;
        let first_ms = self.segments(&message)?.iter().map(|(received_ms, _)| *received_ms).min();
        if let Some(first_ms) = first_ms.filter(|first_ms| now_ms.saturating_sub(*first_ms) > JOINED_MS) {
            self.join(&message, first_ms)?;
        }
        let sql = "DELETE FROM inbound_segments WHERE message = ?1 AND sequence = ?2";
        let known = self.connection.prepare_cached(sql)?.execute(params![message, sequence])?;
        let sql = "INSERT INTO inbound_segments (message, sequence, sender, received_ms, content)
                   VALUES (?1, ?2, blind('inbound', '', ?3), ?4, seal(?1, ?5))";
        let values = params![message, sequence, sender(&kept.from), now_ms, to_json(kept)?];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.counters.inbound += 1 - known as i64;
        let sql = "SELECT count(*) FROM inbound_segments WHERE message = ?1";
        let there: i64 = self.connection.prepare_cached(sql)?.query_row([&message], |row| row.get(0))?;
        if there == i64::from(total) { self.join(&message, now_ms) } else { Ok(()) }
    }

    /// Segments of a message that are there, in their order, and when each came.
    fn segments(&self, message: &[u8]) -> rusqlite::Result<Vec<(i64, Option<Kept>)>> {
        let sql = "SELECT unseal(message, content), received_ms FROM inbound_segments WHERE message = ?1
                   ORDER BY sequence";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([message], |row| Ok((row.get(1)?, kept_of_row(row))))?;
        rows.collect()
    }

    /// Makes one message of the segments that are there.
    fn join(&mut self, message: &[u8], received_ms: i64) -> rusqlite::Result<()> {
        let mut segments = self.segments(message)?.into_iter().filter_map(|(_, kept)| kept);
        if let Some(mut whole) = segments.next() {
            whole.segments.extend(segments.flat_map(|kept| kept.segments));
            self.keep_message(&whole, received_ms)?;
        }
        let sql = "DELETE FROM inbound_segments WHERE message = ?1";
        self.counters.inbound -= self.connection.prepare_cached(sql)?.execute([message])? as i64;
        Ok(())
    }

    /// Forgets what came before a time, at most `limit` of each kind; answers whether there may be more.
    pub(super) fn prune_inbound(&mut self, before_ms: i64, limit: usize) -> rusqlite::Result<bool> {
        let mut more = false;
        for sql in [
            "DELETE FROM inbound WHERE row IN (SELECT row FROM inbound WHERE received_ms < ?1 LIMIT ?2)",
            "DELETE FROM inbound_segments WHERE (message, sequence) IN (
                 SELECT message, sequence FROM inbound_segments WHERE received_ms < ?1 LIMIT ?2)",
        ] {
            let pruned = self.connection.prepare_cached(sql)?.execute([before_ms, limit as i64])?;
            self.counters.inbound -= pruned as i64;
            more |= pruned == limit;
        }
        Ok(more)
    }
}

/// Reads the first column; one that can't be read keeps nobody from the others.
fn kept_of_row(row: &rusqlite::Row<'_>) -> Option<Kept> {
    row.get_ref(0).ok()?.as_blob().ok().and_then(|text| json(0, text).ok())
}

/// The newest messages, at most `limit`, those that are not complete among them; of one sender, or of all.
pub(super) fn list(
    connection: &Connection,
    limit: usize,
    from: Option<&str>,
) -> rusqlite::Result<Vec<StoredInbound>> {
    let (sender, most) = (from.map(sender), limit as i64);
    let read = |row: &rusqlite::Row<'_>| {
        let received_ms = row.get(1)?;
        Ok(kept_of_row(row).map(|kept| kept.stored(received_ms)))
    };
    let sql = "SELECT unseal(sender, content), received_ms FROM inbound
               WHERE ?1 IS NULL OR sender = blind('inbound', '', ?1) ORDER BY row DESC LIMIT ?2";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params![sender, most], read)?;
    let mut all: Vec<StoredInbound> = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let sql = "SELECT unseal(s.message, s.content), newest.received_ms, s.message FROM
                   (SELECT message, max(received_ms) AS received_ms FROM inbound_segments
                    WHERE ?1 IS NULL OR sender = blind('inbound', '', ?1)
                    GROUP BY message ORDER BY 2 DESC LIMIT ?2) newest
               JOIN inbound_segments s ON s.message = newest.message
               ORDER BY newest.received_ms DESC, s.message, s.sequence";
    let mut statement = connection.prepare(sql)?;
    let rows =
        statement.query_map(params![sender, most], |row| Ok((row.get::<_, Vec<u8>>(2)?, read(row)?)))?;
    let mut open: Vec<(Vec<u8>, StoredInbound)> = Vec::new();
    for row in rows {
        let (message, Some(segment)) = row? else { continue };
        match open.last_mut().filter(|(last, _)| *last == message) {
            Some((_, known)) => known.segments.extend(segment.segments),
            None => open.push((message, segment)),
        }
    }
    all.extend(open.into_iter().map(|(_, message)| message));
    all.sort_by_key(|message| std::cmp::Reverse(message.received_ms));
    all.truncate(limit);
    Ok(all)
}
