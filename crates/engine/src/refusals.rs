//! Requests that were refused to an application, in memory, without what they had in them: "my request got a
//! 400" is half of what support is asked.

use flow::Rule;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// Refusals that are kept of an application.
const REFUSALS_MAX: usize = 1000;
/// Octets of memory of all that are kept, approximately.
const OCTETS_MAX: usize = 8 << 20;

/// A request that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// What its answer and the log call it.
    pub request_id: String,
    /// The HTTP method.
    pub method: String,
    /// The path, with the names of parameters in place of their values.
    pub path: String,
    /// The code of the answer (docs/errors.md).
    pub code: String,
    /// The first broken rule, and the member that breaks it.
    pub broken: Option<(String, Rule)>,
}

impl Refusal {
    /// Octets of memory that it takes, approximately.
    fn octets(&self) -> usize {
        let field = self.broken.as_ref().map_or(0, |(field, _)| field.len());
        let texts = [&self.request_id, &self.method, &self.path, &self.code];
        size_of::<Refusal>() + field + texts.into_iter().map(String::len).sum::<usize>()
    }
}

/// The refusals of all applications.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Oldest first.
    applications: HashMap<String, VecDeque<Refusal>>,
    octets: usize,
}

impl Kept {
    fn add(&mut self, application: &str, refusal: Refusal) {
        self.octets += refusal.octets();
        self.applications.entry(application.to_owned()).or_default().push_back(refusal);
        if self.applications.get(application).is_some_and(|own| own.len() > REFUSALS_MAX) {
            self.forget_oldest(application);
        }
        while self.octets > OCTETS_MAX {
            // Who has most gives way, so that one application's do not cost the others theirs.
            let most = self.applications.iter().max_by_key(|(_, own)| own.len());
            let Some(most) = most.map(|(application, _)| application.clone()) else { return };
            self.forget_oldest(&most);
        }
    }

    fn forget_oldest(&mut self, application: &str) {
        let Some(own) = self.applications.get_mut(application) else { return };
        self.octets -= own.pop_front().map_or(0, |oldest| oldest.octets());
        if own.is_empty() {
            self.applications.remove(application);
        }
    }
}

impl Refusals {
    pub(crate) fn add(&self, application: &str, refusal: Refusal) {
        self.0.lock().add(application, refusal);
    }

    /// Those of an application, newest first.
    pub(crate) fn of(&self, application: &str) -> Vec<Refusal> {
        let kept = self.0.lock();
        kept.applications.get(application).into_iter().flatten().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(at_ms: i64, path: &str) -> Refusal {
        let (request_id, method, code) = ("r".repeat(36), "POST".into(), "400022001".into());
        let broken = Some(("flow[0].to".into(), Rule::Required));
        Refusal { at_ms, request_id, method, path: path.into(), code, broken }
    }

    #[test]
    fn the_last_thousand_are_kept() {
        let mut kept = Kept::default();
        (0..1500).for_each(|at_ms| kept.add("one", refusal(at_ms, "/failover")));
        let own = &kept.applications["one"];
        assert_eq!((own.len(), own[0].at_ms), (REFUSALS_MAX, 500));
        assert_eq!(kept.octets, own.iter().map(Refusal::octets).sum::<usize>());
    }

    #[test]
    fn the_memory_of_all_is_bounded_and_who_has_few_keeps_them() {
        let mut kept = Kept::default();
        kept.add("quiet", refusal(1, "/failover"));
        let path = "p".repeat(200);
        for application in 0..100 {
            let name = format!("loud {application}");
            (0..REFUSALS_MAX as i64).for_each(|at_ms| kept.add(&name, refusal(at_ms, &path)));
        }
        assert!(kept.octets <= OCTETS_MAX);
        assert_eq!(kept.applications["quiet"].len(), 1);
        let sum: usize = kept.applications.values().flatten().map(Refusal::octets).sum();
        assert_eq!(kept.octets, sum);
    }
}
