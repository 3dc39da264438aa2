//! What is simulated: everything that a run depends on.

use crate::bug::Bug;
use crate::fault::Fault;
use crate::trial::Trial;
use clap::ValueEnum;
use std::collections::BTreeSet;
use std::fmt;

/// What is simulated. Equal plans have equal courses.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Draws clients, faults and their course.
    pub seed: u64,
    /// Flows that clients draw.
    pub flows: usize,
    /// The numbers of the flows that are sent, if not all are.
    pub only: Option<BTreeSet<usize>>,
    /// Faults that do not happen, though the seed draws them.
    pub without: BTreeSet<Fault>,
    /// The server is not killed more often.
    pub crashes_max: Option<u32>,
    /// The same clients and faults meet in other ways for each number; 0 is the seed's own course.
    pub variation: u64,
    /// A bug to be found.
    pub bug: Option<Bug>,
    /// What goes wrong.
    pub trial: Trial,
}

impl Plan {
    /// Whatever a seed draws, with so many flows.
    pub fn new(seed: u64, flows: usize) -> Plan {
        Plan {
            seed,
            flows,
            only: None,
            without: BTreeSet::new(),
            crashes_max: None,
            variation: 0,
            bug: None,
            trial: Trial::Any,
        }
    }

    /// The same with a bug, in the trial that can find it.
    pub fn with_bug(self, bug: Bug) -> Plan {
        Plan { bug: Some(bug), trial: bug.trial(), ..self }
    }

    /// Returns whether this flow is sent.
    pub fn sends(&self, number: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&number))
    }

    /// The numbers of the flows that are sent.
    pub fn sent(&self) -> Vec<usize> {
        (0..self.flows).filter(|number| self.sends(*number)).collect()
    }
}

impl fmt::Display for Plan {
    /// The command line that runs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo xtask simulate --seeds 1 --from {} --flows {}", self.seed, self.flows)?;
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        if let Some(bug) = self.bug {
            write!(f, " --bug {}", name(bug.to_possible_value()))?;
        }
        if let Some(only) = &self.only {
            let numbers: Vec<_> = only.iter().map(usize::to_string).collect();
            write!(f, " --only {}", numbers.join(","))?;
        }
        if !self.without.is_empty() {
            let names: Vec<_> = self.without.iter().map(|fault| name(fault.to_possible_value())).collect();
            write!(f, " --without {}", names.join(","))?;
        }
        if let Some(crashes) = self.crashes_max {
            write!(f, " --crashes-max {crashes}")?;
        }
        if self.variation > 0 {
            write!(f, " --variation {}", self.variation)?;
        }
        Ok(())
    }
}
