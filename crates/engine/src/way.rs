//! Where a part goes now: gathers what a choice among carriers depends on, and takes a place at the chosen
//! one.

use crate::choosing::{self, Availability, Candidate, Choice, choose};
use crate::clock::now_ms;
use crate::core::Engine;
use crate::managed_carrier::{ManagedCarrier, Place};
use flow::{Flow, Submit};
use std::sync::Arc;
use store::{Wait, Why};

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
    /// Nowhere before a time, and what it waits for.
    Later { at_ms: i64, wait: Wait },
    /// Nowhere, ever.
    Never { why: String },
}

/// The carriers that can carry a part, in the order in which the routes have them, and why the others can't.
struct Able<'a> {
    carriers: Vec<&'a Arc<ManagedCarrier>>,
    refusals: Vec<String>,
}

/// Which carriers can carry a part; nothing while the first part of its message has not found its carrier.
fn able<'a>(engine: &'a Engine, flow: &Flow, message: u16, part: u16) -> Option<Able<'a>> {
    let (step, state) = (&flow.steps[usize::from(message)], &flow.state.messages[usize::from(message)]);
    let first = state.parts.first()?;
    let mut order = engine.routes.order(step, &flow.application, flow.message_id(usize::from(message)));
    if part > 0 && engine.carriers_of(step.channel()).nth(1).is_some() {
        // All parts go one way, which the first one finds.
        match &first.carrier {
            Some(carrier) => order.sort_by_key(|name| *name != carrier.carrier),
            None if first.status.status.is_final() => {}
            None => return None,
        }
    }
    let mut able = Able { carriers: Vec::new(), refusals: Vec::new() };
    for carrier in order.into_iter().filter_map(|name| engine.carrier(name)) {
        match carrier.carrier.refuses(step, flow.restrictions.as_ref()) {
            Some(why) => able.refusals.push(format!("{}: {why}", carrier.config.name)),
            None => able.carriers.push(carrier),
        }
    }
    Some(able)
}

/// Decides where a part goes; nothing when it is not to be handed over.
pub(crate) fn way(engine: &Engine, flow: &Flow, message: u16, part: u16) -> Option<Way> {
    let attempts = tries(flow, message, part)?.attempts;
    let now_ms = now_ms();
    let Some(Able { carriers, refusals }) = able(engine, flow, message, part) else {
        return Some(Way::Later { at_ms: now_ms + FIRST_PART_MS, wait: Wait::Turn });
    };
    let park = |carrier: &ManagedCarrier, pause_ms, or_else| Way::Later {
        at_ms: carrier.park(&flow.application, now_ms, pause_ms),
        wait: Wait::Carrier { carrier: carrier.number, why: carrier.obstacle().unwrap_or(or_else) },
    };
    Some(match choose(&candidates(&carriers, now_ms), part, attempts) {
        Choice::None => {
            let channel = flow.steps[usize::from(message)].channel();
            Way::Never { why: format!("No carrier for {channel} takes it. {}", refusals.join("; ")) }
        }
        Choice::NoneReady { preferred } => park(carriers[preferred], DOWN_MS, Why::Down),
        Choice::WithFirstPart => Way::Later { at_ms: now_ms + DOWN_MS, wait: Wait::Turn },
        Choice::Ask { carrier } => match carriers[carrier].enter() {
            Some(place) => Way::Now(Arc::clone(carriers[carrier]), place),
            None => park(carriers[carrier], BUSY_MS, Why::Busy),
        },
    })
}

/// The carrier that a part waits for, as they are now, and why; nothing if none can carry it, or if it goes
/// with another part.
pub(crate) fn waits_for<'a>(
    engine: &'a Engine,
    flow: &Flow,
    message: u16,
    part: u16,
    attempts: u32,
) -> Option<(&'a ManagedCarrier, Why)> {
    let carriers = able(engine, flow, message, part)?.carriers;
    match choose(&candidates(&carriers, now_ms()), part, attempts) {
        Choice::NoneReady { preferred: carrier } | Choice::Ask { carrier } => {
            let carrier = &**carriers[carrier];
            Some((carrier, carrier.obstacle().unwrap_or(Why::Busy)))
        }
        Choice::None | Choice::WithFirstPart => None,
    }
}

fn candidates(carriers: &[&Arc<ManagedCarrier>], now_ms: i64) -> Vec<Candidate> {
    let candidate = |carrier: &&Arc<ManagedCarrier>| Candidate {
        availability: carrier.availability(),
        is_well: carrier.health.is_well(now_ms),
        accepts_whole_message: carrier.carrier.accepts_whole_message(),
    };
    carriers.iter().map(candidate).collect()
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
    let step = &flow.steps[usize::from(message)];
    let order = engine.routes.order(step, &flow.application, flow.message_id(usize::from(message)));
    let carriers = order.into_iter().filter_map(|name| engine.carrier(name));
    let able: Vec<_> = carriers
        .filter(|carrier| carrier.carrier.refuses(step, flow.restrictions.as_ref()).is_none())
        .collect();
    let availability: Vec<Availability> = able.iter().map(|carrier| carrier.availability()).collect();
    let asked = able.iter().position(|carrier| carrier.config.name == asked.config.name);
    choosing::has_untried(&availability, asked, attempts)
}
