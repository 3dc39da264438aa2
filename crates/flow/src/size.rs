//! How large a flow's document can become: known when it is sent, so that nothing that happens to it can make it larger.

use crate::limits::words;
use crate::model::CALLBACK_BYTES;
use crate::{Channel, Detail, Limits, NewFlow, Rule, Step, Violation};
use std::borrow::Cow;

/// Messages of more parts than this keep shorter words of their carriers.
const FEW_PARTS: usize = 16;
/// Octets of a carrier's words about a part, and of a network's name: of messages of few parts, and of many.
const WORDS_MAX: usize = 200;
const MANY_WORDS_MAX: usize = 24;
/// Octets of a detailed status, which a configuration may word.
const DETAIL_MAX: usize = 32;
/// Octets of a carrier's name, and of its id of a message: longer ids are kept by their hash
/// ([`crate::CarrierRef::new`]).
pub const CARRIER_MAX: usize = 64;
/// See [`CARRIER_MAX`].
pub const REFERENCE_MAX: usize = 48;

/// JSON around the texts of a part: ids, times, amounts and names of members.
const PART: usize = 312;
/// A call's or a Viber message's part has more.
const SINGLE_PART: usize = PART + 400;
/// JSON around the parts of a message.
const MESSAGE: usize = 150;
/// JSON around everything else, the flow's ids and status.
const FLOW: usize = 700;
/// Callbacks need so much: what one part of each message was like before, for the one that is due, and errors.
const CALLBACKS_MIN: usize = 4096;
const CALLBACKS_MIN_PART: usize = 180;

/// Octets of a carrier's words that a message of so many parts keeps about each.
const fn words_max(parts: usize) -> usize {
    if parts <= FEW_PARTS { WORDS_MAX } else { MANY_WORDS_MAX }
}

/// A carrier's words about one of so many parts.
pub(crate) fn part_words(text: &str, parts: usize) -> String {
    words(text, words_max(parts)).into_owned()
}

/// A detailed status, which may be a carrier's or a configuration's word.
pub(crate) fn detail(detail: &Detail) -> Detail {
    match words(&detail.0, DETAIL_MAX) {
        Cow::Borrowed(text) if text.len() == detail.0.len() => detail.clone(),
        cut => Detail(Cow::Owned(cut.into_owned())),
    }
}

/// Octets of a message's JSON, at most.
fn message_max(step: &Step, parts: usize) -> usize {
    let part = if step.channel() == Channel::Sms { PART } else { SINGLE_PART };
    let texts = 2 * words_max(parts) + DETAIL_MAX + CARRIER_MAX + REFERENCE_MAX;
    MESSAGE + parts * (part + texts)
}

/// Counts octets.
#[derive(Default)]
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn json_size(value: &impl serde::Serialize) -> usize {
    let mut counted = Counted::default();
    // Counting doesn't fail, and everything of a flow is JSON.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

impl NewFlow {
    /// Checks the limits on the flow as a whole, and shares out its document between what happens to it and its
    /// callbacks.
    ///
    /// # Errors
    /// The limit that it breaks.
    pub fn measure(&mut self, limits: &Limits) -> Result<(), Violation> {
        let broken = |message: String| Violation { field: "flow".into(), rule: Rule::Length, message };
        let counts: Vec<usize> = self.steps.iter().map(Step::part_count).collect();
        let sms = self.steps.iter().zip(&counts).filter(|(step, _)| step.channel() == Channel::Sms);
        let parts: usize = sms.map(|(_, count)| count).sum();
        let most = limits.parts_max;
        if parts > most {
            let rule = "parts of Sms, over all steps (limits.parts_max)";
            return Err(broken(format!("must make at most {most} {rule}; it makes {parts}")));
        }
        let messages: usize =
            self.steps.iter().zip(&counts).map(|(step, count)| message_max(step, *count)).sum();
        let texts = json_size(&self.steps) + json_size(&self.callback) + json_size(&self.restrictions);
        let fixed = FLOW + texts + messages;
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
