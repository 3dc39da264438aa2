//! A part of a message on its way out.

use flow::{Flow, Message, Part, Step};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A part on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its flow, as it was when the part became due.
    pub flow: Arc<Flow>,
    /// The position of its message (and step).
    pub message: u16,
    /// The part's position in the message.
    pub part: u16,
    /// Refusals so far that allowed another attempt.
    pub attempts: u32,
    /// Who it is from, as this carrier knows the sender.
    pub sender: String,
    /// How long the message has left to live.
    pub time_left: Duration,
}

impl Outgoing {
    /// Its step.
    pub fn step(&self) -> &Step {
        &self.flow.steps[usize::from(self.message)]
    }

    /// Its message.
    pub fn message(&self) -> &Message {
        &self.flow.state.messages[usize::from(self.message)]
    }

    /// The part itself.
    pub fn part(&self) -> &Part {
        &self.message().parts[usize::from(self.part)]
    }

    /// The part's id, which the carrier is told.
    pub fn part_id(&self) -> Uuid {
        self.flow.part_id(usize::from(self.message), usize::from(self.part))
    }

    /// Which part it is, for [`crate::CarrierSink::answered_late`].
    pub fn part_ref(&self) -> PartRef {
        PartRef { flow: self.flow.id, message: self.message, part: self.part }
    }
}

/// A part that was handed to a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PartRef {
    /// Its flow.
    pub flow: Uuid,
    /// The position of its message.
    pub message: u16,
    /// Its position in the message.
    pub part: u16,
}
