//! How the server is, as the API shows it.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong: `closing`, `store unavailable`, `store overloaded`, `store slow`.
    pub status: Cow<'static, str>,
    /// Whether each carrier is up. One that is down holds up its own messages only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carriers: BTreeMap<String, bool>,
}
