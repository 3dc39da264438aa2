//! Which methods of the store faults reach.

use std::collections::BTreeMap;
use std::fmt;

/// Which side of a call of the store something happens on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Nothing was done yet.
    Before,
    /// It was done, and the caller has not heard of it.
    After,
}

/// What happened at one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Calls.
    pub calls: u64,
    /// Calls that were delayed, before or after.
    pub delayed: u64,
    /// Calls that the store refused.
    pub failed: u64,
    /// Calls before which the server died.
    pub died_before: u64,
    /// Calls that were done, and whose caller died before it heard: lost answers.
    pub answers_lost: u64,
}

/// What happened at each method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(BTreeMap<&'static str, Met>);

impl Met {
    /// Faults of all kinds.
    pub fn faults(&self) -> u64 {
        self.delayed + self.failed + self.died_before + self.answers_lost
    }
}

impl Reach {
    /// What happened at a method.
    pub fn of(&self, method: &str) -> Met {
        self.0.get(method).copied().unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn at(&mut self, method: &'static str) -> &mut Met {
        self.0.entry(method).or_default()
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Reach) {
        for (method, met) in &other.0 {
            let sum = self.at(method);
            sum.calls += met.calls;
            sum.delayed += met.delayed;
            sum.failed += met.failed;
            sum.died_before += met.died_before;
            sum.answers_lost += met.answers_lost;
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["method", "calls", "delayed", "failed", "died before", "answers lost"];
        let [method, rest @ ..] = head;
        write!(f, "{method:<24}")?;
        rest.iter().try_for_each(|name| write!(f, "{name:>14}"))?;
        for (method, met) in &self.0 {
            write!(f, "\n{method:<24}")?;
            let numbers = [met.calls, met.delayed, met.failed, met.died_before, met.answers_lost];
            numbers.iter().try_for_each(|number| write!(f, "{number:>14}"))?;
        }
        Ok(())
    }
}
