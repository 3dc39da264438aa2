//! How large a flow's document can become. It is computed when the flow is sent, so that no event makes it
//! larger later.

use crate::flow::{CALLBACK_BYTES, NewFlow};
use crate::history::HISTORY_BYTES;
use crate::limits::Limits;
use crate::rule::Rule;
use crate::step::Step;
use crate::texts::{CARRIER_MAX, DETAIL_MAX, REFERENCE_MAX, words_max};
use crate::violation::Violation;

/// JSON around the parts of a message.
const MESSAGE: usize = 150;
/// JSON around everything else, the flow's ids and status.
const FLOW: usize = 740;
/// Octets that callbacks need at least: errors, and what one part of each message was before the one that is
/// due.
const CALLBACKS_MIN: usize = 4096;
const CALLBACKS_MIN_PART: usize = 180;

/// Octets of a message's JSON, at most.
fn message_max(step: &Step, parts: usize) -> usize {
    let texts = 2 * words_max(parts) + DETAIL_MAX + CARRIER_MAX + REFERENCE_MAX;
    MESSAGE + parts * (step.channel().rules().part_octets + texts)
}

/// Counts the octets that are written to it.
#[derive(Default)]
struct OctetCounter(usize);

impl std::io::Write for OctetCounter {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn json_size(value: &impl serde::Serialize) -> usize {
    let mut counted = OctetCounter::default();
    // Counting doesn't fail, and everything of a flow is JSON.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

impl NewFlow {
    /// Checks the limits on the flow as a whole, and divides the room in its document between events and
    /// callbacks.
    ///
    /// # Errors
    /// The limit that it breaks.
    pub fn measure(&mut self, limits: &Limits) -> Result<(), Violation> {
        let broken = |message: String| Violation { field: "flow".into(), rule: Rule::Length, message };
        let counts: Vec<usize> = self.steps.iter().map(Step::part_count).collect();
        let counted = self.steps.iter().zip(&counts).filter(|(step, _)| step.channel().rules().counts_parts);
        let parts: usize = counted.map(|(_, count)| count).sum();
        let most = limits.parts_max;
        if parts > most {
            let rule = "parts of Sms, over all steps (limits.parts_max)";
            return Err(broken(format!("must make at most {most} {rule}; it makes {parts}")));
        }
        let messages: usize =
            self.steps.iter().zip(&counts).map(|(step, count)| message_max(step, *count)).sum();
        let texts = json_size(&self.steps) + json_size(&self.callback) + json_size(&self.restrictions);
        let fixed = FLOW + HISTORY_BYTES + texts + messages;
        let least = CALLBACKS_MIN + CALLBACKS_MIN_PART * counts.iter().sum::<usize>();
        let most = limits.flow_bytes_max;
        let Some(left) = most.checked_sub(fixed).filter(|left| *left >= least) else {
            let rule = "octets with all that can become of it (limits.flow_bytes_max)";
            let message = format!("must take at most {most} {rule}; it would take {}", fixed + least);
            return Err(broken(format!("{message}: send shorter texts or fewer steps")));
        };
        self.callback_bytes_max = CALLBACK_BYTES.min(u32::try_from(left).unwrap_or(CALLBACK_BYTES));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channel;
    use crate::FlowKind;
    use crate::sample::{sms, step};
    use uuid::Uuid;

    /// What a flow of one Sms of so many parts would take, by the words of its refusal.
    fn taken(parts: usize) -> usize {
        let mut new = NewFlow {
            id: Uuid::nil(),
            application: "app".into(),
            kind: FlowKind::Plain,
            minute_ms: 60_000,
            steps: vec![step(1, sms("+306900000001", &"x".repeat(153 * parts)))],
            callback: None,
            restrictions: None,
            callback_bytes_max: CALLBACK_BYTES,
        };
        let refused = new.measure(&Limits { flow_bytes_max: 0, ..Limits::default() }).unwrap_err();
        let words = refused.message.split("it would take ").nth(1).unwrap();
        let taken: usize = words.split(':').next().unwrap().parse().unwrap();
        // It is the limit that is just enough.
        let mut measure =
            |flow_bytes_max| new.measure(&Limits { flow_bytes_max, ..Limits::default() }).is_ok();
        assert!(measure(taken) && !measure(taken - 1));
        taken
    }

    #[test]
    fn every_part_has_room_for_all_that_a_carrier_may_say_of_it() {
        let names = DETAIL_MAX + CARRIER_MAX + REFERENCE_MAX + Channel::Sms.rules().part_octets;
        for parts in [2, 10, 254] {
            assert_eq!(words_max(parts), words_max(parts + 1));
            // Of its words and its network each as much.
            let said = names + 2 * words_max(parts);
            assert!(taken(parts + 1) - taken(parts) >= said + 153, "{parts}");
        }
    }
}
