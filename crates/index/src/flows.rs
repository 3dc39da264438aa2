//! The flows of one application: segments in order, and loose rows. A copy is cheap and stays as it was.

use crate::Found;
use crate::build::{Recipients, Rows};
use crate::facet::{Combination, FacetFilter};
use crate::loose::{Loose, Row};
use crate::matches::Matches;
use crate::query::{Key, Order, Query};
use crate::segment::Segment;
use crate::term::Term;
use ::flow::Facets;
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
        self.segments.iter().map(|segment| segment.len() - segment.dead).sum::<usize>() + self.loose.len()
    }

    /// The segment and the row with a key, also where the row was removed.
    fn place(&self, key: Key) -> Option<(usize, usize)> {
        let at = self.segments.partition_point(|segment| segment.last < key);
        let segment = self.segments.get(at).filter(|segment| segment.first <= key)?;
        segment.keys().find(key).map(|row| (at, row))
    }

    /// The segment and the row with a key, unless the row was removed.
    fn find(&self, key: Key) -> Option<(usize, usize)> {
        self.place(key).filter(|&(at, row)| self.segments[at].combination(row) != Combination::NONE)
    }

    /// What is known of a flow.
    pub(crate) fn get(&self, key: Key) -> Option<Facets> {
        if let Some(row) = self.loose.get(key) {
            return Some(row.combination.facets(row.to.texts()));
        }
        let (at, row) = self.find(key)?;
        let segment = &self.segments[at];
        Some(segment.combination(row).facets(segment.texts_of(row).texts()))
    }

    /// Adds a flow or replaces what is known of it.
    pub(crate) fn put(&mut self, row: Row) {
        if self.loose.get(row.key).is_none()
            && let Some((at, place)) = self.find(row.key)
        {
            let segment = &mut Arc::make_mut(&mut self.segments)[at];
            if segment.texts_of(place) == row.to && segment.set_combination(place, row.combination) {
                return;
            }
            segment.set_combination(place, Combination::NONE);
        }
        Arc::make_mut(&mut self.loose).put(row);
    }

    /// Forgets a flow, and soon leaves nothing of it.
    pub(crate) fn erase(&mut self, key: Key) {
        self.remove(key);
        // Its recipients may be there although it has moved on.
        if let Some((at, _)) = self.place(key) {
            Arc::make_mut(&mut self.segments)[at].erases = true;
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

    /// All rows of some segments and the loose rows of a range, to make segments of.
    pub(crate) fn rows(&self, segments: Range<usize>, after: Option<Key>, until: Key) -> Rows {
        let mut rows = Rows::default();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut loose = self.loose.range(from, Bound::Included(until)).peekable();
        let push = |rows: &mut Rows, row: &Row| rows.push(row.key, row.combination, row.to.clone());
        for segment in &self.segments[segments] {
            let (keys, numbers) = (segment.keys(), segment.digits().all());
            let rows_and_combinations = segment.combinations().into_iter().enumerate();
            let present = rows_and_combinations.filter(|(_, combination)| *combination != Combination::NONE);
            for (row, combination) in present {
                let key = keys.get(row);
                while let Some(row) = loose.next_if(|row| row.key < key) {
                    push(&mut rows, row);
                }
                let number = numbers.get(segment.to(row)).map(|number| Recipients::Number(*number));
                rows.push(key, combination, number.unwrap_or_else(|| segment.texts_of(row)));
            }
        }
        loose.for_each(|row| push(&mut rows, row));
        rows
    }

    /// Answers a query unless `goes_on` says no, which is asked before each segment.
    pub(crate) fn search(&self, query: &Query, goes_on: &dyn Fn() -> bool) -> Option<Found> {
        let filter = FacetFilter::new(&query.filters);
        let terms = Term::all(&query.filters);
        let from = query.from.map_or(Bound::Unbounded, Bound::Included);
        let until = query.until.map_or(Bound::Unbounded, Bound::Excluded);
        let loose = self.loose.range(from, until).filter(|row| row.matches(&filter, &terms));
        let loose: Vec<Key> = loose.map(|row| row.key).collect();
        let inside = self.segments.iter().filter(|segment| {
            query.until.is_none_or(|until| segment.first < until)
                && query.from.is_none_or(|from| segment.last >= from)
        });
        let mut segments = Vec::new();
        for segment in inside {
            if !goes_on() {
                return None;
            }
            let bound = |key: Key| segment.keys().lower_bound(key);
            let start = query.from.filter(|from| segment.first < *from).map_or(0, bound);
            let end = query.until.filter(|until| segment.last >= *until).map_or(segment.len(), bound);
            segments.push((segment, Matches::find(segment, start..end, &filter, &terms)));
        }
        let merged = Merged::new(segments, loose);

        // Ranks count from the oldest match.
        let total = merged.total();
        let begin = query.offset.min(total);
        let end = query.offset.saturating_add(query.limit).min(total);
        let ranks = match query.order {
            Order::OldestFirst => begin..end,
            Order::NewestFirst => total - end..total - begin,
        };
        let mut keys = merged.keys(ranks);
        if query.order == Order::NewestFirst {
            keys.reverse();
        }
        Some(Found { total, keys })
    }
}

/// The matches of all segments, and the loose ones between them.
struct Merged<'a> {
    /// With the number of matches in those before.
    segments: Vec<(&'a Segment, Matches<'a>, usize)>,
    sealed: usize,
    loose: Vec<Key>,
}

