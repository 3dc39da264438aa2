//! How the server is, as the API shows it.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong: `closing`, `store unavailable`, `store overloaded`, `store slow`.
    pub status: &'static str,
    /// Whether each carrier is up. One that is down holds up its own messages only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub carriers: BTreeMap<String, bool>,
}
