//! What handsets send: segments wait until their message is complete.

use super::transaction::{Outcome, Stop, Work};
use crate::application::blind;
use crate::batch::NewHandsetText;
use crate::inbound::{InboundMessage, InboundSegment};
use crate::recipient::sender;
use crate::wanted::{Blind, HandsetText, Segment};

/// How long after the first one the other segments may come, milliseconds. Later ones are another message's,
/// since handsets use their numbers again.
const JOINED_MS: i64 = 24 * 3600 * 1000;

impl Work<'_> {
    /// Keeps what a handset sent.
    pub(crate) fn keep_inbound(&mut self, message: &InboundMessage, now_ms: i64) -> Outcome<()> {
        let InboundMessage { carrier, from, to, segment, content } = message.clone();
        let is_one_of_several = |segment: &InboundSegment| (1..=segment.total).contains(&segment.sequence);
        let segment = segment.filter(|segment| segment.total > 1 && is_one_of_several(segment));
        let total = segment.map_or(1, |segment| segment.total);
        let text = HandsetText { carrier, from, to, total, segments: vec![content] };
        match segment {
            None => {
                self.keep_message(text, now_ms);
                Ok(())
            }
            Some(segment) => self.keep_segment(segment, text, now_ms),
        }
    }

    fn new_text(&self, text: HandsetText, received_ms: i64) -> NewHandsetText {
        let sender = blind(&self.context.secret_key, "inbound", "", sender(&text.from).as_bytes());
        NewHandsetText { sender, text, received_ms }
    }

    fn keep_message(&mut self, text: HandsetText, received_ms: i64) {
        let text = self.new_text(text, received_ms);
        self.batch.inbound.push(text);
    }

    /// Keeps a segment, or the whole message if it was the last one.
    fn keep_segment(&mut self, segment: InboundSegment, text: HandsetText, now_ms: i64) -> Outcome<()> {
        let InboundSegment { reference, total, sequence } = segment;
        let common =
            [&*text.carrier, &sender(&text.from), &text.to, &format!("{reference}/{total}")].join("\0");
        let message = blind(&self.context.secret_key, "segment", "", common.as_bytes());
        let known = self.segments(&message)?;
        let first_ms = known.iter().map(|segment| segment.received_ms).min();
        if let Some(first_ms) = first_ms.filter(|first_ms| now_ms.saturating_sub(*first_ms) > JOINED_MS) {
            self.join(&message, known, first_ms);
        }
        let new = self.new_text(text, now_ms);
        self.batch.segments.insert((message, sequence), Some(new));
        let there = self.segments(&message)?;
        if there.len() == usize::from(total) {
            self.join(&message, there, now_ms);
        }
        Ok(())
    }

    /// Segments of a message that are there, in their order, as this transaction has them so far.
    fn segments(&mut self, message: &Blind) -> Outcome<Vec<Segment>> {
        let Some(found) = self.found.segments.get(message) else {
            self.wanted.segments.insert(*message);
            return Err(Stop::Missing);
        };
        let is_as_found =
            |segment: &&Segment| !self.batch.segments.contains_key(&(*message, segment.sequence));
        let mut segments: Vec<Segment> = found.iter().filter(is_as_found).cloned().collect();
        let here = self.batch.segments.range((*message, 0)..=(*message, u8::MAX));
        segments.extend(here.filter_map(|((_, sequence), new)| {
            let NewHandsetText { text, received_ms, .. } = new.as_ref()?;
            Some(Segment { sequence: *sequence, received_ms: *received_ms, text: Some(text.clone()) })
        }));
        segments.sort_unstable_by_key(|segment| segment.sequence);
        Ok(segments)
    }

    /// Makes one message of segments.
    fn join(&mut self, message: &Blind, segments: Vec<Segment>, received_ms: i64) {
        segments.iter().for_each(|segment| {
            self.batch.segments.insert((*message, segment.sequence), None);
        });
        let mut texts = segments.into_iter().filter_map(|segment| segment.text);
        if let Some(mut whole) = texts.next() {
            whole.segments.extend(texts.flat_map(|text| text.segments));
            self.keep_message(whole, received_ms);
        }
    }
}
