//! Where callbacks go: a target that fails, and whose answers get lost.

use crate::fault::Fault;
use crate::parties::{HANGING, HOSTILE_HOST};
use crate::trial::Trial;
use crate::world::{Called, World, statuses};
use async_trait::async_trait;
use engine::callbacks::{Answer, Headers, Post, PostError};
use reqwest::Url;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long a target may take to answer, as by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The target of all callbacks.
pub struct SimulatedTarget(pub Arc<World>);

#[async_trait]
impl Post for SimulatedTarget {
    async fn post(&self, url: Url, headers: Headers, body: String) -> Result<Answer, PostError> {
        let world = &self.0;
        world.step().await;
        let trial = world.with(|state| state.trial);
        let to = |name: &str| url.host_str().is_some_and(|host| host.starts_with(name));
        if (trial == Trial::Outage && to(HANGING)) || (trial == Trial::Hostile && to(HOSTILE_HOST)) {
            sleep(TIMEOUT).await;
            return Err(PostError::TimedOut);
        }
        if world.with(|state| state.happens(Fault::TargetFails)) {
            return if world.with(|state| state.random.bool()) {
                Ok(500.into())
            } else {
                Err(PostError::Failed("no answer".into()))
            };
        }
        let tracking: Value =
            serde_json::from_str(&body).map_err(|error| PostError::Failed(error.to_string()))?;
        let text = |name: &str| tracking[name].as_str().unwrap_or_default().to_owned();
        let webhook = headers.iter().find(|(name, _)| *name == "webhook-id");
        let called = world.with(|state| {
            let at = state.now();
            state.called.push(Called {
                tracking: text("trackingId"),
                webhook: webhook.map(|(_, id)| id.clone()).unwrap_or_default(),
                statuses: statuses(&tracking),
                updated: text("updatedAt"),
                at,
                acknowledged: None,
            });
            state.called.len() - 1
        });
        world.step().await;
        let lost = world.with(|state| {
            let lost = state.happens(Fault::AnswerLost);
            state.called[called].acknowledged = Some(!lost);
            let Called { tracking, statuses, .. } = &state.called[called];
            let (what, heard) =
                (statuses.join(", "), if lost { "the answer is lost" } else { "acknowledged" });
            state.note(format!("callback of {tracking}: {what}; {heard}"));
            lost
        });
        if lost { Err(PostError::Failed("the answer was lost".into())) } else { Ok(204.into()) }
    }
}
