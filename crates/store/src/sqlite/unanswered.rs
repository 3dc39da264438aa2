//! Parts that were handed to a carrier whose answer is not there: a receipt under an id that nobody knows may be for one
//! of them.

use super::refs::Place;
use super::work::Work;
use crate::recipient::digits;
use flow::{Applied, CarrierRef, Event, Flow, Receipt, Submit};
use rusqlite::{Connection, params};

/// Rows of one recipient that are looked at: more than a message has parts.
const ROWS_MAX: usize = 300;
/// Recipients that a start looks at.
const STARTED_MAX: i64 = 1000;

/// What waits for an answer, in the order of its parts.
struct Waiting {
    place: Place,
    /// The process that asked is still told the answer.
    is_asked: bool,
}

fn is_handed(place: Place, flow: &Flow) -> bool {
    place.part_of(flow).is_some_and(|part| matches!(part.submit, Submit::Handed { .. }))
}

/// Recipients of parts without an answer that receipts came for early.
pub(super) fn recipients_with_early(connection: &Connection) -> rusqlite::Result<Vec<Vec<u8>>> {
    let sql = "SELECT DISTINCT recipient FROM unanswered
               WHERE recipient IN (SELECT recipient FROM early WHERE recipient IS NOT NULL) LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([STARTED_MAX], |row| row.get(0))?.collect()
}

