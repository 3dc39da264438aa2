//! Sums up documents for a query.

use super::document::{Document, DocumentError};
use super::pieces::pieces;
use super::query::{StatisticsQuery, StatisticsRow, StatisticsSums};
use super::span::Span;
use flow::statistics::{Dimension, MessageKey, Quarter, Summary};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document that a query needs: for which periods, and whether it is added or taken away.
type Needed = BTreeMap<(Span, Quarter), Vec<(usize, i64)>>;

/// The values of the dimensions that a query groups by, in its order; `None` for what is not known.
type Group = Arc<[Option<String>]>;

/// What a period has.
#[derive(Debug, Default)]
pub(crate) struct PeriodSums {
    /// The messages, by group; without the groups that have none.
    pub(crate) groups: Vec<(Group, Summary)>,
    /// The flows.
    flows: Summary,
}

/// The sums of periods, as far as their documents were read.
pub(crate) struct Sums<'a> {
    /// Most rows of all periods together.
    rows_max: usize,
    /// The keys, and the groups that they belong to, by the keys' numbers.
    keys: &'a [Option<MessageKey>],
    group_of: Vec<usize>,
    groups: Vec<Group>,
    /// Messages by period and group, flows by period.
    messages: BTreeMap<(usize, usize), Summary>,
    flows: BTreeMap<usize, Summary>,
    /// What the document at hand has of each group, and the groups of which it has something.
    of_group: Vec<Summary>,
    touched: Vec<usize>,
}

impl<'a> Sums<'a> {
    /// Nothing is read yet. `keys` are all keys by their numbers.
    pub(crate) fn new(group_by: &[Dimension], keys: &'a [Option<MessageKey>], rows_max: usize) -> Sums<'a> {
        let values =
            |key: &MessageKey| group_by.iter().map(|of| key.value(*of).map(str::to_owned)).collect::<Group>();
        let values: Vec<_> = keys.iter().map(|key| key.as_ref().map(values)).collect();
        let mut groups: Vec<_> = values.iter().flatten().cloned().collect();
        groups.sort_unstable();
        groups.dedup();
        let group_of = |values: &Option<Group>| {
            values.as_ref().and_then(|values| groups.binary_search(values).ok()).unwrap_or_default()
        };
        let group_of = values.iter().map(group_of).collect();
        let of_group = vec![Summary::default(); groups.len()];
        let (messages, flows, touched) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Sums { rows_max, keys, group_of, groups, messages, flows, of_group, touched }
    }

    /// The documents that periods need, each with the periods by their places in `bounds`.
    pub(crate) fn needed(bounds: &[Quarter], periods: &[usize]) -> Needed {
        let mut needed = Needed::new();
        for period in periods {
            for piece in pieces(bounds[*period], bounds[*period + 1]) {
                needed.entry((piece.span, piece.start)).or_default().push((*period, piece.sign));
            }
        }
        needed
    }

    /// Reads a document for periods; returns whether there are no more rows than there may be.
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
                self.messages.entry((*period, group)).or_default().add(&summary, *sign);
            }
        }
        for (period, sign) in periods {
            self.flows.entry(*period).or_default().add(&flows, *sign);
        }
        if self.messages.len() > self.rows_max {
            self.messages.retain(|_, summary| !summary.is_zero());
        }
        Ok(self.messages.len() <= self.rows_max)
    }

    /// What the periods have; those that have nothing are not in it.
    pub(crate) fn finish(self) -> BTreeMap<usize, PeriodSums> {
        let mut periods = BTreeMap::<usize, PeriodSums>::new();
        for ((period, group), summary) in self.messages {
            if !summary.is_zero() {
                let group = Arc::clone(&self.groups[group]);
                periods.entry(period).or_default().groups.push((group, summary));
            }
        }
        for (period, flows) in self.flows {
            periods.entry(period).or_default().flows = flows;
        }
        periods
    }
}

/// The answer of a query, of its periods in their order; `None` if it has too many rows.
pub(crate) fn answer(query: &StatisticsQuery, periods: &[Arc<PeriodSums>]) -> Option<StatisticsSums> {
    let mut answer = StatisticsSums::default();
    for (period, PeriodSums { groups, flows }) in periods.iter().map(|period| &**period).enumerate() {
        answer.totals.add(flows, 1);
        groups.iter().for_each(|(_, summary)| answer.totals.add(summary, 1));
        if query.group_by.is_empty() {
            let mut summary = flows.clone();
            groups.iter().for_each(|(_, messages)| summary.add(messages, 1));
            if !summary.is_zero() {
                answer.rows.push(StatisticsRow { period, group: Vec::new(), summary });
            }
        } else {
            answer.rows.extend(groups.iter().map(|(group, summary)| StatisticsRow {
                period,
                group: group.to_vec(),
                summary: summary.clone(),
            }));
        }
        if answer.rows.len() > query.rows_max {
            return None;
        }
    }
    Some(answer)
}
