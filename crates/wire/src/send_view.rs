//! The answer to a send: the flow as accepted (contract, section 2).

use crate::channel::StepView;
use crate::time::iso;
use crate::tracking::flow_kind;
use crate::words::StrategyWord;
use flow::{CallbackStrategy, Flow};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A flow that was accepted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendResponse {
    pub tracking_id: Uuid,
    /// The steps as accepted, with every default filled in.
    flow: Vec<StepView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<CallbackView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restrictions: Option<RestrictionsView>,
    /// `transactional` for a transactional flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_kind: Option<Cow<'static, str>>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Where results go and when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CallbackView {
    strategy: StrategyWord,
    url: String,
}

/// Registration ids that Indian carriers ask for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestrictionsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_template_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_entity_id: Option<String>,
}

impl From<&Flow> for SendResponse {
    fn from(flow: &Flow) -> SendResponse {
        SendResponse {
            tracking_id: flow.id,
            flow: flow.steps.iter().map(StepView::from).collect(),
            callback: flow.callback.as_ref().map(|callback| CallbackView {
                strategy: match callback.strategy {
                    CallbackStrategy::OnChange => StrategyWord::OnChange,
                    CallbackStrategy::OnCompletion => StrategyWord::OnCompletion,
                },
                url: callback.url.clone(),
            }),
            restrictions: flow.restrictions.as_ref().map(|ids| RestrictionsView {
                content_template_id: ids.content_template_id.clone(),
                principal_entity_id: ids.principal_entity_id.clone(),
            }),
            flow_kind: flow_kind(flow.kind).map(Cow::from),
            created_at: iso(flow.created_ms),
        }
    }
}
