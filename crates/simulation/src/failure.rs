//! A promise that was broken, with all that is known of it.

use crate::course::Course;
use crate::fault::Fault;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was simulated.
    pub plan: Plan,
    /// Which promise, and where.
    pub broken: String,
    /// The faults that could happen.
    pub faults: BTreeSet<Fault>,
    /// Times that the server was killed.
    pub crashes: u32,
    /// What happened until then.
    pub course: Course,
}

impl Failure {
    /// Flows that were sent, kinds of faults, and crashes: what makes it hard to understand.
    pub fn size(&self) -> (usize, usize, u32) {
        (self.plan.sent().len(), self.faults.len(), self.crashes)
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flows, _, crashes) = self.size();
        writeln!(f, "seed {}: {}", self.plan.seed, self.broken)?;
        writeln!(f, "{flows} flows, {crashes} crashes; faults: {:?}", self.faults)?;
        write!(f, "{}", self.course)?;
        write!(f, "repeat it: {}", self.plan)
    }
}
