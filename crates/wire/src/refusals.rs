//! An application's requests that were refused, as the API shows them. Ours, beyond the original service.

use crate::words;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// Requests that were refused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusalsView {
    /// Newest first.
    pub content: Vec<RefusalView>,
}

/// A request that was refused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    #[schema(format = DateTime)]
    pub at: String,
    /// The `requestId` of its answer.
    pub request_id: String,
    pub method: String,
    /// With the names of parameters in place of their values.
    pub path: String,
    /// The `code` of its answer.
    pub code: String,
    /// The member that broke the first rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// The name of that rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::rules)]
    pub rule: Option<Cow<'static, str>>,
}
