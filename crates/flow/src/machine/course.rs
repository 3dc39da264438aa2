//! An event while it is applied.

use crate::callbacks::{FlowBefore, PartBefore};
use crate::event::Applied;
use crate::part::Part;
use uuid::Uuid;

/// An event under way: what it is given, and what is to be told of it.
pub(super) struct Course<'a> {
    pub(super) now_ms: i64,
    pub(super) ids: &'a mut dyn FnMut() -> Uuid,
    pub(super) applied: Applied,
    /// What it replaces, where some callback has to find back to it.
    pub(super) before: Option<Before>,
}

/// What an event replaces.
pub(super) struct Before {
    pub(super) flow: FlowBefore,
    pub(super) parts: Vec<PartBefore>,
    pub(super) started: u32,
}

impl Course<'_> {
    /// A part is about to become another one.
    pub(super) fn replace(&mut self, message: u16, part: u16, now: &Part) {
        let Some(before) = &mut self.before else { return };
        if !before.parts.iter().any(|known| (known.message, known.part) == (message, part)) {
            before.parts.push(PartBefore::of(message, part, now));
        }
    }
}
