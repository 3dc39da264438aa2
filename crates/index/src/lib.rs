//! Finds trackings: exact totals and any page, over any time range.
//!
//! Derived state: it follows the store's changes and can be thrown away and rebuilt. Per application, rows lie in
//! the order of creation with one byte of facets each; counts of facets per block make totals and deep pages as
//! cheap as the first page, and lists of rows per recipient answer `to` (`docs/search-index.md` has the figures).

mod application;
mod facet;
mod query;
mod recipients;
mod rows;

pub use query::{Filter, Key, Order, Predicate, Query, TextOperator, place_of};

use application::Application;
use flow::Facets;
use parking_lot::RwLock;
use std::collections::HashMap;
use uuid::Uuid;

/// A flow as the index gets to know it: its application, its creation time (Unix milliseconds), its id, its facets.
pub type Entry<A> = (A, i64, Uuid, Facets);

/// What a query finds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// How many flows match, exactly.
    pub total: usize,
    /// The places of the page asked for, in order; each has its flow's id.
    pub keys: Vec<Key>,
}

/// The sizes of an index's parts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of a block: what is looked through where counts end.
    pub block_rows: usize,
    /// Newest flows that wait for those that come a little late.
    pub tail_rows: usize,
    /// Flows that came far too late, before everything is put in order again.
    pub stragglers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { block_rows: 4096, tail_rows: 1024, stragglers: 4096 }
    }
}

/// The index of all applications.
#[derive(Default)]
pub struct Index {
    limits: Limits,
    /// Searches read it side by side; the store's writer changes it between two commits.
    applications: RwLock<HashMap<String, Application>>,
}

impl Index {
    /// An empty index with other sizes than the usual ones.
    pub fn with_limits(limits: Limits) -> Index {
        Index { limits, applications: RwLock::default() }
    }

    /// Fills an empty index; faster than one [`Index::put`] after the other, in whatever order flows come.
    pub fn load(&self, mut entries: Vec<Entry<String>>) {
        entries.sort_unstable_by_key(|(_, created_ms, id, _)| (*created_ms, *id));
        self.put(entries);
    }

    /// Adds flows or replaces what is known of them.
    pub fn put<A: AsRef<str>>(&self, entries: impl IntoIterator<Item = Entry<A>>) {
        let mut applications = self.applications.write();
        for (application, created_ms, id, facets) in entries {
            let application = application.as_ref();
            if !applications.contains_key(application) {
                applications.insert(application.to_owned(), Application::new(self.limits));
            }
            if let Some(flows) = applications.get_mut(application) {
                flows.put((created_ms, id), facets);
            }
        }
    }

    /// Forgets a flow.
    pub fn remove(&self, application: &str, created_ms: i64, id: Uuid) {
        if let Some(flows) = self.applications.write().get_mut(application) {
            flows.remove((created_ms, id));
        }
    }

    /// How many flows it knows.
    pub fn len(&self) -> usize {
        self.applications.read().values().map(Application::len).sum()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Answers a query.
    pub fn search(&self, query: &Query) -> Found {
        if let (Some(from), Some(until)) = (query.from, query.until)
            && from >= until
        {
            return Found::default();
        }
        let applications = self.applications.read();
        applications.get(&query.application).map(|flows| flows.search(query)).unwrap_or_default()
    }
}
