//! The door: the indexes of all applications.

use crate::application::Application;
use crate::facet::Combination;
use crate::files::written::Written;
use crate::flows::Flows;
use crate::limits::Limits;
use crate::query::language::{Found, Query};
use crate::query::merge;
use crate::record::{Recipients, Record};
use flow::Facets;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A flow as the index gets to know it: its application, its creation time (Unix milliseconds), its id, its
/// facets.
pub type Indexed<A> = (A, i64, Uuid, Facets);

/// The index of all applications.
#[derive(Default)]
pub struct Index {
    pub(crate) limits: Limits,
    pub(crate) applications: RwLock<HashMap<String, Arc<Mutex<Application>>>>,
    /// Held while a segment is made: one at a time.
    tidying: Mutex<()>,
    is_due: Mutex<bool>,
    woken: Condvar,
    pub(crate) written: Mutex<Written>,
}

impl Index {
    /// An empty index with other sizes than the usual ones.
    pub fn with_limits(limits: Limits) -> Index {
        Index { limits, ..Index::default() }
    }

    /// The application with a name, if it has flows.
    fn known(&self, name: &str) -> Option<Arc<Mutex<Application>>> {
        self.applications.read().get(name).cloned()
    }

    /// The application with a name, a new one if absent.
    pub(crate) fn application(&self, name: &str) -> Arc<Mutex<Application>> {
        if let Some(known) = self.known(name) {
            return known;
        }
        let mut applications = self.applications.write();
        let new = || Arc::new(Mutex::new(Application::new(name.to_owned(), self.limits, Flows::default())));
        Arc::clone(applications.entry(name.to_owned()).or_insert_with(new))
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.applications.write().clear();
        *self.written.lock() = Written::default();
    }

    /// Adds flows or replaces what is known of them.
    pub fn put<A: AsRef<str>>(&self, flows: impl IntoIterator<Item = Indexed<A>>) {
        let mut needs_build = false;
        for (application, created_ms, id, facets) in flows {
            let record = Record {
                key: (created_ms, id),
                combination: Combination::of(&facets),
                recipients: Recipients::new(&facets.recipients),
            };
            let application = self.application(application.as_ref());
            let mut application = application.lock();
            application.put(record);
            needs_build |= application.needs_build();
        }
        if needs_build {
            self.wake();
        }
    }

    /// Forgets a flow.
    pub fn remove(&self, application: &str, created_ms: i64, id: Uuid) {
        if let Some(known) = self.known(application) {
            known.lock().remove((created_ms, id));
        }
    }

    /// Forgets a flow, and with the next [`Index::tidy`] and [`Index::save`] everything that was kept of it.
    pub fn erase(&self, application: &str, created_ms: i64, id: Uuid) {
        if let Some(known) = self.known(application) {
            known.lock().erase((created_ms, id));
            self.wake();
        }
    }

    /// Whether something is left of what was erased.
    pub fn is_erasing(&self) -> bool {
        self.applications.read().values().any(|application| application.lock().has_erased())
    }

    /// The applications that it knows flows of.
    pub fn applications(&self) -> Vec<String> {
        self.applications.read().keys().cloned().collect()
    }

    /// What it knows of a flow.
    pub fn get(&self, application: &str, created_ms: i64, id: Uuid) -> Option<Facets> {
        snapshot(&*self.known(application)?).get((created_ms, id))
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
        let Some(known) = self.known(&query.application) else { return Some(Found::default()) };
        merge::search(&snapshot(&known), query, goes_on)
    }

    /// Makes segments where some are due. Returns whether some were. To be called from a thread of its own,
    /// again and again: [`Index::wait`] returns when.
    pub fn tidy(&self) -> bool {
        let _one = self.tidying.lock();
        let applications: Vec<_> = self.applications.read().values().cloned().collect();
        let mut due = applications.iter().filter_map(|application| {
            let build = application.lock().start_build()?;
            Some((application, build))
        });
        let Some((application, build)) = due.next() else { return false };
        let mut built = build.run();
        while !application.lock().finish_build(&build, &mut built) {
            let changes = application.lock().take_changes();
            changes.redo(&mut built);
        }
        true
    }

    /// Ends a [`Index::wait`].
    pub fn wake(&self) {
        *self.is_due.lock() = true;
        self.woken.notify_all();
    }

    /// Returns when something may be due, at the latest after a time.
    pub fn wait(&self, at_most: Duration) {
        let mut is_due = self.is_due.lock();
        if !*is_due {
            self.woken.wait_for(&mut is_due, at_most);
        }
        *is_due = false;
    }
}

/// A copy of an application's flows as they are.
fn snapshot(application: &Mutex<Application>) -> Flows {
    // The writer holds the lock for some microseconds. Spinning that long is cheaper than sleeping: a thread
    // that the system has to wake comes back ten times as late. Publishing a copy after each change (as
    // `arc-swap` would) needs no lock, but then every change copies the nodes that it touches, since the
    // published copy still shares them.
    for _ in 0..10_000 {
        if let Some(application) = application.try_lock() {
            return application.flows.clone();
        }
        std::hint::spin_loop();
    }
    application.lock().flows.clone()
}
