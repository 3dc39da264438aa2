//! What recipients write back over Viber: passed on to the `inboundUrl` of the step that they answer, and remembered
//! where they want no more.

use crate::clock::iso;
use crate::engine::Engine;
use carriers::Heard;
use flow::{Channel, Content, Flow, Viber};
use index::{Filter, Index, Order, Predicate, Query, TextOperator};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use store::{Store, StoreError, Suppression};
use uuid::Uuid;

/// The last flows to a recipient that are looked at.
const FLOWS_MAX: usize = 50;

/// Why something was not taken; the provider should offer it again.
pub enum NotTaken {
    /// The store failed.
    Store(StoreError),
    /// The client's server did not take it.
    Target(String),
}

/// The message that a recipient answers: of those that a carrier took, the last one.
struct Answered {
    flow: Flow,
    message: usize,
}

impl Answered {
    fn viber(&self) -> Option<&Viber> {
        match &self.flow.steps[self.message].content {
            Content::Viber(viber) => Some(viber),
            Content::Sms(_) | Content::Voice(_) => None,
        }
    }
}

/// Takes a message, an opt-out or an opt-in.
///
/// # Errors
/// When it could not be stored or passed on.
pub async fn take(
    store: &Arc<dyn Store>,
    index: &Arc<Index>,
    engine: &Engine,
    carrier: &str,
    heard: &Heard,
    now_ms: i64,
) -> Result<(), NotTaken> {
    let (event, from, text, media_url, key) = match heard {
        Heard::Message(message) => {
            ("message", &message.from, &message.text, &message.media_url, &message.key)
        }
        Heard::OptOut { from, key } => ("optOut", from, &None, &None, key),
        Heard::OptIn { from, key } => ("optIn", from, &None, &None, key),
        Heard::Receipt { .. } | Heard::Unknown { .. } | Heard::Nothing => return Ok(()),
    };
    let answered = find(store, index, carrier, from).await.map_err(NotTaken::Store)?;
    let Some(answered) = answered else {
        tracing::info!(carrier, event, "a recipient answers no message that is known");
        metrics::counter!("switchback_inbound_total", "event" => event, "result" => "unknown").increment(1);
        return Ok(());
    };
    let application = answered.flow.application.clone();
    match heard {
        Heard::OptOut { .. } => {
            let suppression = Suppression {
                application: application.clone(),
                channel: Channel::Viber,
                recipient: from.clone(),
                reason: format!("told {carrier}"),
                since_ms: now_ms,
            };
            store.suppress(suppression).await.map_err(NotTaken::Store)?;
            engine.read_cautions().await.map_err(NotTaken::Store)?;
        }
        Heard::OptIn { .. } => {
            let (application, from) = (application.clone(), from.clone());
            store.unsuppress(application, Channel::Viber, from).await.map_err(NotTaken::Store)?;
        }
        _ => {}
    }
    let viber = answered.viber();
    let Some(url) = viber.and_then(|viber| viber.inbound_url.as_deref()) else {
        metrics::counter!("switchback_inbound_total", "event" => event, "result" => "no url").increment(1);
        return Ok(());
    };
    let body = json!({
        "event": event,
        "trackingId": answered.flow.id,
        "messageId": answered.flow.state.messages[answered.message].id,
        "from": from,
        "to": viber.map(|viber| &viber.sender),
        "text": text,
        "mediaUrl": media_url,
        "receivedAt": iso(now_ms),
    });
    let id = webhook_id(carrier, event, from, key);
    let sent = engine.callbacks().pass_on(url, &application, id, &body.to_string()).await;
    let result = if sent.is_ok() { "passed on" } else { "failed" };
    metrics::counter!("switchback_inbound_total", "event" => event, "result" => result).increment(1);
    sent.map_err(NotTaken::Target)
}

/// The same for the same thing each time that a provider tells it (RFC 9562, 5.8).
fn webhook_id(carrier: &str, event: &str, from: &str, key: &str) -> Uuid {
    let mut hash = Sha256::new();
    for text in [carrier, event, from, key] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut octets = [0; 16];
    octets.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

async fn find(
    store: &Arc<dyn Store>,
    index: &Arc<Index>,
    carrier: &str,
    from: &str,
) -> Result<Option<Answered>, StoreError> {
    let mut keys = Vec::new();
    for application in index.applications() {
        let filter = |predicate| Filter { predicate, negated: false };
        let query = Query {
            application,
            from: None,
            until: None,
            filters: vec![
                filter(Predicate::To(TextOperator::Is, from.to_owned())),
                filter(Predicate::Type(Channel::Viber)),
            ],
            order: Order::NewestFirst,
            offset: 0,
            limit: FLOWS_MAX,
        };
        keys.extend(index.search(&query).keys);
    }
    keys.sort_unstable_by(|a, b| b.cmp(a));
    keys.truncate(FLOWS_MAX);
    let flows = store.load(keys.into_iter().map(|key| key.1).collect()).await?;
    let answered = flows.into_iter().flatten().find_map(|flow| {
        let message = flow.state.messages.iter().zip(&flow.steps).rposition(|(message, step)| {
            let taken = |part: &flow::Part| part.carrier.as_ref().is_some_and(|of| of.carrier == carrier);
            step.channel() == Channel::Viber && step.to() == from && message.parts.iter().any(taken)
        })?;
        Some(Answered { flow, message })
    });
    Ok(answered)
}
