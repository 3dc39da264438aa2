//! An event while it is applied.

use crate::callbacks::{FlowBefore, PartBefore};
use crate::event::Applied;
use crate::part::Part;
use crate::status::Status;

/// An event while it is applied: the time that it is given, and what it did so far.
pub(super) struct Transition {
    pub(super) now_ms: i64,
    pub(super) applied: Applied,
    /// The status that started the next step.
    pub(super) left_with: Option<Status>,
    /// What it replaced; absent: no callback needs it.
    pub(super) before: Option<Before>,
}

/// What an event replaced.
pub(super) struct Before {
    pub(super) flow: FlowBefore,
    pub(super) parts: Vec<PartBefore>,
    pub(super) started: u32,
}

impl Transition {
    /// Keeps a part as it is before it changes.
    pub(super) fn replace(&mut self, message: u16, part: u16, now: &Part) {
        let Some(before) = &mut self.before else { return };
        if !before.parts.iter().any(|known| (known.message, known.part) == (message, part)) {
            before.parts.push(PartBefore::of(message, part, now));
        }
    }
}
