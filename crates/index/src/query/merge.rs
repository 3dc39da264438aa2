//! A search among all flows of an application: the matches of each segment and the loose ones, as one order.

use crate::facet::FacetFilter;
use crate::flows::Flows;
use crate::loose::Loose;
use crate::partition::partition_point;
use crate::query::language::{Found, Key, Order, Query};
use crate::query::plan::Plan;
use crate::query::term::Term;
use crate::record::{Recipients, Record};
use crate::segment::ids::Row;
use crate::segment::reader::Segment;
use std::ops::{Bound, Range};

/// Answers a query unless `goes_on` says no, which is asked before each segment.
pub(crate) fn search(flows: &Flows, query: &Query, goes_on: &dyn Fn() -> bool) -> Option<Found> {
    let filter = FacetFilter::new(&query.filters);
    let terms = Term::all(&query.filters);
    let loose = loose_matches(&flows.loose, query, &filter, &terms);
    let inside = flows.segments.iter().filter(|segment| {
        query.until.is_none_or(|until| segment.first < until)
            && query.from.is_none_or(|from| segment.last >= from)
    });
    let mut plans = Vec::new();
    for segment in inside {
        if !goes_on() {
            return None;
        }
        let bound = |key: Key| segment.keys().lower_bound(key);
        let start = query.from.filter(|from| segment.first < *from).map_or(Row::new(0), bound);
        let behind = Row::new(segment.rows());
        let end = query.until.filter(|until| segment.last >= *until).map_or(behind, bound);
        plans.push((segment, Plan::new(segment, start..end, &filter, &terms)));
    }
    let merged = Merged::new(plans, loose);

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

fn loose_matches(loose: &Loose, query: &Query, filter: &FacetFilter, terms: &[Term]) -> Vec<Key> {
    let from = query.from.map_or(Bound::Unbounded, Bound::Included);
    let until = query.until.map_or(Bound::Unbounded, Bound::Excluded);
    let matches = |record: &&Record| {
        let holds = |term: &Term| match &record.recipients {
            Recipients::Number(number) => term.number.holds(*number),
            Recipients::Texts(texts) => texts.iter().any(|text| term.holds_text(text)),
        };
        filter.matches(record.combination) && terms.iter().all(|term| holds(term) != term.negated)
    };
    loose.range(from, until).filter(matches).map(|record| record.key).collect()
}

/// The matches of one segment.
struct Sealed<'a> {
    segment: &'a Segment,
    plan: Plan<'a>,
    /// How many matches the segments before it have.
    before: usize,
}

/// The matches of all segments, and the loose ones between them.
struct Merged<'a> {
    segments: Vec<Sealed<'a>>,
    /// How many matches all segments have.
    sealed: usize,
    loose: Vec<Key>,
}