impl<'a> Merged<'a> {
    fn new(found: Vec<(&'a Segment, Matches<'a>)>, loose: Vec<Key>) -> Merged<'a> {
        let mut sealed = 0;
        let segments = found.into_iter().map(|(segment, matches)| {
            let before = sealed;
            sealed += matches.total;
            (segment, matches, before)
        });
        let segments = segments.collect();
        Merged { segments, sealed, loose }
    }

    fn total(&self) -> usize {
        self.sealed + self.loose.len()
    }

    /// How many matches in segments are before a key.
    fn rank(&self, key: Key) -> usize {
        let at = self.segments.partition_point(|(segment, ..)| segment.last < key);
        let Some((segment, matches, before)) = self.segments.get(at) else { return self.sealed };
        if key <= segment.first { *before } else { before + matches.rank(segment.keys().lower_bound(key)) }
    }

    /// The keys of the matches `ranks`, ascending.
    fn keys(&self, ranks: Range<usize>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(ranks.len());
        // The rank of a loose match is the number of those before it, of both kinds.
        let rank = |at: usize| at + self.rank(self.loose[at]);
        let (mut low, mut high) = (0, self.loose.len());
        while low < high {
            let middle = (low + high) / 2;
            if rank(middle) < ranks.start { low = middle + 1 } else { high = middle }
        }
        let (mut at, mut next) = (ranks.start, low);
        while at < ranks.end {
            let next_rank = if next < self.loose.len() { rank(next) } else { self.total() };
            if at == next_rank {
                keys.push(self.loose[next]);
                next += 1;
                at += 1;
            } else {
                let end = next_rank.min(ranks.end);
                self.sealed_keys(at - next..end - next, &mut keys);
                at = end;
            }
        }
        keys
    }

    /// Adds the keys of the matches in segments `ranks`, ascending.
    fn sealed_keys(&self, ranks: Range<usize>, keys: &mut Vec<Key>) {
        let first =
            self.segments.partition_point(|(_, matches, before)| before + matches.total <= ranks.start);
        let mut rows = Vec::new();
        for (segment, matches, before) in &self.segments[first..] {
            if *before >= ranks.end {
                return;
            }
            rows.clear();
            let (from, until) = (ranks.start.saturating_sub(*before), ranks.end - before);
            matches.collect(from..until.min(matches.total), &mut rows);
            let known = segment.keys();
            keys.extend(rows.iter().map(|row| known.get(*row)));
        }
    }
}
