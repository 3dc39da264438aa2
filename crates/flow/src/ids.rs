//! The ids of messages and parts: each is its flow's id but for the last two octets, which a flow's id has
//! zero. The last but one is the message's number, the last one the part's, both from 1. So each of them
//! leads to the flow, and documents need not have them.

use crate::flow::Flow;
use crate::state::Message;
use uuid::Uuid;

/// Where an id has the message's number, and the part's.
const MESSAGE: usize = 14;
const PART: usize = 15;

/// The id of the flow that an id of its messages or parts leads to; that of a flow leads to itself. Flows
/// that versions of before accepted have ids that lead nowhere.
pub fn flow_of(id: Uuid) -> Uuid {
    with(id, 0, 0)
}

fn with(id: Uuid, message: u8, part: u8) -> Uuid {
    let mut octets = id.into_bytes();
    (octets[MESSAGE], octets[PART]) = (message, part);
    Uuid::from_bytes(octets)
}

/// A number from 1. A flow has at most 255 steps, and an Sms as many parts; what older versions accepted
/// beyond that begins anew.
fn number(position: usize) -> u8 {
    (position as u8).wrapping_add(1)
}

impl Flow {
    /// The contract's `messageId` (Sms, Voice) or message `trackingId` (Viber) of the message at a position.
    pub fn message_id(&self, message: usize) -> Uuid {
        let drawn = self.state.messages.get(message).and_then(|message| message.drawn_id);
        drawn.unwrap_or_else(|| with(self.id, number(message), 0))
    }

    /// The id of a part of a message, both by their positions: the contract's `smsId` for Sms, and what
    /// carriers are told.
    pub fn part_id(&self, message: usize, part: usize) -> Uuid {
        let drawn = self.state.messages.get(message).and_then(|message| message.parts.get(part)?.drawn_id);
        drawn.unwrap_or_else(|| with(self.id, number(message), number(part)))
    }

    /// Returns whether an id is the flow's, or that of a message or a part that it has.
    pub fn has_id(&self, id: Uuid) -> bool {
        let mut messages = (0..).zip(&self.state.messages);
        let is_of = |(at, message): (usize, &Message)| {
            self.message_id(at) == id || (0..message.parts.len()).any(|part| self.part_id(at, part) == id)
        };
        self.id == id || messages.any(is_of)
    }
}
