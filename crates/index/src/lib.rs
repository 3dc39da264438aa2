//! Finds trackings: exact totals and any page, over any time range.
//!
//! Derived state: it follows the store's changes and can be thrown away and rebuilt. Per application, rows lie in
//! the order of creation with one byte of facets each, in sealed segments and a few loose rows; counts of facets
//! make totals and deep pages as cheap as the first page (`docs/search.md` has the design and the figures).
//!
//! A search works on a copy of the application's state, which costs nothing to make: it waits for nobody, nobody
//! waits for it, and it sees every flow either before or after a change.

mod application;
mod build;
mod counts;
mod digits;
mod facet;
mod files;
mod flows;
mod image;
mod keys;
mod loose;
mod matches;
mod number;
mod query;
mod segment;
mod slots;
mod symbols;
mod term;
mod texts;
mod trie;

pub use files::{ApplicationStats, FilesError, FilesReport, Stats, stats};
pub use query::{Filter, Key, Order, Predicate, Query, TextOperator, place_of};

use ::flow::Facets;
use application::Application;
use build::{Recipients, Rows};
use facet::Combination;
use files::Written;
use flows::Flows;
use loose::Row;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
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
    /// Newest flows that wait for those that come a little late.
    pub loose_rows: usize,
    /// Flows behind them that are made into a segment.
    pub seal_rows: usize,
    /// Flows that came too late for their segment, before it is made anew.
    pub late_rows: usize,
    /// Neighbouring segments of like size that are made into one.
    pub merge_segments: usize,
    /// Recipients of all rows together that a segment may have, at most 2^24 - 1.
    pub segment_weight_max: usize,
    /// Prefixes and suffixes with more rows in a segment get counts of their own; others are listed.
    pub heavy_rows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            loose_rows: 1024,
            seal_rows: 4096,
            late_rows: 2048,
            merge_segments: 8,
            segment_weight_max: 16_000_000,
            heavy_rows: 65_536,
        }
    }
}

/// The index of all applications.
#[derive(Default)]
pub struct Index {
    limits: Limits,
    applications: RwLock<HashMap<String, Arc<Mutex<Application>>>>,
    /// One of them at a time makes segments.
    tidying: Mutex<()>,
    untidy: Mutex<bool>,
    woken: Condvar,
    written: Mutex<Written>,
}

impl Index {
    /// An empty index with other sizes than the usual ones.
    pub fn with_limits(limits: Limits) -> Index {
        Index { limits, ..Index::default() }
    }

    fn application(&self, name: &str) -> Arc<Mutex<Application>> {
        if let Some(known) = self.applications.read().get(name) {
            return Arc::clone(known);
        }
        let mut applications = self.applications.write();
        let new = || Arc::new(Mutex::new(Application::new(name.to_owned(), self.limits)));
        Arc::clone(applications.entry(name.to_owned()).or_insert_with(new))
    }

