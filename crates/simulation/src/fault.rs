//! What can go wrong, and how likely it does in a run.

use clap::ValueEnum;
use fastrand::Rng;
use std::collections::BTreeSet;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Fault {
    /// The server is killed.
    Crash,
    /// Something takes longer than it should.
    Delay,
    /// The store refuses a call.
    StoreFails,
    /// A carrier throttles.
    Throttled,
    /// A carrier refuses a part for good.
    Refused,
    /// A carrier's connection is lost before it has a part.
    DroppedBefore,
    /// A carrier's connection is lost when it has a part.
    DroppedAfter,
    /// A carrier answers late.
    Slow,
    /// A receipt comes twice.
    Repeated,
    /// Receipts come in another order.
    Disordered,
    /// Carriers say what is wrong or means nothing.
    Wrong,
    /// The target of callbacks fails.
    TargetFails,
    /// The target's answer is lost.
    AnswerLost,
    /// A carrier is down for a while.
    GoesDown,
    /// The clock is set.
    ClockJumps,
    /// Clients cancel. No fault, but it makes a run harder to understand.
    Cancels,
    /// The clock is wrong for some seconds.
    ClockErrs,
    /// A copy of the database goes on elsewhere, and its index comes back.
    GoesAside,
    /// Another application floods the server; in hostile trials only.
    Flood,
    /// Some of that application's flows can't be stored any more; in hostile trials only.
    Unstorable,
    /// An operator pauses a carrier for a while.
    Paused,
}

/// The faults that a seed draws, and the highest likelihood that it draws for each.
const DRAWN: [(Fault, f64); 19] = [
    (Fault::Crash, 0.004),
    (Fault::Delay, 0.5),
    (Fault::StoreFails, 0.05),
    (Fault::Throttled, 0.2),
    (Fault::Refused, 0.1),
    (Fault::DroppedBefore, 0.1),
    (Fault::DroppedAfter, 0.1),
    (Fault::Slow, 0.1),
    (Fault::Repeated, 0.3),
    (Fault::Disordered, 0.3),
    (Fault::Wrong, 0.2),
    (Fault::TargetFails, 0.4),
    (Fault::AnswerLost, 0.2),
    (Fault::GoesDown, 0.3),
    (Fault::ClockJumps, 0.1),
    (Fault::Cancels, 0.2),
    (Fault::ClockErrs, 0.1),
    (Fault::GoesAside, 1.0),
    (Fault::Paused, 0.3),
];

/// The faults of hostile trials.
const HOSTILE: [(Fault, f64); 3] = [(Fault::ClockErrs, 0.3), (Fault::Flood, 1.0), (Fault::Unstorable, 0.1)];

/// How likely things go wrong. Each seed draws which of them can: a run in which everything fails all the
/// time tests little.
#[derive(Clone, Debug, Default)]
pub struct Mood(Vec<(Fault, f64)>);

impl Mood {
    /// The mood of a seed.
    pub fn draw(random: &mut Rng) -> Mood {
        let mut maybe = |most: f64| if random.bool() { random.f64() * most } else { 0.0 };
        Mood(DRAWN.iter().map(|(fault, most)| (*fault, maybe(*most))).collect())
    }

    /// The mood of a run with another application that takes what it can.
    pub fn hostile() -> Mood {
        Mood(HOSTILE.to_vec())
    }

    /// How likely a fault is.
    pub fn of(&self, fault: Fault) -> f64 {
        self.0.iter().find(|(kind, _)| *kind == fault).map_or(0.0, |(_, likelihood)| *likelihood)
    }

    /// The faults that can happen.
    pub fn faults(&self) -> BTreeSet<Fault> {
        self.0.iter().filter(|(_, likelihood)| *likelihood > 0.0).map(|(fault, _)| *fault).collect()
    }

    /// Lets some faults not happen.
    pub fn switch_off(&mut self, faults: &BTreeSet<Fault>) {
        self.0.retain(|(fault, _)| !faults.contains(fault));
    }
}
