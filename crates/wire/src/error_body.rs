//! The body of every answer that says no (contract, section 8).

use crate::broken::FieldError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The error body.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Nine digits: HTTP status, module, number.
    #[schema(example = "400022001")]
    pub code: String,
    /// What is wrong, for developers.
    pub developer_message: String,
    /// What the members belong to, where some break rules: as the original service has it, which clients
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Failover")]
    pub entity: Option<Cow<'static, str>>,
    /// The first broken rule of each member, by its path: as the original service has it, which clients read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// The members that break rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Names this answer in the logs.
    pub request_id: String,
}
