//! A set of matching rows, in one of the forms in which a segment has them.

use crate::segment::ids::{Position, Row};
use crate::segment::trie::{Direction, NodeId};
use std::cell::OnceCell;
use std::ops::Range;

/// Rows that have their facets beside each other, in the order of rows.
pub(crate) struct Sequence {
    pub(crate) kind: Kind,
    /// The positions that are in the time range.
    pub(crate) positions: Range<Position>,
    /// The rank of the first of them.
    pub(crate) before: usize,
    /// How many of them match.
    pub(crate) total: usize,
}

/// Whose positions they are.
pub(crate) enum Kind {
    /// All rows.
    Rows,
    /// Those of one recipient.
    Posting,
    /// Those of a prefix or suffix.
    Node(Direction, NodeId),
}

/// A set of matching rows.
pub(crate) enum Part {
    Sequence(Sequence),
    /// These, in no order.
    Rows(Vec<Row>),
    /// Those of some neighbouring recipients: listed when somebody wants them.
    Postings {
        positions: Range<Position>,
        total: usize,
        rows: OnceCell<Vec<Row>>,
    },
}

impl Part {
    /// Rows that are not listed yet.
    pub(crate) fn postings(positions: Range<Position>, total: usize) -> Part {
        Part::Postings { positions, total, rows: OnceCell::new() }
    }

    /// How many rows it has.
    pub(crate) fn total(&self) -> usize {
        match self {
            Part::Sequence(sequence) => sequence.total,
            Part::Rows(rows) => rows.len(),
            Part::Postings { total, .. } => *total,
        }
    }
}
