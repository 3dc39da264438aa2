//! What jobs will look up for certain: all of it together, before the first run.

use super::transaction::{Context, has_handed_part};
use crate::database::Tables;
use crate::wanted::{Found, KeyOf, Reference, Wanted};
use flow::{CarrierRef, Flow};
use std::sync::Arc;
use uuid::Uuid;

/// What a job will look up for certain.
#[derive(Debug)]
pub(crate) enum Need {
    /// A flow for an event, and the early receipts under the reference that the event brings.
    Event(Uuid, Option<CarrierRef>),
    /// A flow, and its application's balance.
    Balance(Uuid),
    /// The part that is called so, and its flow.
    Reference(CarrierRef),
    /// An idempotency key.
    Key(KeyOf),
}

/// Adds to `wanted` what a job needs and what is neither in memory nor found yet.
pub(crate) fn plan(need: &Need, context: &Context, tables: Tables, found: &Found, wanted: &mut Wanted) {
    match need {
        Need::Event(id, reference) => {
            want_flow(*id, context, tables, found, wanted);
            if let Some(of) = reference.as_ref().filter(|of| tables.early && !found.early.contains_key(*of)) {
                wanted.early.insert(of.clone());
            }
        }
        Need::Balance(id) => {
            want_flow(*id, context, tables, found, wanted);
            let cached = context.shared.cache.lock().peek(id).map(|stored| Arc::clone(&stored.flow));
            let flow = cached.or_else(|| match found.flows.get(id) {
                Some(Ok(Some(stored))) => Some(Arc::clone(&stored.flow)),
                _ => None,
            });
            if let Some(flow) = flow.filter(|flow| !found.balances.contains_key(&flow.application)) {
                wanted.balances.insert(flow.application.clone());
            }
        }
        Need::Reference(of) => match found.references.get(of) {
            Some(Reference { newest, older }) => {
                for place in newest.iter().chain(older) {
                    want_flow(place.flow, context, tables, found, wanted);
                }
            }
            None => {
                wanted.references.insert(of.clone());
            }
        },
        Need::Key(of) => {
            if !found.keys.contains_key(of) {
                wanted.keys.insert(of.clone());
            }
        }
    }
}

/// Wants a flow that is not in memory, and its unanswered parts if it can have any.
fn want_flow(id: Uuid, context: &Context, tables: Tables, found: &Found, wanted: &mut Wanted) {
    let is_unanswered = |flow: &Flow| tables.unanswered && has_handed_part(flow);
    let cached = context.shared.cache.lock().peek(&id).map(|stored| is_unanswered(&stored.flow));
    let may_be_unanswered = match (cached, found.flows.get(&id)) {
        (Some(unanswered), _) => unanswered,
        (None, Some(Ok(Some(stored)))) => is_unanswered(&stored.flow),
        (None, Some(_)) => false,
        (None, None) => {
            wanted.flows.insert(id);
            false
        }
    };
    if may_be_unanswered && !found.unanswered.contains_key(&id) {
        wanted.unanswered.insert(id);
    }
}
