//! What a flow owes: a function of its state.

use crate::channel::Channel;
use crate::flow::Flow;
use crate::part::Submit;

/// Something to be done for a flow at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Task {
    /// What.
    pub kind: TaskKind,
    /// When, Unix milliseconds.
    pub due_ms: i64,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskKind {
    /// Hand a part to a carrier of this channel.
    Submit {
        /// The channel.
        channel: Channel,
        /// The message's position in the flow.
        message: u16,
        /// The part's position in the message.
        part: u16,
    },
    /// The message's time to live is over: apply [`crate::Event::Expire`].
    Expire {
        /// The message's position in the flow.
        message: u16,
    },
    /// Send the oldest callback that is owed.
    Callback {
        /// Its number, which no other callback of the flow has.
        number: u32,
    },
}

impl Flow {
    /// Everything that is owed, now or later. A flow that owes nothing is closed: only a late receipt can
    /// still change it.
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        if let Some(live) = self.live() {
            let message = &self.state.messages[live];
            let channel = self.steps[live].channel();
            for (part, state) in message.parts.iter().enumerate() {
                if let Submit::Owed { at_ms, .. } = state.submit {
                    let kind = TaskKind::Submit { channel, message: live as u16, part: part as u16 };
                    tasks.push(Task { kind, due_ms: at_ms });
                }
            }
            tasks.push(Task { kind: TaskKind::Expire { message: live as u16 }, due_ms: message.expires_ms });
        }
        if let Some(callback) = self.callbacks.first() {
            tasks.push(Task {
                kind: TaskKind::Callback { number: callback.number },
                due_ms: callback.due_ms(),
            });
        }
        tasks
    }

    /// The position of the message that decides what happens next: the last one, until the flow is final.
    pub fn live(&self) -> Option<usize> {
        if self.state.status.is_final() { None } else { self.state.messages.len().checked_sub(1) }
    }
}
