//! A segment and what a query asks of its rows, whatever it asks of recipients.

use crate::facet::FacetFilter;
use crate::query::part::{Kind, Part, Sequence};
use crate::segment::counts::Counts;
use crate::segment::ids::{Ordinal, Position, Row};
use crate::segment::postings::Postings;
use crate::segment::reader::Segment;
use crate::segment::slots::SlotSet;
use crate::segment::trie::{Direction, NodeId};
use std::ops::Range;

/// A segment, and what a query asks of it.
pub(crate) struct Scope<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) counts: Counts<'a>,
    /// The facets that match.
    pub(crate) slots: SlotSet,
    /// The rows of the time range.
    pub(crate) rows: Range<Row>,
    /// No facet filter and no removed row: all positions match, but those of rows with several recipients.
    pub(crate) matches_all: bool,
    /// Whether some rows have several recipients.
    pub(crate) has_sets: bool,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(segment: &'a Segment, rows: Range<Row>, filter: &FacetFilter) -> Scope<'a> {
        let counts = segment.counts();
        let matches_all = filter.matches_all() && segment.removed() == 0;
        let has_sets = segment.has_sets();
        Scope { segment, counts, slots: counts.matching(filter), rows, matches_all, has_sets }
    }

    /// Whether all rows are in the time range.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows == Row::range(0..self.segment.rows())
    }

    /// Whether every position of such a sequence matches, so that a position is its own rank.
    pub(crate) fn is_dense(&self, kind: &Kind) -> bool {
        // A row with several recipients may have several positions in a node, of which one counts.
        self.matches_all && (!matches!(kind, Kind::Node(..)) || !self.has_sets)
    }

    /// How many matches there are before a position, less the same number for all positions of one sequence.
    pub(crate) fn rank(&self, kind: &Kind, position: Position) -> usize {
        if self.is_dense(kind) { position.get() } else { self.counts.rank(position, &self.slots) }
    }

    fn sequence(&self, kind: Kind, positions: Range<Position>) -> Part {
        let before = self.rank(&kind, positions.start);
        let total = self.rank(&kind, positions.end) - before;
        Part::Sequence(Sequence { kind, positions, before, total })
    }

    /// All rows.
    pub(crate) fn all(&self) -> Part {
        let rows = Row::numbers(&self.rows);
        self.sequence(Kind::Rows, Position::range(rows))
    }

    /// The rows of one recipient.
    pub(crate) fn posting(&self, ordinal: Ordinal) -> Part {
        let postings = self.segment.postings();
        let mut positions = postings.of_one(ordinal);
        if !self.is_whole() {
            let bound = |row| postings.bound(&positions, row);
            positions = bound(self.rows.start)..bound(self.rows.end);
        }
        self.sequence(Kind::Posting, positions)
    }

    /// The rows of a node.
    pub(crate) fn node(&self, direction: Direction, node: NodeId) -> Part {
        let entries = self.segment.entries();
        let entries = entries.first(self.rows.start)..entries.first(self.rows.end);
        let positions = self.segment.trie(direction).within(node, &entries);
        self.sequence(Kind::Node(direction, node), positions)
    }

    /// The rows of some neighbouring recipients, to be listed when somebody wants them; all rows are in the
    /// range, and none has several recipients.
    pub(crate) fn postings(&self, positions: Range<Position>) -> Part {
        let rank = |position| self.counts.rank(position, &self.slots);
        let total = rank(positions.end) - rank(positions.start);
        Part::postings(positions, total)
    }

    /// Adds the matching rows that are listed at these positions.
    pub(crate) fn list(&self, postings: &Postings<'_>, positions: &Range<Position>, rows: &mut Vec<Row>) {
        let whole = self.is_whole();
        self.counts.visit(positions, &self.slots, |position| {
            let row = postings.row(position);
            if whole || self.rows.contains(&row) {
                rows.push(row);
            }
            true
        });
    }

    /// The rows that are listed at some positions.
    pub(crate) fn listed(&self, ranges: impl IntoIterator<Item = Range<Position>>) -> Vec<Row> {
        let (postings, mut rows) = (self.segment.postings(), Vec::new());
        ranges.into_iter().for_each(|range| self.list(&postings, &range, &mut rows));
        if self.has_sets {
            rows.sort_unstable();
            rows.dedup();
        }
        rows
    }
}
