//! Where a part goes now: gathers what a choice among carriers depends on, and takes a place at the chosen
//! one.

use crate::choosing::{self, Availability, Candidate, Choice, choose};
use crate::clock::now_ms;
use crate::core::Engine;
use crate::managed_carrier::{ManagedCarrier, Place};
use flow::{Flow, Submit};
use std::sync::Arc;

/// How long a message waits for a carrier that is not ready, and for one that has enough to do.
pub(crate) const DOWN_MS: i64 = 500;
pub(crate) const BUSY_MS: i64 = 20;
/// How long the later parts of a message wait for the first one to find its carrier.
const FIRST_PART_MS: i64 = 20;

/// How often a part was handed over in vain.
#[derive(Clone, Copy)]
pub(crate) struct Tries {
    /// Refused for now, or of unknown outcome.
    pub(crate) attempts: u32,
    /// Of unknown outcome alone.
    pub(crate) unknown: u8,
}

/// How often a part was handed over in vain; nothing when it is not to be handed over: the flow has moved on,
/// or the message's time is over.
pub(crate) fn tries(flow: &Flow, message: u16, part: u16) -> Option<Tries> {
    if flow.live() != Some(usize::from(message)) {
        return None;
    }
    let state = &flow.state.messages[usize::from(message)];
    let submit = state.parts.get(usize::from(part))?.submit;
    let Submit::Owed { attempts, unknown, .. } = submit else { return None };
    (state.expires_ms > now_ms()).then_some(Tries { attempts, unknown })
}

/// Where a part goes.
pub(crate) enum Way {
    /// To this carrier, now.
    Now(Arc<ManagedCarrier>, Place),
    /// Nowhere before a time.
    Later { at_ms: i64 },
    /// Nowhere, ever.
    Never { why: String },
}

/// Decides where a part goes; `carriers` is how many the channel has.
pub(crate) fn way(engine: &Engine, flow: &Flow, message: u16, part: u16, carriers: usize) -> Option<Way> {
    let attempts = tries(flow, message, part)?.attempts;
    let (step, state) = (&flow.steps[usize::from(message)], &flow.state.messages[usize::from(message)]);
    let now_ms = now_ms();
    let first = state.parts.first()?;
    let mut order = engine.routes.order(step, &flow.application, state.id);
    if part > 0 && carriers > 1 {
        // All parts go one way, which the first one finds.
        match &first.carrier {
            Some(carrier) => order.sort_by_key(|name| *name != carrier.carrier),
            None if first.status.status.is_final() => {}
            None => return Some(Way::Later { at_ms: now_ms + FIRST_PART_MS }),
        }
    }
    let carriers = order.into_iter().filter_map(|name| engine.carrier(name));
    let (mut able, mut refusals) = (Vec::new(), Vec::new());
    for carrier in carriers {
        match carrier.carrier.refuses(step, flow.restrictions.as_ref()) {
            Some(why) => refusals.push(format!("{}: {why}", carrier.config.name)),
            None => able.push(carrier),
        }
    }
    let states: Vec<Candidate> = able.iter().map(|carrier| candidate(carrier, now_ms)).collect();
    Some(match choose(&states, part, attempts) {
        Choice::None => {
            let why = format!("No carrier for {} takes it. {}", step.channel(), refusals.join("; "));
            Way::Never { why }
        }
        Choice::NoneReady { preferred } => {
            Way::Later { at_ms: able[preferred].park(&flow.application, now_ms, DOWN_MS) }
        }
        Choice::WithFirstPart => Way::Later { at_ms: now_ms + DOWN_MS },
        Choice::Ask { carrier } => match able[carrier].enter() {
            Some(place) => Way::Now(Arc::clone(able[carrier]), place),
            None => Way::Later { at_ms: able[carrier].park(&flow.application, now_ms, BUSY_MS) },
        },
    })
}

fn candidate(carrier: &ManagedCarrier, now_ms: i64) -> Candidate {
    Candidate {
        availability: carrier.availability(),
        is_well: carrier.health.is_well(now_ms),
        accepts_whole_message: carrier.carrier.accepts_whole_message(),
    }
}

/// Whether another carrier than the one that was just asked could take a part at once; each is asked once
/// before anybody waits.
pub(crate) fn has_untried(
    engine: &Engine,
    flow: &Flow,
    message: u16,
    attempts: u32,
    asked: &ManagedCarrier,
) -> bool {
    let (step, state) = (&flow.steps[usize::from(message)], &flow.state.messages[usize::from(message)]);
    let order = engine.routes.order(step, &flow.application, state.id);
    let carriers = order.into_iter().filter_map(|name| engine.carrier(name));
    let able: Vec<_> = carriers
        .filter(|carrier| carrier.carrier.refuses(step, flow.restrictions.as_ref()).is_none())
        .collect();
    let availability: Vec<Availability> = able.iter().map(|carrier| carrier.availability()).collect();
    let asked = able.iter().position(|carrier| carrier.config.name == asked.config.name);
    choosing::has_untried(&availability, asked, attempts)
}
