//! The recipients of a flow's later steps, as the store finds them: by keyed hashes.

use crate::application::blind;
use crate::wanted::Blind;
use flow::{Flow, Step};

/// The hash of a recipient of an application's later steps; its case does not count.
pub(crate) fn hidden_recipient(key: &[u8; 32], application: &str, recipient: &str) -> Blind {
    blind(key, "recipient", application, recipient.to_ascii_lowercase().as_bytes())
}

/// The hashes of the recipients of a flow that are not its first step's.
pub(crate) fn later_recipients(key: &[u8; 32], flow: &Flow) -> impl Iterator<Item = Blind> {
    let first = flow.steps.first().map(Step::to);
    let later = flow.steps.iter().map(Step::to).filter(move |to| Some(*to) != first);
    later.map(move |to| hidden_recipient(key, &flow.application, to))
}
