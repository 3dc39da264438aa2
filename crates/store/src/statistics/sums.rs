//! Sums up documents for a query.

use super::document::{Document, DocumentError};
use super::pieces::pieces;
use super::query::{StatisticsQuery, StatisticsRow, StatisticsSums};
use super::span::Span;
use flow::statistics::{MessageKey, Quarter, Summary};
use std::collections::BTreeMap;

/// A document that a query needs: for which periods, and whether it is added or taken away.
type Needed = BTreeMap<(Span, Quarter), Vec<(usize, i64)>>;

/// The answer of a query, as far as its documents were read.
pub(crate) struct Sums<'a> {
    query: &'a StatisticsQuery,
    /// The keys, and the groups that they belong to, by the keys' numbers.
    keys: &'a [Option<MessageKey>],
    group_of: Vec<usize>,
    groups: Vec<Vec<Option<String>>>,
    /// By period and group.
    rows: BTreeMap<(usize, usize), Summary>,
    totals: Summary,
    /// What the document at hand has of each group, and the groups of which it has something.
    of_group: Vec<Summary>,
    touched: Vec<usize>,
}

impl<'a> Sums<'a> {
    /// Nothing is read yet. `keys` are all keys by their numbers.
    pub(crate) fn new(query: &'a StatisticsQuery, keys: &'a [Option<MessageKey>]) -> Sums<'a> {
        let values = |key: &MessageKey| -> Vec<Option<String>> {
            query.group_by.iter().map(|dimension| key.value(*dimension).map(str::to_owned)).collect()
        };
        let values: Vec<_> = keys.iter().map(|key| key.as_ref().map(values)).collect();
        let mut groups: Vec<_> = values.iter().flatten().cloned().collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            groups.push(query.group_by.iter().map(|_| None).collect());
        }
        let group_of = |values: &Option<Vec<_>>| {
            values.as_ref().and_then(|values| groups.binary_search(values).ok()).unwrap_or_default()
        };
        let group_of = values.iter().map(group_of).collect();
        let of_group = vec![Summary::default(); groups.len()];
        let (rows, totals, touched) = (BTreeMap::new(), Summary::default(), Vec::new());
        Sums { query, keys, group_of, groups, rows, totals, of_group, touched }
    }

    /// The documents that a query needs.
    pub(crate) fn needed(query: &StatisticsQuery) -> Needed {
        let mut needed = Needed::new();
        for (period, bounds) in query.bounds.windows(2).enumerate() {
            for piece in pieces(bounds[0], bounds[1]) {
                needed.entry((piece.span, piece.start)).or_default().push((period, piece.sign));
            }
        }
        needed
    }

    /// Reads a document for periods; returns whether the answer has no more rows than it may have.
    pub(crate) fn read(&mut self, document: &[u8], periods: &[(usize, i64)]) -> Result<bool, DocumentError> {
        let Sums { keys, group_of, of_group, touched, .. } = self;
        let mut flows = Summary::default();
        Document::visit(
            document,
            |number, figures| {
                let number = number as usize;
                let Some((Some(key), group)) = keys.get(number).zip(group_of.get(number).copied()) else {
                    return;
                };
                if of_group[group].messages == 0 {
                    touched.push(group);
                }
                of_group[group].add_messages(key, figures);
            },
            |key, figures| flows.add_flows(&key, figures),
        )?;
        for group in self.touched.drain(..) {
            let summary = std::mem::take(&mut self.of_group[group]);
            for (period, sign) in periods {
                self.rows.entry((*period, group)).or_default().add(&summary, *sign);
                self.totals.add(&summary, *sign);
            }
        }
        for (period, sign) in periods {
            self.totals.add(&flows, *sign);
            if self.query.group_by.is_empty() {
                self.rows.entry((*period, 0)).or_default().add(&flows, *sign);
            }
        }
        if self.rows.len() > self.query.rows_max {
            self.rows.retain(|_, summary| !summary.is_zero());
        }
        Ok(self.rows.len() <= self.query.rows_max)
    }

    /// The answer.
    pub(crate) fn finish(self) -> StatisticsSums {
        let rows = self.rows.into_iter().filter(|(_, summary)| !summary.is_zero());
        let rows = rows.map(|((period, group), summary)| StatisticsRow {
            period,
            group: self.groups[group].clone(),
            summary,
        });
        StatisticsSums { totals: self.totals, rows: rows.collect() }
    }
}
