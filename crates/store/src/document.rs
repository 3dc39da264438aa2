//! A flow's document: what is stored of it.

use flow::Flow;
use std::sync::Arc;

/// A flow's document.
///
/// # Errors
/// Those of the encoder; flows have nothing that makes it fail.
pub(crate) fn encode(flow: &Flow) -> serde_json::Result<Arc<[u8]>> {
    serde_json::to_vec(flow).map(Arc::from)
}

/// Reads a flow from its document.
///
/// # Errors
/// If it is not one.
pub(crate) fn decode(document: &[u8]) -> serde_json::Result<Flow> {
    let mut flow: Flow = serde_json::from_slice(document)?;
    flow.adopt_old_callbacks();
    Ok(flow)
}
