//! Recipients who want no more messages, as the API shows them. Ours, beyond the contract.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Recipients who want no more messages.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SuppressionsView {
    pub content: Vec<SuppressionView>,
    /// What to ask for as `after` next; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A recipient who wants no more messages.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SuppressionView {
    pub recipient: String,
    pub reason: String,
    #[schema(format = DateTime)]
    pub since: String,
}
