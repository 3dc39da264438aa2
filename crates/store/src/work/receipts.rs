//! What carriers call messages, and which message a receipt is about.

use super::transaction::{Outcome, Stop, Work};
use crate::application::blind;
use crate::batch::NewEarly;
use crate::flows::Matched;
use crate::place::Place;
use crate::recipient::{digits, fits, masked};
use crate::unmatched::UnreadReceipt;
use crate::wanted::{Blind, Reference};
use flow::{Applied, CarrierRef, Event, Flow, Receipt};

/// Messages of one reference that are looked at, the newest.
pub(crate) const CANDIDATES_MAX: usize = 64;

impl Work<'_> {
    /// A hash of a carrier and a recipient's digits.
    pub(super) fn recipient_of(&self, carrier: &str, digits: &str) -> Blind {
        blind(&self.context.secret_key, "unanswered", carrier, digits.as_bytes())
    }

    /// Remembers what a carrier calls a part, and applies the receipts that came before.
    pub(super) fn remember(&mut self, place: Place, of: &CarrierRef, now_ms: i64) -> Outcome<()> {
        let early = self.take_early(of)?;
        self.batch.references.entry(of.clone()).or_default().push(place);
        let Place { flow, message, part } = place;
        for receipt in early {
            self.apply(flow, &Event::Receipt { message, part, receipt }, now_ms)?;
        }
        Ok(())
    }

    /// Takes the early receipts of a reference, in the order in which they came.
    fn take_early(&mut self, of: &CarrierRef) -> Outcome<Vec<Receipt>> {
        let mut receipts = Vec::new();
        if self.tables.early && !self.batch.taken.contains(of) {
            match self.found.early.get(of) {
                Some(Ok(early)) if early.is_empty() => {}
                Some(Ok(early)) => {
                    receipts.extend(early.iter().cloned());
                    self.batch.taken.insert(of.clone());
                }
                Some(Err(error)) => return Err(Stop::Failed(error.clone())),
                None => {
                    self.wanted.early.insert(of.clone());
                    return Err(Stop::Missing);
                }
            }
        }
        if !self.batch.early.is_empty() {
            let taken = self.batch.early.extract_if(.., |early| early.of == *of);
            receipts.extend(taken.map(|early| early.receipt));
        }
        Ok(receipts)
    }

    /// The reference of the oldest early receipt for a recipient since a time.
    pub(super) fn early_for(&self, recipient: &Blind, since_ms: i64) -> Option<CarrierRef> {
        let found =
            self.found.recipients.get(recipient).map(|known| known.early.as_slice()).unwrap_or_default();
        let found = found.iter().map(|(received_ms, of)| (*received_ms, of));
        let found = found.filter(|(_, of)| !self.batch.taken.contains(*of));
        let here = self.batch.early.iter().filter(|early| early.recipient.as_ref() == Some(recipient));
        let mut all = found.chain(here.map(|early| (early.received_ms, &early.of)));
        all.find(|(received_ms, _)| *received_ms >= since_ms).map(|(_, of)| of.clone())
    }

    /// Applies a carrier's report, or keeps it until its message is known.
    pub(crate) fn receipt(
        &mut self,
        of: &CarrierRef,
        recipient: Option<&str>,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Outcome<Matched> {
        if let Some(Place { flow, message, part }) = self.find(of, recipient)? {
            if self.is_quarantined(flow) {
                return Ok(Matched::Applied(Applied::default()));
            }
            let event = Event::Receipt { message, part, receipt: receipt.clone() };
            // References go with their flow.
            return Ok(Matched::Applied(self.apply(flow, &event, now_ms)?.unwrap_or_default()));
        }
        let digits = recipient.and_then(digits);
        let hidden = digits.map(|digits| self.recipient_of(&of.carrier, &digits));
        if let Some(hidden) = &hidden
            && let Some(applied) = self.receipt_by_recipient(of, hidden, receipt, now_ms)?
        {
            return Ok(Matched::ByRecipient(applied));
        }
        self.batch.early.push(NewEarly {
            of: of.clone(),
            receipt: receipt.clone(),
            shown: recipient.map(masked),
            recipient: hidden,
            received_ms: now_ms,
        });
        Ok(Matched::Early)
    }

    /// Keeps a receipt that a carrier could not read.
    pub(crate) fn keep_unread(&mut self, carrier: &str, receipt: &UnreadReceipt, now_ms: i64) {
        self.batch.unread.push((carrier.to_owned(), now_ms, receipt.clone()));
    }

    /// The parts that a carrier called by a reference, as this transaction has it so far: the newest first,
    /// the others by place, the last one first.
    fn called(&mut self, of: &CarrierRef) -> Outcome<Vec<Place>> {
        let Some(Reference { newest, older }) = self.found.references.get(of) else {
            self.wanted.references.insert(of.clone());
            return Err(Stop::Missing);
        };
        let is_there = |place: &Place| !self.has_removed(place.flow);
        let mut newest = newest.filter(is_there);
        let mut older: Vec<Place> = older.iter().copied().filter(is_there).collect();
        let here = self.batch.references.get(of).map(Vec::as_slice).unwrap_or_default();
        for place in here.iter().copied().filter(is_there) {
            match newest {
                Some(known) if (known.flow, known.message) == (place.flow, place.message) => {}
                Some(known) => {
                    older.push(known);
                    newest = Some(place);
                }
                None => newest = Some(place),
            }
        }
        older.sort_unstable_by(|one, other| other.cmp(one));
        older.dedup();
        older.truncate(CANDIDATES_MAX);
        Ok(newest.into_iter().chain(older).collect())
    }

    /// The part that a carrier means by a reference. Of several, the newest one that has no final status and
    /// goes to `recipient`; else the newest that goes there, that has no final status, that had the
    /// reference, in this order.
    fn find(&mut self, of: &CarrierRef, recipient: Option<&str>) -> Outcome<Option<Place>> {
        let called = self.called(of)?;
        if called.len() <= 1 {
            return Ok(called.first().copied());
        }
        let mut best: Option<(u8, Place)> = None;
        for place in &called {
            let judge = |flow: &Flow| {
                let step = flow.steps.get(usize::from(place.message))?;
                let status = &place.part_of(flow)?.status;
                let is_open = !step.channel().rules().is_final(status.status) || status.provisional;
                let fits = recipient.is_some_and(|recipient| fits(step.to(), recipient));
                Some(2 * u8::from(fits) + u8::from(is_open))
            };
            let Some(rank) = self.look(place.flow, judge)?.flatten() else { continue };
            if best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, *place));
            }
            // Nothing is better than the newest that fits and is open; without a recipient, than the newest
            // that is open.
            if rank == 3 || (rank == 1 && recipient.is_none()) {
                break;
            }
        }
        Ok(best.map(|(_, place)| place).or(called.first().copied()))
    }
}
