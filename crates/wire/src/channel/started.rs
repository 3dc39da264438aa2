//! A step that was started, as trackings show it.

use flow::{Flow, Message, Step};
use uuid::Uuid;

/// A step that was started, and its message in one of the flow's states.
#[derive(Clone, Copy)]
pub struct Started<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its message.
    pub message: &'a Message,
    flow: &'a Flow,
    position: usize,
}

impl<'a> Started<'a> {
    /// The steps of a flow that were started, in one of its states.
    pub fn all_of(flow: &'a Flow, state: &'a flow::State) -> impl Iterator<Item = Started<'a>> {
        let started = flow.steps.iter().zip(&state.messages).enumerate();
        started.map(move |(position, (step, message))| Started { step, message, flow, position })
    }

    /// The message's id.
    pub fn id(&self) -> Uuid {
        self.flow.message_id(self.position)
    }

    /// The id of a part of the message.
    pub fn part_id(&self, part: usize) -> Uuid {
        self.flow.part_id(self.position, part)
    }
}
