//! Finds trackings: exact totals and any page, over any time range.
//!
//! Derived state: it follows the store's changes and can be thrown away and rebuilt. This first version keeps an
//! ordered map per application and walks the time range; its interface is what a faster one has to answer to:
//! a [`Query`] in, the total and the ids of one page out.

mod query;

pub use query::{Filter, Order, Predicate, Query, TextOperator};

use flow::Facets;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use uuid::Uuid;

/// A flow's place in the order of a search: creation time (Unix milliseconds), then id.
type Key = (i64, Uuid);

/// What a query finds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// How many flows match, exactly.
    pub total: usize,
    /// The ids of the page asked for, in order.
    pub ids: Vec<Uuid>,
}

/// The index of all applications.
#[derive(Default)]
pub struct Index {
    /// Searches read it side by side; the store's writer changes it between two commits.
    applications: RwLock<HashMap<String, BTreeMap<Key, Facets>>>,
}

impl Index {
    /// Adds flows or replaces what is known of them: application, creation time, id, facets.
    pub fn put<'a>(&self, flows: impl IntoIterator<Item = (&'a str, i64, Uuid, Facets)>) {
        let mut applications = self.applications.write();
        for (application, created_ms, id, facets) in flows {
            match applications.get_mut(application) {
                Some(rows) => rows.insert((created_ms, id), facets),
                None => applications.entry(application.into()).or_default().insert((created_ms, id), facets),
            };
        }
    }

    /// Forgets a flow.
    pub fn remove(&self, application: &str, created_ms: i64, id: Uuid) {
        if let Some(rows) = self.applications.write().get_mut(application) {
            rows.remove(&(created_ms, id));
        }
    }

    /// How many flows it knows.
    pub fn len(&self) -> usize {
        self.applications.read().values().map(BTreeMap::len).sum()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Answers a query.
    pub fn search(&self, query: &Query) -> Found {
        let applications = self.applications.read();
        let Some(rows) = applications.get(&query.application) else { return Found::default() };
        let from = query.from_ms.map_or(Bound::Unbounded, |ms| Bound::Included((ms, Uuid::nil())));
        let until = query.until_ms.map_or(Bound::Unbounded, |ms| Bound::Excluded((ms, Uuid::nil())));
        if let (Some(from_ms), Some(until_ms)) = (query.from_ms, query.until_ms)
            && from_ms >= until_ms
        {
            return Found::default();
        }
        let matching =
            rows.range((from, until)).filter(|(_, facets)| query.matches(facets)).map(|(key, _)| key.1);
        match query.order {
            Order::NewestFirst => page(matching.rev(), query),
            Order::OldestFirst => page(matching, query),
        }
    }
}

fn page(matching: impl Iterator<Item = Uuid>, query: &Query) -> Found {
    let end = query.offset.saturating_add(query.limit);
    let mut found = Found::default();
    for id in matching {
        if (query.offset..end).contains(&found.total) {
            found.ids.push(id);
        }
        found.total += 1;
    }
    found
}
