//! Parts that were handed to a carrier whose answer is not there: a receipt under an id that nobody knows may
//! be for one of them.

use super::transaction::{Outcome, Stop, Work};
use crate::place::Place;
use crate::recipient::digits;
use crate::wanted::{Blind, Unanswered};
use flow::{Applied, CarrierRef, Event, Flow, Receipt, Submit};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// Unanswered parts to one recipient that are looked at: more than a message has parts. As many of its early
/// receipts.
pub(crate) const TO_RECIPIENT_MAX: usize = 300;

fn is_handed(place: Place, flow: &Flow) -> bool {
    place.part_of(flow).is_some_and(|part| matches!(part.submit, Submit::Handed { .. }))
}

/// Every place in a flow.
fn places_of(flow: Uuid) -> RangeInclusive<Place> {
    Place { flow, message: 0, part: 0 }..=Place { flow, message: u16::MAX, part: u16::MAX }
}

impl Work<'_> {
    /// Follows what an event says of a part's way to its carrier. `was_handed` says whether a part of the
    /// flow was handed over, and not answered, before it.
    pub(super) fn follow(
        &mut self,
        flow: Uuid,
        event: &Event,
        changed: bool,
        was_handed: bool,
        now_ms: i64,
    ) -> Outcome<()> {
        let place = |message: u16, part: u16| Place { flow, message, part };
        match event {
            Event::Handed { message, part, carrier, .. } if changed => {
                let writer = Some(self.context.writer);
                self.await_answer(place(*message, *part), carrier, writer)?;
            }
            Event::Handed { .. } => {}
            Event::Unanswered { message, part, carrier, .. } => {
                if let Some(recipient) = self.await_answer(place(*message, *part), carrier, None)? {
                    self.settle(&recipient, now_ms)?;
                }
            }
            Event::Submitted { message, part, carrier, .. }
            | Event::Expected { message, part, carrier, .. } => {
                self.remember(place(*message, *part), carrier, now_ms)?;
                self.forget_answered(flow, was_handed, now_ms)?;
            }
            _ if changed => self.forget_answered(flow, was_handed, now_ms)?,
            _ => {}
        }
        Ok(())
    }

    /// Writes down that a part waits for its answer, if it does; returns its recipient's hash.
    fn await_answer(
        &mut self,
        place: Place,
        carrier: &str,
        awaited_by: Option<i64>,
    ) -> Outcome<Option<Blind>> {
        let to = self.look(place.flow, |flow| {
            let step = flow.steps.get(usize::from(place.message)).filter(|_| is_handed(place, flow));
            step.and_then(|step| digits(step.to()))
        })?;
        let Some(to) = to.flatten() else { return Ok(None) };
        let recipient = self.recipient_of(carrier, &to);
        self.batch.unanswered.insert(place, Some(Unanswered { place, recipient, awaited_by }));
        Ok(Some(recipient))
    }

    /// The unanswered parts of a flow, as this transaction has them so far.
    fn unanswered_of(&mut self, flow: Uuid) -> Outcome<Vec<Unanswered>> {
        let mut parts = Vec::new();
        if self.tables.unanswered {
            let Some(found) = self.found.unanswered.get(&flow) else {
                self.wanted.unanswered.insert(flow);
                return Err(Stop::Missing);
            };
            let is_as_found = |part: &&Unanswered| !self.batch.unanswered.contains_key(&part.place);
            parts.extend(found.iter().filter(is_as_found).copied());
        }
        let here = self.batch.unanswered.range(places_of(flow));
        parts.extend(here.filter_map(|(_, part)| *part));
        parts.sort_unstable_by_key(|part| part.place);
        Ok(parts)
    }

    /// Forgets parts of a flow that wait no more. If one's answer came, receipts that could have been for it
    /// may now be for another.
    fn forget_answered(&mut self, flow: Uuid, was_handed: bool, now_ms: i64) -> Outcome<()> {
        if !was_handed || (!self.tables.unanswered && self.batch.unanswered.is_empty()) {
            return Ok(());
        }
        let mut settled = Vec::new();
        for Unanswered { place, recipient, awaited_by } in self.unanswered_of(flow)? {
            if self.look(flow, |flow| is_handed(place, flow))?.unwrap_or_default() {
                continue;
            }
            self.batch.unanswered.insert(place, None);
            if awaited_by == Some(self.context.writer) {
                settled.push(recipient);
            }
        }
        settled.iter().try_for_each(|recipient| self.settle(recipient, now_ms))
    }

    /// Applies a receipt under an unknown id to the only message to its recipient that has no answer, if
    /// there is one.
    pub(super) fn receipt_by_recipient(
        &mut self,
        of: &CarrierRef,
        recipient: &Blind,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Outcome<Option<Applied>> {
        let Some(place) = self.only_unanswered(recipient)? else { return Ok(None) };
        let Some(mut applied) = self.taken(place, of.clone(), now_ms)? else { return Ok(None) };
        let Place { flow, message, part } = place;
        let event = Event::Receipt { message, part, receipt: receipt.clone() };
        if let Some(reported) = self.apply(flow, &event, now_ms)?.filter(|reported| reported.changed) {
            applied.notes.extend(reported.notes);
        }
        Ok(Some(applied))
    }

    /// Settles each of several recipients.
    pub(crate) fn settle_all(&mut self, recipients: &[Blind], now_ms: i64) -> Outcome<()> {
        self.each(recipients, |work, recipient| work.settle(recipient, now_ms))
    }

    /// Wants all early receipts under the references of those that came for a recipient.
    fn fetch_early(&mut self, recipient: &Blind) -> Outcome<()> {
        let Some(known) = self.found.recipients.get(recipient) else { return Ok(()) };
        let missing = known.early.iter().map(|(_, of)| of).filter(|of| !self.found.early.contains_key(*of));
        let before = self.wanted.early.len();
        self.wanted.early.extend(missing.cloned());
        if self.wanted.early.len() == before { Ok(()) } else { Err(Stop::Missing) }
    }

    /// Applies the early receipts for a recipient to the message that they can only be for.
    fn settle(&mut self, recipient: &Blind, now_ms: i64) -> Outcome<()> {
        while (self.tables.early || !self.batch.early.is_empty())
            && let Some(place) = self.only_unanswered(recipient)?
        {
            // What came before the message was there is not about it.
            let started = |flow: &Flow| Some(flow.state.messages.get(usize::from(place.message))?.created_ms);
            let Some(started_ms) = self.look(place.flow, started)?.flatten() else { break };
            self.fetch_early(recipient)?;
            let Some(of) = self.early_for(recipient, started_ms) else { break };
            if !self.taken(place, of, now_ms)?.is_some_and(|applied| applied.changed) {
                break;
            }
        }
        Ok(())
    }

    /// The carrier reports on a part under an id: so it took it, whatever became of the answer. With the id
    /// its early receipts come.
    fn taken(&mut self, place: Place, carrier: CarrierRef, now_ms: i64) -> Outcome<Option<Applied>> {
        let Place { flow, message, part } = place;
        let covers = self.look(flow, |flow| place.part_of(flow).map(|part| part.covers))?;
        let Some(covers) = covers.flatten() else { return Ok(None) };
        let event = Event::Submitted { message, part, carrier, rate: None, covers };
        self.apply(flow, &event, now_ms)
    }

    /// The unanswered parts to a recipient, by place, as this transaction has them so far.
    fn unanswered_to(&mut self, recipient: &Blind) -> Outcome<Vec<Unanswered>> {
        let mut parts = Vec::new();
        if self.tables.unanswered || self.tables.early {
            let Some(found) = self.found.recipients.get(recipient) else {
                self.wanted.recipients.insert(*recipient);
                return Err(Stop::Missing);
            };
            let is_as_found = |part: &&Unanswered| {
                !self.batch.unanswered.contains_key(&part.place) && !self.has_removed(part.place.flow)
            };
            parts.extend(found.unanswered.iter().filter(is_as_found).copied());
        }
        let here = self.batch.unanswered.values().flatten();
        parts.extend(here.filter(|part| part.recipient == *recipient).copied());
        parts.sort_unstable_by_key(|part| part.place);
        Ok(parts)
    }

    /// The first part without an answer of the only message to a recipient that has such. None if the answer
    /// of one may still come: it would decide.
    fn only_unanswered(&mut self, recipient: &Blind) -> Outcome<Option<Place>> {
        if !self.tables.unanswered && self.batch.unanswered.is_empty() {
            return Ok(None);
        }
        let parts = self.unanswered_to(recipient)?;
        self.each(&parts, |work, part| work.look(part.place.flow, |_| ()).map(drop))?;
        let mut first: Option<Place> = None;
        for Unanswered { place, awaited_by, .. } in &parts {
            let is_waiting = !self.is_quarantined(place.flow)
                && self.look(place.flow, |flow| is_handed(*place, flow))?.unwrap_or_default();
            if !is_waiting {
                continue;
            }
            let is_other =
                first.is_some_and(|first| (first.flow, first.message) != (place.flow, place.message));
            if *awaited_by == Some(self.context.writer) || is_other {
                return Ok(None);
            }
            first.get_or_insert(*place);
        }
        Ok(first.filter(|_| parts.len() < TO_RECIPIENT_MAX))
    }
}
