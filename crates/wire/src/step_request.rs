//! What a send may contain, for the description: [`crate::read_send`] reads it.
#![allow(dead_code)] // Only their schemas are used.

use crate::channel::StepRequest;
use crate::words::StrategyWord;
use serde::Serialize;
use utoipa::ToSchema;

/// A flow to be sent.
#[derive(Serialize, ToSchema)]
pub struct SendRequest {
    /// The steps, at most 32; they run in ascending `order`.
    #[schema(min_items = 1, max_items = 32)]
    flow: Vec<StepRequest>,
    /// Where results go.
    #[schema(nullable = false)]
    callback: Option<CallbackRequest>,
    /// India: registration ids for the carrier; not in a transactional flow.
    #[schema(nullable = false)]
    restrictions: Option<RestrictionsRequest>,
}

/// Where results go, and when.
#[derive(Serialize, ToSchema)]
pub struct CallbackRequest {
    /// `OnChange` by default.
    #[schema(nullable = false)]
    strategy: Option<StrategyWord>,
    #[schema(pattern = "^https?://", max_length = 2000, example = "https://acme.example/results")]
    url: String,
}

/// Registration ids that Indian carriers ask for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestrictionsRequest {
    #[schema(nullable = false)]
    content_template_id: Option<String>,
    #[schema(nullable = false)]
    principal_entity_id: Option<String>,
}
