//! Finds flows by whatever id somebody has of them. Ours, beyond the contract.

use super::core::Service;
use flow::{Flow, flow_of};
use store::StoreError;
use uuid::Uuid;

/// Octets of a text that is looked up.
const TEXT_MAX: usize = 255;
/// Flows that one text leads to, at most.
const FLOWS_MAX: usize = 64;

impl Service {
    /// The ids of the flows that a text may mean, newest first, at most 64: the flow that has it as its own
    /// id, or as that of one of its messages or parts; if there is none, those of which a carrier calls a
    /// part so. `may_see` says of an application whether its flows are told. A text of more than 255 octets
    /// means none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn identify(
        &self,
        may_see: impl Fn(&str) -> bool,
        text: &str,
    ) -> Result<Vec<Uuid>, StoreError> {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_MAX {
            return Ok(Vec::new());
        }
        if let Ok(id) = Uuid::parse_str(text)
            && let Some(flow) = self.with_id(id).await?
        {
            return Ok(if may_see(&flow.application) { vec![flow.id] } else { Vec::new() });
        }
        let ids = self.store().flows_by_reference(text.to_owned(), FLOWS_MAX).await?;
        let mut seen = Vec::new();
        for id in ids {
            // One at a time: each may be large.
            let flow = self.store().load(vec![id]).await?.pop().flatten();
            seen.extend(flow.filter(|flow| may_see(&flow.application)).map(|flow| flow.id));
        }
        Ok(seen)
    }

    /// The flow that has an id, as its own or as that of one of its messages or parts.
    pub(super) async fn with_id(&self, id: Uuid) -> Result<Option<Flow>, StoreError> {
        let mut ids = vec![id, flow_of(id)];
        ids.dedup();
        let found = self.store().load(ids).await?;
        Ok(found.into_iter().flatten().find(|flow| flow.has_id(id)))
    }
}
