//! Filling an empty index.

use crate::facet::Combination;
use crate::index::Index;
use crate::record::{Recipients, Record};
use crate::segment::rows::Rows;
use flow::Facets;
use std::collections::HashMap;
use uuid::Uuid;

/// Collects the flows of an empty index.
pub struct Loader<'a> {
    index: &'a Index,
    rows: HashMap<String, Rows>,
}

impl Index {
    /// Fills an empty index; faster than one [`Index::put`] after the other, in whatever order flows come.
    pub fn loader(&self) -> Loader<'_> {
        Loader { index: self, rows: HashMap::new() }
    }
}

impl Loader<'_> {
    /// Adds a flow.
    pub fn add(&mut self, application: &str, created_ms: i64, id: Uuid, facets: &Facets) {
        if !self.rows.contains_key(application) {
            self.rows.insert(application.to_owned(), Rows::default());
        }
        if let Some(rows) = self.rows.get_mut(application) {
            rows.push(Record {
                key: (created_ms, id),
                combination: Combination::of(facets),
                recipients: Recipients::new(&facets.recipients),
            });
        }
    }

    /// Makes the segments.
    pub fn finish(self) {
        for (name, rows) in self.rows {
            self.index.application(&name).lock().load(rows);
        }
    }
}
