//! What recipients write back over Viber: passed on to the `inboundUrl` of the step that they answer, and
//! remembered where they want no more.

use super::core::Service;
use crate::clock::now_ms;
use crate::passing::Letter;
use carriers::{Heard, InboundMessage};
use flow::{Channel, Content, Flow, Viber};
use index::{Filter, Order, Predicate, Query, TextOperator};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::StoreError;
use tokio::time::Instant;
use uuid::Uuid;
use wire::time::iso;

/// The last flows to a recipient that are looked at.
const FLOWS_MAX: usize = 50;

/// Why something was not taken; the provider should offer it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client's server has not acknowledged it yet.
    #[error("the client's server has not acknowledged it yet")]
    NotAcknowledged,
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
            _ => None,
        }
    }

    /// What the client's server is told (contract, section 5): the members of the original service, and ours
    /// beside them. What we have nothing to tell for is null.
    fn tell(&self, event: &str, from: &str, message: Option<&InboundMessage>, now_ms: i64) -> Value {
        let (viber, id) = (self.viber(), self.flow.message_id(self.message));
        let text = message.and_then(|message| message.text.as_deref());
        let media = message.and_then(|message| message.media_url.as_deref());
        let named = message.and_then(|message| message.file_name.as_deref());
        json!({
            "event": event,
            "trackingId": self.flow.id,
            "messageId": id,
            "referenceTrackingId": id,
            "direction": "Inbound",
            "from": from,
            "to": viber.map(|viber| &viber.sender),
            "label": viber.and_then(|viber| viber.label.as_deref()),
            "message": text,
            "text": text,
            "media": media,
            "mediaUrl": media,
            "filename": named.or_else(|| media.and_then(file_name)),
            "campaignName": null,
            "campaignTrackingId": null,
            "sentDate": iso(message.and_then(|message| message.sent_ms).unwrap_or(now_ms)),
            "receivedAt": iso(now_ms),
        })
    }
}

/// What a URL's path ends in.
fn file_name(url: &str) -> Option<&str> {
    let path = url.split_once("://")?.1.split(['?', '#']).next()?;
    path.split_once('/')?.1.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Takes a message, an opt-out or an opt-in. It waits for a client's server until `deadline` at most.
///
/// # Errors
/// When it could not be stored, or the provider should offer it again.
pub(super) async fn take(
    service: &Service,
    carrier: &str,
    heard: &Heard,
    deadline: Instant,
) -> Result<(), NotTaken> {
    let now_ms = now_ms();
    let (event, from, message, key) = match heard {
        Heard::Message(message) => ("message", &message.from, Some(message), &message.key),
        Heard::OptOut { from, key } => ("optOut", from, None, key),
        Heard::OptIn { from, key } => ("optIn", from, None, key),
        Heard::Receipt { .. } | Heard::Unknown { .. } | Heard::Nothing | Heard::Malformed { .. } => {
            return Ok(());
        }
    };
    let answered = find(service, carrier, from).await?;
    let Some(answered) = answered else {
        tracing::info!(carrier, event, "a recipient answers no message that is known");
        metrics::counter!("switchback_inbound_total", "event" => event, "result" => "unknown").increment(1);
        return Ok(());
    };
    let application = answered.flow.application.clone();
    match heard {
        Heard::OptOut { .. } => {
            let reason = format!("told {carrier}");
            service.suppress(&application, Channel::Viber, from.clone(), reason).await?;
        }
        Heard::OptIn { .. } => {
            service.unsuppress(&application, Channel::Viber, from.clone()).await?;
        }
        _ => {}
    }
    let Some(url) = answered.viber().and_then(|viber| viber.inbound_url.clone()) else {
        metrics::counter!("switchback_inbound_total", "event" => event, "result" => "no url").increment(1);
        return Ok(());
    };
    let id = webhook_id(carrier, event, from, key);
    let body = answered.tell(event, from, message, now_ms).to_string();
    let letter = Letter { id, event, application, url, body };
    let engine = &service.engine;
    let taken = engine.passing.offer(&engine.callbacks, letter, deadline).await;
    if taken { Ok(()) } else { Err(NotTaken::NotAcknowledged) }
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

async fn find(service: &Service, carrier: &str, from: &str) -> Result<Option<Answered>, StoreError> {
    let index = service.index();
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
    let flows = service.store().load(keys.into_iter().map(|key| key.1).collect()).await?;
    let answered = flows.into_iter().flatten().find_map(|flow| {
        let message = flow.state.messages.iter().zip(&flow.steps).rposition(|(message, step)| {
            let taken = |part: &flow::Part| part.carrier.as_ref().is_some_and(|of| of.carrier == carrier);
            step.channel() == Channel::Viber && step.to() == from && message.parts.iter().any(taken)
        })?;
        Some(Answered { flow, message })
    });
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_its_url_ends_in() {
        assert_eq!(file_name("https://a.example/x/photo.jpg?sig=a/b#c"), Some("photo.jpg"));
        assert_eq!(file_name("https://a.example/x/"), None);
        assert_eq!(file_name("https://a.example"), None);
    }
}