impl Work<'_> {
    /// Follows what an event says of a part's way to its carrier.
    pub(super) fn follow(
        &mut self,
        flow: uuid::Uuid,
        event: &Event,
        changed: bool,
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        let place = |message: u16, part: u16| Place { flow, message, part };
        match event {
            Event::Handed { message, part, carrier, .. } if changed => {
                let life = Some(self.counters.life);
                self.await_answer(place(*message, *part), carrier, life)?;
            }
            Event::Handed { .. } => {}
            Event::Unanswered { message, part, carrier, .. } => {
                let recipient = self.await_answer(place(*message, *part), carrier, None)?;
                if let Some(recipient) = recipient {
                    self.settle(&recipient, now_ms)?;
                }
            }
            Event::Submitted { message, part, carrier, .. }
            | Event::Expected { message, part, carrier, .. } => {
                self.remember(place(*message, *part), carrier, now_ms)?;
                self.forget_answered(flow, now_ms)?;
            }
            _ if changed => self.forget_answered(flow, now_ms)?,
            _ => {}
        }
        Ok(())
    }

    /// Writes down that a part waits for its answer, where it does; answers with its recipient's hash.
    fn await_answer(
        &mut self,
        place: Place,
        carrier: &str,
        life: Option<i64>,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let to = self.look(place.flow, |flow| {
            let step = flow.steps.get(usize::from(place.message)).filter(|_| is_handed(place, flow));
            step.and_then(|step| digits(step.to()))
        })?;
        let Some(to) = to.flatten() else { return Ok(None) };
        let Place { flow, message, part } = place;
        let sql = "DELETE FROM unanswered WHERE flow = ?1 AND message = ?2 AND part = ?3";
        let known = self.connection.prepare_cached(sql)?.execute(params![flow.as_bytes(), message, part])?;
        let sql = "INSERT INTO unanswered (flow, message, part, recipient, life)
                   VALUES (?1, ?2, ?3, blind('unanswered', ?4, ?5), ?6) RETURNING recipient";
        let values = params![flow.as_bytes(), message, part, carrier, to, life];
        let recipient = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        self.counters.unanswered += 1 - known as i64;
        Ok(Some(recipient))
    }

    /// Forgets parts of a flow that wait no more. Where one's answer came, receipts that could have been for it may now be
    /// told to be for another.
    fn forget_answered(&mut self, flow: uuid::Uuid, now_ms: i64) -> rusqlite::Result<()> {
        if self.counters.unanswered == 0 {
            return Ok(());
        }
        let sql = "SELECT flow, message, part, recipient, life FROM unanswered WHERE flow = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([flow.as_bytes()], |row| {
            Ok((Place::of_row(row)?, row.get::<_, Vec<u8>>(3)?, row.get::<_, Option<i64>>(4)?))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        let mut settled = Vec::new();
        for (place, recipient, life) in rows {
            if self.look(flow, |flow| is_handed(place, flow))?.unwrap_or_default() {
                continue;
            }
            let sql = "DELETE FROM unanswered WHERE flow = ?1 AND message = ?2 AND part = ?3";
            let values = params![flow.as_bytes(), place.message, place.part];
            self.counters.unanswered -= self.connection.prepare_cached(sql)?.execute(values)? as i64;
            if life == Some(self.counters.life) {
                settled.push(recipient);
            }
        }
        settled.iter().try_for_each(|recipient| self.settle(recipient, now_ms))
    }

    /// Forgets all parts of a flow that goes.
    pub(super) fn forget_unanswered(&mut self, flow: uuid::Uuid) -> rusqlite::Result<()> {
        if self.counters.unanswered > 0 {
            let sql = "DELETE FROM unanswered WHERE flow = ?1";
            let deleted = self.connection.prepare_cached(sql)?.execute([flow.as_bytes()])?;
            self.counters.unanswered -= deleted as i64;
        }
        Ok(())
    }

    /// Applies a receipt under an unknown id to the only message to its recipient that has no answer, if there is one.
    pub(super) fn receipt_by_recipient(
        &mut self,
        of: &CarrierRef,
        recipient: Option<&str>,
        receipt: &Receipt,
        now_ms: i64,
    ) -> rusqlite::Result<Option<Applied>> {
        if self.counters.unanswered == 0 {
            return Ok(None);
        }
        let Some(digits) = recipient.and_then(digits) else { return Ok(None) };
        let sql = "SELECT blind('unanswered', ?1, ?2)";
        let recipient: Vec<u8> =
            self.connection.prepare_cached(sql)?.query_row([&of.carrier, &digits], |row| row.get(0))?;
        let Some(place) = self.only_unanswered(&recipient)? else { return Ok(None) };
        let Some(mut applied) = self.taken(place, of.clone(), now_ms)? else { return Ok(None) };
        let Place { flow, message, part } = place;
        let event = Event::Receipt { message, part, receipt: receipt.clone() };
        if let Some(reported) = self.apply(flow, &event, now_ms)?.filter(|reported| reported.changed) {
            applied.notes.extend(reported.notes);
        }
        Ok(Some(applied))
    }

    /// Applies the early receipts for a recipient to the message that they can only be for.
    pub(super) fn settle(&mut self, recipient: &[u8], now_ms: i64) -> rusqlite::Result<()> {
        while self.counters.early > 0
            && let Some(place) = self.only_unanswered(recipient)?
        {
            // What came before the message was there is not about it.
            let started = |flow: &Flow| Some(flow.state.messages.get(usize::from(place.message))?.created_ms);
            let Some(started_ms) = self.look(place.flow, started)?.flatten() else { break };
            let Some(of) = self.early_for(recipient, started_ms)? else { break };
            if !self.taken(place, of, now_ms)?.is_some_and(|applied| applied.changed) {
                break;
            }
        }
        Ok(())
    }

    /// The carrier reports on a part under an id: so it took it, whatever became of the answer. With the id its early
    /// receipts come.
    fn taken(&mut self, place: Place, carrier: CarrierRef, now_ms: i64) -> rusqlite::Result<Option<Applied>> {
        let Place { flow, message, part } = place;
        let covers = self.look(flow, |flow| place.part_of(flow).map(|part| part.covers))?;
        let Some(covers) = covers.flatten() else { return Ok(None) };
        let event = Event::Submitted { message, part, carrier, rate: None, covers };
        self.apply(flow, &event, now_ms)
    }

    /// The first part without an answer of the only message to a recipient that has such. None where the answer of one
    /// may still come: it would tell.
    fn only_unanswered(&mut self, recipient: &[u8]) -> rusqlite::Result<Option<Place>> {
        let sql = "SELECT flow, message, part, life FROM unanswered WHERE recipient = ?1
                   ORDER BY flow, message, part LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let life = self.counters.life;
        let rows = statement.query_map(params![recipient, ROWS_MAX as i64], |row| {
            let is_asked = row.get::<_, Option<i64>>(3)? == Some(life);
            Ok(Waiting { place: Place::of_row(row)?, is_asked })
        })?;
        let rows: Vec<Waiting> = rows.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        let mut first: Option<Place> = None;
        for Waiting { place, is_asked } in &rows {
            let is_waiting = !self.is_quarantined(place.flow)
                && self.look(place.flow, |flow| is_handed(*place, flow))?.unwrap_or_default();
            if !is_waiting {
                continue;
            }
            let is_other =
                first.is_some_and(|first| (first.flow, first.message) != (place.flow, place.message));
            if *is_asked || is_other {
                return Ok(None);
            }
            first.get_or_insert(*place);
        }
        Ok(first.filter(|_| rows.len() < ROWS_MAX))
    }
}
