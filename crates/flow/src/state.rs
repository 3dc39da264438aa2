//! What has become of a flow.

use crate::channel::Channel;
use crate::flow_status::{FlowStatus, StatusCode};
use crate::part::Part;
use crate::price::Price;
use crate::step::Step;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The part of a flow that changes and that its tracking shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    /// When it last changed, Unix milliseconds.
    pub updated_ms: i64,
    /// How far it is.
    pub status: FlowStatus,
    /// Why it failed; only when [`FlowStatus::Failed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<StatusCode>,
    /// Its application cancelled it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The channel of the step that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Channel>,
    /// The steps that were started, in order: message `i` belongs to step `i`.
    pub messages: Vec<Message>,
}

/// A started step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The id that a version of before drew for it; absent: it follows from the flow's
    /// ([`crate::Flow::message_id`]).
    #[serde(rename = "id", default, skip_serializing_if = "Option::is_none")]
    pub drawn_id: Option<Uuid>,
    /// When it was started, Unix milliseconds.
    pub created_ms: i64,
    /// When its time to live is over, Unix milliseconds.
    pub expires_ms: i64,
    /// Its parts: one or more for Sms, else exactly one.
    pub parts: Vec<Part>,
}

impl Message {
    /// The part whose status speaks for the whole message: the first that failed, else the one that is least
    /// far along.
    pub fn decisive(&self, channel: Channel) -> &Part {
        let rules = channel.rules();
        let rank = |part: &&Part| {
            let status = part.status.status;
            let has_failed = rules.is_final(status) && !status.is_success();
            (!has_failed, rules.progress(status))
        };
        // A message has at least one part.
        self.parts.iter().min_by_key(rank).unwrap_or(&self.parts[0])
    }
}

impl State {
    /// What the messages cost so far; `steps` are the flow's.
    pub fn total_price(&self, steps: &[Step]) -> Price {
        let prices = self.messages.iter().zip(steps);
        prices.flat_map(|(message, step)| message.parts.iter().map(|part| part.price(step.channel()))).sum()
    }
}
