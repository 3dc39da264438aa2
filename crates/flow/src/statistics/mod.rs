//! What statistics count of flows: sums by what messages and flows have in common, and nothing of a person.
//! A flow's [`Contribution`] is a function of the flow, so that statistics follow its changes: they grow by
//! the contribution of the flow as it is, and lose that of the flow as it was.

mod contribution;
mod dimension;
mod flows;
mod latency;
mod messages;
mod quarter;
mod summary;

pub use contribution::Contribution;
pub use dimension::Dimension;
pub use flows::{FlowFigures, FlowKey};
pub use latency::Latency;
pub use messages::{MessageFigures, MessageKey, OTHER};
pub use quarter::Quarter;
pub use summary::Summary;