impl<'a> Merged<'a> {
    fn new(plans: Vec<(&'a Segment, Plan<'a>)>, loose: Vec<Key>) -> Merged<'a> {
        let mut sealed = 0;
        let segments = plans.into_iter().map(|(segment, plan)| {
            let before = sealed;
            sealed += plan.total();
            Sealed { segment, plan, before }
        });
        let segments = segments.collect();
        Merged { segments, sealed, loose }
    }

    fn total(&self) -> usize {
        self.sealed + self.loose.len()
    }

    /// How many matches in segments are before a key.
    fn rank(&self, key: Key) -> usize {
        let at = self.segments.partition_point(|sealed| sealed.segment.last < key);
        let Some(Sealed { segment, plan, before }) = self.segments.get(at) else { return self.sealed };
        if key <= segment.first { *before } else { before + plan.rank(segment.keys().lower_bound(key)) }
    }

    /// The keys of the matches `ranks`, ascending.
    fn keys(&self, ranks: Range<usize>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(ranks.len());
        // The rank of a loose match is the number of those before it, of both kinds.
        let rank = |at: usize| at + self.rank(self.loose[at]);
        let mut next = partition_point(0..self.loose.len(), |at| rank(at) < ranks.start);
        let mut at = ranks.start;
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
            self.segments.partition_point(|sealed| sealed.before + sealed.plan.total() <= ranks.start);
        let mut rows = Vec::new();
        for Sealed { segment, plan, before } in &self.segments[first..] {
            if *before >= ranks.end {
                return;
            }
            rows.clear();
            let (from, until) = (ranks.start.saturating_sub(*before), ranks.end - before);
            plan.collect(from..until.min(plan.total()), &mut rows);
            let known = segment.keys();
            keys.extend(rows.iter().map(|row| known.get(*row)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::Combination;
    use crate::query::language::{Filter, Predicate, TextOperator};
    use crate::segment::build::build;
    use crate::segment::rows::Rows;
    use flow::{Channel, FlowStatus};
    use std::sync::Arc;
    use uuid::Uuid;

    /// Facets of more kinds than there are today: so many combinations that a slot needs two octets.
    fn record(random: &mut fastrand::Rng, at: usize) -> Record {
        let (kind, types) = (random.u32(0..256), random.u32(1..8));
        let (status, termination) = (random.u32(0..4), random.u32(0..4));
        let number = kind << 16 | types << 8 | termination << 4 | status;
        let to = |random: &mut fastrand::Rng| format!("+30690{:02}", random.u8(0..40)).into_boxed_str();
        let several = random.u8(0..10) == 0;
        let to: Vec<Box<str>> = (0..=usize::from(several)).map(|_| to(random)).collect();
        Record {
            key: (at as i64, Uuid::from_u128(at as u128)),
            combination: Combination::from_number(number),
            recipients: Recipients::new(&to),
        }
    }

    fn filters(random: &mut fastrand::Rng) -> Vec<Filter> {
        let channel = Channel::ALL[random.usize(0..3)];
        let predicate = match random.u8(0..3) {
            0 => Predicate::Status(FlowStatus::ALL[random.usize(0..4)]),
            1 => Predicate::Type(channel),
            _ => Predicate::Termination(channel),
        };
        let mut filters = vec![Filter { predicate, negated: random.bool() }];
        if random.bool() {
            let text = format!("+30690{}", random.u8(0..4));
            let predicate = Predicate::To(TextOperator::StartsWith, text);
            filters.push(Filter { predicate, negated: random.u8(0..4) == 0 });
        }
        filters
    }

    #[test]
    fn a_segment_with_many_combinations_answers_what_a_walk_answers() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut model: Vec<Record> = (0..5000).map(|at| record(&mut random, at)).collect();
        let mut rows = Rows::default();
        model.iter().for_each(|known| rows.push(known.clone()));
        let segment = Segment::new(build(&rows, "a", 100));
        assert!(segment.counts().base.width() > 1000);
        let mut flows = Flows { segments: Arc::new(vec![segment]), loose: Arc::default() };
        for _ in 0..40 {
            for _ in 0..100 {
                let at = random.usize(0..model.len());
                let Record { combination, recipients, .. } = record(&mut random, at);
                model[at].combination = combination;
                if random.bool() {
                    model[at].recipients = recipients;
                }
                flows.put(model[at].clone());
            }
            let filters = filters(&mut random);
            let (filter, terms) = (FacetFilter::new(&filters), Term::all(&filters));
            let mut all = Loose::default();
            model.iter().for_each(|known| all.put(known.clone()));
            let start = random.i64(0..4000);
            let place = |ms| Some((ms, Uuid::nil()));
            let query = Query {
                application: "a".into(),
                from: place(start),
                until: place(start + 2000),
                filters,
                order: Order::OldestFirst,
                offset: random.usize(0..200),
                limit: 30,
            };
            let expected = loose_matches(&all, &query, &filter, &terms);
            let found = search(&flows, &query, &|| true).unwrap();
            assert_eq!(found.total, expected.len(), "{query:?}");
            assert!(found.keys.iter().eq(expected.iter().skip(query.offset).take(query.limit)));
        }
        for known in &model {
            let facets = flows.get(known.key).unwrap();
            assert_eq!(facets.recipients, known.recipients.texts());
        }
        assert_eq!(flows.len(), model.len());
    }
}
