//! The recipients of a flow's later steps.

use flow::{Flow, Step};

/// The recipients of a flow that are not its first step's.
pub(crate) fn later_recipients(flow: &Flow) -> impl Iterator<Item = &str> {
    let first = flow.steps.first().map(Step::to);
    flow.steps.iter().map(Step::to).filter(move |to| Some(*to) != first)
}
