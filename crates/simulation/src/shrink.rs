//! Makes a plan that fails smaller, as long as it fails: fewer flows, fewer kinds of faults, fewer crashes.

use crate::failure::Failure;
use crate::plan::Plan;
use crate::run::run;
use std::collections::BTreeSet;

/// Runs that one failure may cost.
const RUNS_MAX: u32 = 300;
/// Courses that a smaller plan is tried with: what is left out changes the course of all that follows it.
const VARIATIONS: u64 = 4;

/// Shrinks a failure. What remains fails, too, by this promise or by another one.
pub fn shrink(failure: Box<Failure>) -> Box<Failure> {
    let mut shrinking = Shrinking { best: failure, runs: 0 };
    loop {
        let size = shrinking.best.size();
        shrinking.flows();
        shrinking.faults();
        shrinking.crashes();
        if shrinking.best.size() == size || shrinking.runs >= RUNS_MAX {
            return shrinking.best;
        }
    }
}

struct Shrinking {
    best: Box<Failure>,
    runs: u32,
}

impl Shrinking {
    /// Takes a smaller plan if it fails in some course; returns whether it does.
    fn takes(&mut self, plan: &Plan) -> bool {
        for variation in 0..VARIATIONS {
            if self.runs >= RUNS_MAX {
                return false;
            }
            self.runs += 1;
            let variation = (plan.variation + variation) % VARIATIONS;
            if let Err(failure) = run(&Plan { variation, ..plan.clone() })
                && failure.size() < self.best.size()
            {
                self.best = failure;
                return true;
            }
        }
        false
    }

    /// Leaves out halves of the flows, then quarters and so on, down to single ones.
    fn flows(&mut self) {
        let mut length = self.best.plan.sent().len().div_ceil(2);
        while length > 0 {
            let sent = self.best.plan.sent();
            for left_out in sent.chunks(length) {
                let only: BTreeSet<usize> =
                    self.best.plan.sent().into_iter().filter(|number| !left_out.contains(number)).collect();
                if only.is_empty() {
                    continue;
                }
                self.takes(&Plan { only: Some(only), ..self.best.plan.clone() });
            }
            length = if length == 1 { 0 } else { length.div_ceil(2) };
        }
    }

    /// Switches off each kind of fault in turn.
    fn faults(&mut self) {
        for fault in self.best.faults.clone() {
            let mut plan = self.best.plan.clone();
            plan.without.insert(fault);
            self.takes(&plan);
        }
    }

    /// Lets the server be killed less often.
    fn crashes(&mut self) {
        for crashes in [0, self.best.crashes / 2, self.best.crashes.saturating_sub(1)] {
            if crashes < self.best.crashes {
                self.takes(&Plan { crashes_max: Some(crashes), ..self.best.plan.clone() });
            }
        }
    }
}
