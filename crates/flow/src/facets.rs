//! What a search looks at.

use crate::{Channel, ChannelSet, FlowKind, FlowStatus};

/// The searchable side of a flow, beside its owner, id and creation time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facets {
    /// Plain or transactional.
    pub kind: FlowKind,
    /// The flow's status.
    pub status: FlowStatus,
    /// The channel of the step that ended it; `None` until then.
    pub termination: Option<Channel>,
    /// The channels of its started steps; of the first one until it starts.
    pub types: ChannelSet,
    /// The distinct recipients of the same steps, sorted; at least one.
    pub recipients: Box<[Box<str>]>,
}
