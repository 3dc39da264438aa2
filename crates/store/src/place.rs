//! Places of parts.

use flow::{Flow, Part};
use uuid::Uuid;

/// Where a part is: in which message of which flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) flow: Uuid,
    pub(crate) message: u16,
    pub(crate) part: u16,
}

impl Place {
    /// The part, in its flow.
    pub(crate) fn part_of(self, flow: &Flow) -> Option<&Part> {
        flow.state.messages.get(usize::from(self.message))?.parts.get(usize::from(self.part))
    }
}
