//! The flows of one application: rows in order, with the newest ones apart until their order is certain.

use crate::facet::{self, Mask};
use crate::query::{Filter, Key, Order, Predicate, Query};
use crate::recipients::Recipients;
use crate::rows::Rows;
use crate::{Found, Limits};
use flow::Facets;
use std::collections::BTreeMap;
use std::ops::{Bound, Range};

pub(crate) struct Application {
    limits: Limits,
    rows: Rows,
    recipients: Recipients,
    /// Flows behind the last row. Flows become known in almost the order of their creation: here the last few wait
    /// for those that come a little late.
    tail: BTreeMap<Key, Facets>,
    /// Flows that came too late for their place among the rows (the clock was set back). Many of them make
    /// [`Application::rebuild`] put everything in order again.
    stragglers: BTreeMap<Key, Facets>,
}

/// The matches among the rows of a range.
enum Matches {
    /// Every row whose facet matches, counted from the first match of all.
    Facets { first: usize, end: usize },
    /// These rows.
    Rows(Vec<u32>),
    /// Every row whose facet matches, less these.
    Except { first: usize, end: usize, excluded: Vec<u32> },
}

/// The recipients that the predicate of a filter holds for, and whether the filter is negated.
type ToFilter = (Vec<u32>, bool);

/// Which rows some filters on recipients want.
struct Wanted {
    /// Whether all filters hold for a row with one recipient: a bit each, by its ordinal, so that many recipients
    /// fit into the processor's cache.
    single: Vec<u64>,
    /// For each filter, whether it holds for each recipient alone, and whether it is negated: then it has to hold
    /// for all recipients of a row, else for any.
    each: Vec<(Vec<bool>, bool)>,
}

impl Wanted {
    fn holds(&self, to: u32, recipients: &Recipients) -> bool {
        // Nearly every row has one recipient.
        if let Some(word) = self.single.get(to as usize / 64) {
            return word >> (to % 64) & 1 != 0;
        }
        let ordinals = recipients.ordinals(&to);
        self.each.iter().all(|(table, negated)| {
            let mut alone = ordinals.iter().map(|ordinal| table[*ordinal as usize]);
            if *negated { alone.all(|holds| holds) } else { alone.any(|holds| holds) }
        })
    }
}

