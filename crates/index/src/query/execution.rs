//! What a plan yields: how many rows match, how many before a row, and the rows of any ranks.

use crate::partition::partition_point;
use crate::query::part::{Kind, Part, Sequence};
use crate::query::plan::Plan;
use crate::query::scope::Scope;
use crate::segment::ids::{Position, Row};
use std::ops::Range;

impl Plan<'_> {
    /// How many rows match.
    pub(crate) fn total(&self) -> usize {
        let total = |parts: &[Part]| parts.iter().map(Part::total).sum::<usize>();
        total(&self.included) - total(&self.excluded)
    }

    /// How many matches are before `row`.
    pub(crate) fn rank(&self, row: Row) -> usize {
        let rank = |parts: &[Part]| parts.iter().map(|part| part.rank(&self.scope, row)).sum::<usize>();
        rank(&self.included) - rank(&self.excluded)
    }

    /// Adds the rows of the matches `ranks`, ascending.
    pub(crate) fn collect(&self, ranks: Range<usize>, rows: &mut Vec<Row>) {
        if ranks.is_empty() {
            return;
        }
        if let ([part], []) = (&self.included[..], &self.excluded[..]) {
            part.collect(&self.scope, ranks, rows);
            return;
        }
        // The last row with no more matches before it than the first rank.
        let Range { start, end } = Row::numbers(&self.scope.rows);
        let mut low = partition_point(start + 1..end, |row| self.rank(Row::new(row)) <= ranks.start) - 1;
        let mut wanted = ranks.len();
        let mut found = Vec::new();
        while wanted > 0 {
            found.clear();
            for part in &self.included {
                let before = part.rank(&self.scope, Row::new(low));
                let ranks = before..(before + wanted).min(part.total());
                part.collect(&self.scope, ranks, &mut found);
            }
            found.sort_unstable();
            found.truncate(wanted);
            let Some(last) = found.last() else { return };
            low = last.get() + 1;
            let is_excluded = |row: Row| self.excluded.iter().any(|part| part.has(&self.scope, row));
            let before = rows.len();
            rows.extend(found.iter().filter(|row| !is_excluded(**row)));
            wanted -= rows.len() - before;
        }
    }
}

impl Part {
    /// The rows of a part that is no sequence.
    fn rows<'p>(&'p self, scope: &Scope<'_>) -> &'p [Row] {
        match self {
            Part::Sequence(_) => &[],
            Part::Rows(rows) => rows,
            Part::Postings { positions, rows, .. } => rows.get_or_init(|| {
                let mut listed = Vec::new();
                scope.list(&scope.segment.postings(), positions, &mut listed);
                listed
            }),
        }
    }

    /// How many of its rows are before `row`.
    fn rank(&self, scope: &Scope<'_>, row: Row) -> usize {
        let Part::Sequence(Sequence { kind, positions, before, .. }) = self else {
            return self.rows(scope).iter().filter(|known| **known < row).count();
        };
        let position = match *kind {
            Kind::Rows => Position::new(row.get()),
            Kind::Posting => scope.segment.postings().bound(positions, row),
            Kind::Node(direction, node) => {
                let entry = scope.segment.entries().first(row);
                scope.segment.trie(direction).within(node, &(entry..entry)).start
            }
        };
        scope.rank(kind, position.clamp(positions.start, positions.end)) - before
    }

    /// Whether a row that matches is in it.
    fn has(&self, scope: &Scope<'_>, row: Row) -> bool {
        match self {
            Part::Sequence(Sequence { kind: Kind::Posting, positions, .. }) => {
                let postings = scope.segment.postings();
                let position = postings.bound(positions, row);
                position < positions.end && postings.row(position) == row
            }
            Part::Sequence(_) => true,
            Part::Rows(_) | Part::Postings { .. } => self.rows(scope).contains(&row),
        }
    }

    /// Adds its rows `ranks`, ascending.
    fn collect(&self, scope: &Scope<'_>, ranks: Range<usize>, found: &mut Vec<Row>) {
        if ranks.is_empty() {
            return;
        }
        let Part::Sequence(sequence) = self else {
            found.extend(in_order(self.rows(scope).to_vec(), ranks));
            return;
        };
        sequence.collect(scope, ranks, found);
    }
}

/// The rows with some ranks, in order. Only what is wanted is put in order.
fn in_order(mut rows: Vec<Row>, ranks: Range<usize>) -> Vec<Row> {
    let (_, _, behind) = rows.select_nth_unstable(ranks.start);
    if ranks.len() - 1 < behind.len() {
        behind.select_nth_unstable(ranks.len() - 1);
    }
    rows.truncate(ranks.end);
    let mut wanted = rows.split_off(ranks.start);
    wanted.sort_unstable();
    wanted
}

impl Sequence {
    fn collect(&self, scope: &Scope<'_>, ranks: Range<usize>, found: &mut Vec<Row>) {
        let postings = scope.segment.postings();
        let row = |position: Position| match self.kind {
            Kind::Rows => Row::new(position.get()),
            Kind::Posting => postings.row(position),
            Kind::Node(direction, node) => {
                scope.segment.entries().row(scope.segment.trie(direction).entry(node, position))
            }
        };
        let first = self.before + ranks.start;
        if scope.is_dense(&self.kind) {
            found.extend((first..self.before + ranks.end).map(Position::new).map(row));
            return;
        }
        let start = scope.counts.select(first, &scope.slots);
        let mut wanted = ranks.len();
        scope.counts.visit(&(start..self.positions.end), &scope.slots, |position| {
            found.push(row(position));
            wanted -= 1;
            wanted > 0
        });
    }
}
