//! What carriers call messages, and which message a receipt is about.

use super::work::Work;
use crate::flows::Matched;
use crate::recipient::fits;
use flow::{Applied, CarrierRef, Event, Flow, Receipt};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

/// Messages of one id that are looked at, the newest.
const CANDIDATES_MAX: usize = 64;

/// A part of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) flow: Uuid,
    pub(super) message: u16,
    pub(super) part: u16,
}

impl Place {
    /// The first three columns of a row.
    pub(super) fn of_row(row: &Row<'_>) -> rusqlite::Result<Place> {
        Ok(Place { flow: Uuid::from_bytes(row.get(0)?), message: row.get(1)?, part: row.get(2)? })
    }

    /// Its part of a flow.
    pub(super) fn part_of(self, flow: &Flow) -> Option<&flow::Part> {
        flow.state.messages.get(usize::from(self.message))?.parts.get(usize::from(self.part))
    }
}

impl Work<'_> {
    /// Remembers what a carrier calls a message, and applies the receipts that came before.
    pub(super) fn remember(&mut self, place: Place, of: &CarrierRef, now_ms: i64) -> rusqlite::Result<()> {
        let Place { flow, message, part } = place;
        let sql = "INSERT INTO refs (carrier, reference, flow, message, part) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO NOTHING";
        let values = params![of.carrier, of.reference, flow.as_bytes(), message, part];
        if self.connection.prepare_cached(sql)?.execute(values)? == 0 {
            self.reuse(place, of)?;
        }
        for receipt in self.take_early(of)? {
            self.apply(flow, &Event::Receipt { message, part, receipt }, now_ms)?;
        }
        Ok(())
    }

    /// A carrier uses an id again. For another part of the same message it means both; else the message that had it so
    /// far becomes an older one.
    fn reuse(&mut self, place: Place, of: &CarrierRef) -> rusqlite::Result<()> {
        let Some(known) = self.newest(of)? else { return Ok(()) };
        if (known.flow, known.message) == (place.flow, place.message) {
            return Ok(());
        }
        let sql = "INSERT OR IGNORE INTO reused_refs (carrier, reference, flow, message, part)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![of.carrier, of.reference, known.flow.as_bytes(), known.message, known.part];
        self.counters.reused += self.connection.prepare_cached(sql)?.execute(values)? as i64;
        let sql = "UPDATE refs SET flow = ?3, message = ?4, part = ?5 WHERE carrier = ?1 AND reference = ?2";
        let values = params![of.carrier, of.reference, place.flow.as_bytes(), place.message, place.part];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Forgets what a carrier calls a message of a flow.
    pub(super) fn forget_ref(&mut self, of: &CarrierRef, flow: Uuid) -> rusqlite::Result<()> {
        let values = params![of.carrier, of.reference, flow.as_bytes()];
        let sql = "DELETE FROM refs WHERE carrier = ?1 AND reference = ?2 AND flow = ?3";
        self.connection.prepare_cached(sql)?.execute(values)?;
        if self.counters.reused > 0 {
            let sql = "DELETE FROM reused_refs WHERE carrier = ?1 AND reference = ?2 AND flow = ?3";
            self.counters.reused -= self.connection.prepare_cached(sql)?.execute(values)? as i64;
        }
        Ok(())
    }

    /// Applies a carrier's report, or keeps it until its message is known.
    pub(super) fn receipt(
        &mut self,
        of: &CarrierRef,
        recipient: Option<&str>,
        receipt: &Receipt,
        now_ms: i64,
    ) -> rusqlite::Result<Matched> {
        if let Some(Place { flow, message, part }) = self.find(of, recipient)? {
            if self.is_quarantined(flow) {
                return Ok(Matched::Applied(Applied::default()));
            }
            let event = Event::Receipt { message, part, receipt: receipt.clone() };
            // Refs are deleted with their flow.
            return Ok(Matched::Applied(self.apply(flow, &event, now_ms)?.unwrap_or_default()));
        }
        if let Some(applied) = self.receipt_by_recipient(of, recipient, receipt, now_ms)? {
            return Ok(Matched::ByRecipient(applied));
        }
        self.keep_early(of, recipient, receipt, now_ms)?;
        Ok(Matched::Early)
    }

    fn newest(&self, of: &CarrierRef) -> rusqlite::Result<Option<Place>> {
        let sql = "SELECT flow, message, part FROM refs WHERE carrier = ?1 AND reference = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row([&of.carrier, &of.reference], Place::of_row).optional()
    }

    /// The message that a carrier means by an id. Of several, the newest one that has no final status and goes to
    /// `recipient`; else the newest that goes there, that has no final status, that had the id, in this order.
    fn find(&mut self, of: &CarrierRef, recipient: Option<&str>) -> rusqlite::Result<Option<Place>> {
        let newest = self.newest(of)?;
        if self.counters.reused == 0 {
            return Ok(newest);
        }
        let sql = "SELECT flow, message, part FROM reused_refs WHERE carrier = ?1 AND reference = ?2
                   ORDER BY flow DESC, message DESC, part DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![of.carrier, of.reference, CANDIDATES_MAX as i64];
        let older: Vec<Place> =
            statement.query_map(values, Place::of_row)?.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        if older.is_empty() {
            return Ok(newest);
        }
        let mut best: Option<(u8, Place)> = None;
        for place in newest.into_iter().chain(older) {
            let judge = |flow: &Flow| {
                let step = flow.steps.get(usize::from(place.message))?;
                let status = &place.part_of(flow)?.status;
                let is_open = !status.status.is_final_on(step.channel()) || status.provisional;
                let fits = recipient.is_some_and(|recipient| fits(step.to(), recipient));
                Some(2 * u8::from(fits) + u8::from(is_open))
            };
            let Some(rank) = self.look(place.flow, judge)?.flatten() else { continue };
            if best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, place));
            }
            // Nothing is better than the newest that fits and is open; without a recipient, than the newest that is open.
            if rank == 3 || (rank == 1 && recipient.is_none()) {
                break;
            }
        }
        Ok(best.map(|(_, place)| place).or(newest))
    }
}