impl Application {
    pub(crate) fn new(limits: Limits) -> Application {
        Application {
            limits,
            rows: Rows::new(limits.block_rows),
            recipients: Recipients::default(),
            tail: BTreeMap::new(),
            stragglers: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.live().count() + self.tail.len() + self.stragglers.len()
    }

    pub(crate) fn put(&mut self, key: Key, facets: Facets) {
        if self.rows.last().is_none_or(|last| last < key) {
            self.tail.insert(key, facets);
            while self.tail.len() > self.limits.tail_rows
                && let Some((key, facets)) = self.tail.pop_first()
            {
                self.push(key, &facets);
            }
            return;
        }
        let Some(row) = self.rows.find(key) else {
            self.stragglers.insert(key, facets);
            if self.stragglers.len() > self.limits.stragglers {
                self.rebuild();
            }
            return;
        };
        let code = facet::encode(&facets);
        let to = self.recipients.number(&facets.recipients);
        match self.rows.to(row) {
            Some(old) if old != to => self.recipients.forget(old, row as u32),
            _ => {}
        }
        self.recipients.note(to, row as u32, code);
        self.rows.set(row, code, to);
    }

    fn push(&mut self, key: Key, facets: &Facets) {
        let code = facet::encode(facets);
        let to = self.recipients.number(&facets.recipients);
        self.recipients.note(to, self.rows.len() as u32, code);
        self.rows.push(key, code, to);
    }

    pub(crate) fn remove(&mut self, key: Key) {
        if self.tail.remove(&key).is_some() || self.stragglers.remove(&key).is_some() {
            return;
        }
        if let Some(row) = self.rows.find(key) {
            if let Some(to) = self.rows.to(row) {
                self.recipients.forget(to, row as u32);
            }
            self.rows.remove(row);
        }
    }

    /// Puts the rows and the stragglers in order again.
    fn rebuild(&mut self) {
        let mut fresh = Application::new(self.limits);
        let mut late = std::mem::take(&mut self.stragglers).into_iter().peekable();
        for (key, code, to) in self.rows.live() {
            while let Some((key, facets)) = late.next_if(|(late, _)| *late < key) {
                fresh.push(key, &facets);
            }
            fresh.push(key, &facet::decode(code, self.recipients.texts(to)));
        }
        late.for_each(|(key, facets)| fresh.push(key, &facets));
        fresh.tail = std::mem::take(&mut self.tail);
        *self = fresh;
    }

    pub(crate) fn search(&self, query: &Query) -> Found {
        let from = query.from.map_or(Bound::Unbounded, Bound::Included);
        let until = query.until.map_or(Bound::Unbounded, Bound::Excluded);
        let among = |flows: &BTreeMap<Key, Facets>| -> Vec<Key> {
            let flows = flows.range((from, until)).filter(|(_, facets)| query.matches(facets));
            flows.map(|(key, _)| *key).collect()
        };
        let (stragglers, tail) = (among(&self.stragglers), among(&self.tail));
        let start = query.from.map_or(0, |key| self.rows.lower_bound(key));
        let end = query.until.map_or(self.rows.len(), |key| self.rows.lower_bound(key));
        let mask = Mask::of(&query.filters);
        let matches = self.matches(start..end.max(start), &mask, &query.filters);
        let row_total = self.total(&matches);
        let ordered = row_total + stragglers.len();
        let total = ordered + tail.len();

        // Ranks count from the oldest match: rows and stragglers by their keys, then the tail.
        let straggler_ranks: Vec<usize> = stragglers
            .iter()
            .enumerate()
            .map(|(i, key)| i + self.rank(&matches, self.rows.lower_bound(*key), &mask))
            .collect();
        let begin = query.offset.min(total);
        let until = query.offset.saturating_add(query.limit).min(total);
        let ranks = match query.order {
            Order::OldestFirst => begin..until,
            Order::NewestFirst => total - until..total - begin,
        };
        let mut keys = Vec::with_capacity(ranks.len());
        let mut rank = ranks.start;
        let mut rows = Vec::new();
        while rank < ranks.end {
            if rank >= ordered {
                keys.extend_from_slice(&tail[rank - ordered..ranks.end - ordered]);
                break;
            }
            let late = straggler_ranks.partition_point(|known| *known < rank);
            let next_late = straggler_ranks.get(late).copied().unwrap_or(ordered);
            if next_late == rank {
                keys.push(stragglers[late]);
                rank += 1;
                continue;
            }
            let run_end = next_late.min(ranks.end);
            rows.clear();
            self.collect(&matches, rank - late..(run_end - late).min(row_total), &mask, &mut rows);
            keys.extend(rows.iter().filter_map(|row| self.rows.key(*row)));
            rank = run_end;
        }
        if query.order == Order::NewestFirst {
            keys.reverse();
        }
        Found { total, keys }
    }

    /// Finds the matches in the cheapest way: by counts alone, by the lists of a few recipients, by all but those,
    /// or by looking through the range.
    fn matches(&self, range: Range<usize>, mask: &Mask, filters: &[Filter]) -> Matches {
        let to_filters: Vec<ToFilter> = filters
            .iter()
            .filter_map(|filter| match &filter.predicate {
                Predicate::To(operator, term) => {
                    Some((self.recipients.matching(*operator, term), filter.negated))
                }
                _ => None,
            })
            .collect();
        let (first, end) = (self.rows.rank(range.start, mask), self.rows.rank(range.end, mask));
        if to_filters.is_empty() {
            return Matches::Facets { first, end };
        }
        // Listing costs a step for each row of a list, looking through a step for each row of the range.
        let cost = |recipients: &[u32]| -> usize {
            recipients.iter().map(|ordinal| self.recipients.posting(*ordinal).rows.len()).sum()
        };
        let wanted = to_filters.iter().enumerate().filter(|(_, (_, negated))| !negated);
        if let Some((cheapest, (recipients, _))) = wanted.min_by_key(|(_, (recipients, _))| cost(recipients))
            && cost(recipients) <= range.len() / 4
        {
            let mut rows = self.listed(recipients, &range, mask);
            let rest = to_filters.iter().enumerate().filter(|(i, _)| *i != cheapest);
            let rest: Vec<_> = rest.map(|(_, filter)| filter).collect();
            if !rest.is_empty() {
                let wanted = self.wanted(&rest);
                let holds = |row: &u32| {
                    self.rows.to(*row as usize).is_some_and(|to| wanted.holds(to, &self.recipients))
                };
                rows.retain(holds);
            }
            return Matches::Rows(rows);
        }
        let unwanted = to_filters.iter().all(|(_, negated)| *negated);
        let all: Vec<u32> = to_filters.iter().flat_map(|(recipients, _)| recipients).copied().collect();
        if unwanted && cost(&all) <= range.len() / 4 {
            return Matches::Except { first, end, excluded: self.listed(&all, &range, mask) };
        }
        let wanted = self.wanted(&to_filters.iter().collect::<Vec<_>>());
        let mut rows = Vec::new();
        self.rows.scan(range, mask, |row, to| {
            if wanted.holds(to, &self.recipients) {
                rows.push(row as u32);
            }
        });
        Matches::Rows(rows)
    }

    /// The rows of some recipients in a range whose facets match, ascending.
    fn listed(&self, recipients: &[u32], range: &Range<usize>, mask: &Mask) -> Vec<u32> {
        let mut rows = Vec::new();
        for ordinal in recipients {
            let posting = self.recipients.posting(*ordinal);
            let from = posting.rows.partition_point(|row| (*row as usize) < range.start);
            let until = posting.rows.partition_point(|row| (*row as usize) < range.end);
            let listed = posting.rows[from..until].iter().zip(&posting.facets[from..until]);
            rows.extend(listed.filter(|(_, code)| mask.has(**code)).map(|(row, _)| *row));
        }
        if recipients.len() > 1 {
            rows.sort_unstable();
            rows.dedup();
        }
        rows
    }

    /// Which recipients and sets of recipients these filters want.
    fn wanted(&self, filters: &[&ToFilter]) -> Wanted {
        let table = |(recipients, negated): &&ToFilter| {
            let mut table = vec![*negated; self.recipients.len()];
            for ordinal in recipients {
                table[*ordinal as usize] = !negated;
            }
            (table, *negated)
        };
        let each: Vec<_> = filters.iter().map(table).collect();
        let mut single = vec![u64::MAX; self.recipients.len().div_ceil(64)];
        for (table, _) in &each {
            for (word, holds) in single.iter_mut().zip(table.chunks(64)) {
                *word &= holds.iter().enumerate().fold(0, |bits, (i, holds)| bits | u64::from(*holds) << i);
            }
        }
        Wanted { single, each }
    }

    fn total(&self, matches: &Matches) -> usize {
        match matches {
            Matches::Facets { first, end } => end - first,
            Matches::Rows(rows) => rows.len(),
            Matches::Except { first, end, excluded } => end - first - excluded.len(),
        }
    }

    /// How many matches are before `row`, at most all of them.
    fn rank(&self, matches: &Matches, row: usize, mask: &Mask) -> usize {
        let by_facet = |first: usize, end: usize| self.rows.rank(row, mask).clamp(first, end) - first;
        let before = |rows: &[u32]| rows.partition_point(|known| (*known as usize) < row);
        match matches {
            Matches::Facets { first, end } => by_facet(*first, *end),
            Matches::Rows(rows) => before(rows),
            Matches::Except { first, end, excluded } => by_facet(*first, *end) - before(excluded),
        }
    }

    /// Adds the rows of the matches `ranks`, ascending.
    fn collect(&self, matches: &Matches, ranks: Range<usize>, mask: &Mask, rows: &mut Vec<usize>) {
        match matches {
            Matches::Facets { first, .. } => {
                self.rows.collect(first + ranks.start..first + ranks.end, mask, rows)
            }
            Matches::Rows(all) => rows.extend(all[ranks].iter().map(|row| *row as usize)),
            Matches::Except { first, excluded, .. } => {
                // The first one by search, the rest one after the other, leaving out the excluded ones.
                let mut rank = first + self.rank_except(*first, excluded, ranks.start, mask);
                let mut wanted = ranks.len();
                let mut listed = Vec::new();
                while wanted > 0 {
                    listed.clear();
                    self.rows.collect(rank..rank + wanted, mask, &mut listed);
                    if listed.is_empty() {
                        return;
                    }
                    rank += listed.len();
                    listed.retain(|row| excluded.binary_search(&(*row as u32)).is_err());
                    wanted -= listed.len();
                    rows.extend_from_slice(&listed);
                }
            }
        }
    }

    /// The rank by facets, counted from `first`, of the `k`th match that is not excluded. If `e` excluded rows come
    /// before it, it is `k + e`; so look for the least `e` that agrees with its own row.
    fn rank_except(&self, first: usize, excluded: &[u32], k: usize, mask: &Mask) -> usize {
        let (mut low, mut high) = (0, excluded.len());
        while low < high {
            let middle = (low + high) / 2;
            let row = self.rows.select(first + k + middle, mask);
            // `<=`: an excluded row itself is not the answer.
            if excluded.partition_point(|known| (*known as usize) <= row) <= middle {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        k + low
    }
}
