//! The flows of one application: segments in order, and loose flows. A copy is cheap and stays as it was.

use crate::facet::Combination;
use crate::loose::Loose;
use crate::query::language::Key;
use crate::record::{Recipients, Record};
use crate::segment::ids::Row;
use crate::segment::reader::Segment;
use crate::segment::recipients::To;
use crate::segment::rows::Rows;
use flow::Facets;
use std::ops::{Bound, Range};
use std::sync::Arc;

#[derive(Clone, Default)]
pub(crate) struct Flows {
    /// In order; no two overlap.
    pub(crate) segments: Arc<Vec<Segment>>,
    pub(crate) loose: Arc<Loose>,
}

impl Flows {
    pub(crate) fn len(&self) -> usize {
        let sealed = self.segments.iter().map(|segment| segment.rows() - segment.removed());
        sealed.sum::<usize>() + self.loose.len()
    }

    /// The segment and the row with a key, also where the row was removed.
    fn place(&self, key: Key) -> Option<(usize, Row)> {
        let at = self.segments.partition_point(|segment| segment.last < key);
        let segment = self.segments.get(at).filter(|segment| segment.first <= key)?;
        segment.keys().find(key).map(|row| (at, row))
    }

    /// The segment and the row with a key, unless the row was removed.
    fn find(&self, key: Key) -> Option<(usize, Row)> {
        self.place(key).filter(|&(at, row)| self.segments[at].combination(row) != Combination::NONE)
    }

    /// What is known of a flow.
    pub(crate) fn get(&self, key: Key) -> Option<Facets> {
        if let Some(record) = self.loose.get(key) {
            return Some(record.combination.facets(record.recipients.texts()));
        }
        let (at, row) = self.find(key)?;
        let segment = &self.segments[at];
        Some(segment.combination(row).facets(segment.recipients_of(row).texts()))
    }

    /// Adds a flow or replaces what is known of it.
    pub(crate) fn put(&mut self, record: Record) {
        if self.loose.get(record.key).is_none()
            && let Some((at, row)) = self.find(record.key)
        {
            let segment = &mut Arc::make_mut(&mut self.segments)[at];
            let same_recipients = segment.recipients_of(row) == record.recipients;
            if same_recipients && segment.set_combination(row, record.combination) {
                return;
            }
            segment.set_combination(row, Combination::NONE);
        }
        Arc::make_mut(&mut self.loose).put(record);
    }

    /// Forgets a flow, and soon leaves nothing of it.
    pub(crate) fn erase(&mut self, key: Key) {
        self.remove(key);
        // Its recipients may be there although it has moved on.
        if let Some((at, _)) = self.place(key) {
            Arc::make_mut(&mut self.segments)[at].has_erased = true;
        }
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, key: Key) {
        if self.loose.get(key).is_some() {
            Arc::make_mut(&mut self.loose).remove(key);
        } else if let Some((at, row)) = self.find(key) {
            Arc::make_mut(&mut self.segments)[at].set_combination(row, Combination::NONE);
        }
    }

    /// All flows of some segments and the loose ones of a range, to make segments of.
    pub(crate) fn rows(&self, segments: Range<usize>, after: Option<Key>, until: Key) -> Rows {
        let mut rows = Rows::default();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut loose = self.loose.range(from, Bound::Included(until)).peekable();
        for segment in &self.segments[segments] {
            let (keys, numbers, to) = (segment.keys(), segment.numbers().all(), segment.recipients());
            let all = segment.combinations().into_iter().enumerate();
            for (row, combination) in all.filter(|(_, combination)| *combination != Combination::NONE) {
                let row = Row::new(row);
                let key = keys.get(row);
                while let Some(record) = loose.next_if(|record| record.key < key) {
                    rows.push(record.clone());
                }
                let number = match to.get(row) {
                    To::One(ordinal) => numbers.get(ordinal.get()),
                    To::Set(_) => None,
                };
                let number = number.map(|number| Recipients::Number(*number));
                let recipients = number.unwrap_or_else(|| segment.recipients_of(row));
                rows.push(Record { key, combination, recipients });
            }
        }
        loose.for_each(|record| rows.push(record.clone()));
        rows
    }
}