    /// Fills an empty index; faster than one [`Index::put`] after the other, in whatever order flows come.
    pub fn loader(&self) -> Loader<'_> {
        Loader { index: self, rows: HashMap::new() }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.applications.write().clear();
        *self.written.lock() = Written::default();
    }

    /// Adds flows or replaces what is known of them.
    pub fn put<A: AsRef<str>>(&self, entries: impl IntoIterator<Item = Entry<A>>) {
        let mut untidy = false;
        for (application, created_ms, id, facets) in entries {
            let key = (created_ms, id);
            let row =
                Row { key, combination: Combination::of(&facets), to: Recipients::new(&facets.recipients) };
            let application = self.application(application.as_ref());
            let mut application = application.lock();
            application.put(row);
            untidy |= application.is_untidy();
        }
        if untidy {
            self.wake();
        }
    }

    /// Forgets a flow.
    pub fn remove(&self, application: &str, created_ms: i64, id: Uuid) {
        let known = self.applications.read().get(application).cloned();
        if let Some(known) = known {
            known.lock().remove((created_ms, id));
        }
    }

    /// Forgets a flow, and with the next [`Index::tidy`] and [`Index::save`] everything that was kept of it.
    pub fn erase(&self, application: &str, created_ms: i64, id: Uuid) {
        let known = self.applications.read().get(application).cloned();
        if let Some(known) = known {
            known.lock().erase((created_ms, id));
            self.wake();
        }
    }

    /// Whether something is left of what was erased.
    pub fn is_erasing(&self) -> bool {
        self.applications.read().values().any(|application| application.lock().is_erasing())
    }

    /// The applications that it knows flows of.
    pub fn applications(&self) -> Vec<String> {
        self.applications.read().keys().cloned().collect()
    }

    /// What it knows of a flow.
    pub fn get(&self, application: &str, created_ms: i64, id: Uuid) -> Option<Facets> {
        let known = self.applications.read().get(application).cloned()?;
        snapshot(&known).get((created_ms, id))
    }

    /// How many flows it knows.
    pub fn len(&self) -> usize {
        self.applications.read().values().map(|application| application.lock().flows.len()).sum()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Answers a query.
    pub fn search(&self, query: &Query) -> Found {
        self.search_while(query, &|| true).unwrap_or_default()
    }

    /// Answers a query unless `goes_on` says no, which is asked before each segment; then there is no answer.
    pub fn search_while(&self, query: &Query, goes_on: &dyn Fn() -> bool) -> Option<Found> {
        if let (Some(from), Some(until)) = (query.from, query.until)
            && from >= until
        {
            return Some(Found::default());
        }
        let known = self.applications.read().get(&query.application).cloned();
        let Some(known) = known else { return Some(Found::default()) };
        snapshot(&known).search(query, goes_on)
    }

    /// Makes one segment where one is due; whether there was one. To be called from a thread of its own, again and
    /// again: [`Index::wait`] tells when.
    pub fn tidy(&self) -> bool {
        let _one = self.tidying.lock();
        let applications: Vec<_> = self.applications.read().values().cloned().collect();
        let mut jobs = applications.iter().filter_map(|application| {
            let job = application.lock().plan()?;
            Some((application, job))
        });
        let Some((application, job)) = jobs.next() else { return false };
        let mut made = job.make();
        while !application.lock().finish(&job, &mut made) {
            let noted = application.lock().noted();
            noted.catch_up(&mut made);
        }
        true
    }

    /// Ends a [`Index::wait`].
    pub fn wake(&self) {
        *self.untidy.lock() = true;
        self.woken.notify_all();
    }

    /// Returns when something may be due, or after a time.
    pub fn wait(&self, at_most: Duration) {
        let mut untidy = self.untidy.lock();
        if !*untidy {
            self.woken.wait_for(&mut untidy, at_most);
        }
        *untidy = false;
    }
}

/// A copy of an application's flows as they are.
fn snapshot(application: &Mutex<Application>) -> Flows {
    // Who has the lock has it for some microseconds: sleeping until then would take ten times as long.
    for _ in 0..10_000 {
        if let Some(application) = application.try_lock() {
            return application.flows.clone();
        }
        std::hint::spin_loop();
    }
    application.lock().flows.clone()
}

/// Collects the flows of an empty index.
pub struct Loader<'a> {
    index: &'a Index,
    rows: HashMap<String, Rows>,
}

impl Loader<'_> {
    /// Adds a flow.
    pub fn add(&mut self, application: &str, created_ms: i64, id: Uuid, facets: &Facets) {
        if !self.rows.contains_key(application) {
            self.rows.insert(application.to_owned(), Rows::default());
        }
        if let Some(rows) = self.rows.get_mut(application) {
            rows.push((created_ms, id), Combination::of(facets), Recipients::new(&facets.recipients));
        }
    }

    /// Makes the segments.
    pub fn finish(self) {
        for (name, rows) in self.rows {
            self.index.application(&name).lock().load(rows);
        }
    }
}
