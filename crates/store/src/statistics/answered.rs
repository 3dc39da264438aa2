//! What was summed up before: most of what is asked of statistics is over and does not change.

use super::query::StatisticsQuery;
use super::span::Span;
use super::sums::PeriodSums;
use flow::statistics::{Dimension, Quarter};
use std::collections::HashMap;
use std::sync::Arc;

/// Sums that are kept, one for each group of each period: some 15 MB.
const KEPT_MAX: usize = 20_000;

/// How often the days of a range changed. Each change of a day raises its number by one, so the sum over days
/// is another one after any change.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// The days, ascending, each with the sum up to it and including it.
    sums: Vec<(Quarter, i64)>,
}

impl Versions {
    /// Notes the version of a day, later than those before.
    pub(crate) fn push(&mut self, day: Quarter, version: i64) {
        self.sums.push((day, self.sums.last().map_or(0, |(_, sum)| *sum) + version));
    }

    /// The sum of the days that a period touches.
    fn of(&self, from: Quarter, until: Quarter) -> i64 {
        let before = |bound: Quarter| match self.sums.partition_point(|(day, _)| *day < bound) {
            0 => 0,
            found => self.sums[found - 1].1,
        };
        before(until) - before(Span::Day.start(from))
    }
}

/// Periods of a question, each with the versions of its days.
type Periods = HashMap<(Quarter, Quarter), (i64, Arc<PeriodSums>)>;

/// Periods that were summed up, as long as their days did not change.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// By application and what it groups by.
    by_question: HashMap<(String, Vec<Dimension>), Periods>,
    kept: usize,
}

impl Answered {
    /// The periods of a query that are known and did not change since; `None` for the others.
    pub(crate) fn known(&self, query: &StatisticsQuery, versions: &Versions) -> Vec<Option<Arc<PeriodSums>>> {
        let periods = self.by_question.get(&(query.application.clone(), query.group_by.clone()));
        let known = |bounds: &[Quarter]| {
            let (version, sums) = periods?.get(&(bounds[0], bounds[1]))?;
            (*version == versions.of(bounds[0], bounds[1])).then(|| Arc::clone(sums))
        };
        query.bounds.windows(2).map(known).collect()
    }

    /// Keeps a period of a query.
    pub(crate) fn keep(
        &mut self,
        query: &StatisticsQuery,
        versions: &Versions,
        period: usize,
        sums: Arc<PeriodSums>,
    ) {
        let weight = |sums: &PeriodSums| sums.groups.len() + 1;
        if self.kept + weight(&sums) > KEPT_MAX {
            *self = Answered::default();
        }
        let (from, until) = (query.bounds[period], query.bounds[period + 1]);
        let periods =
            self.by_question.entry((query.application.clone(), query.group_by.clone())).or_default();
        self.kept += weight(&sums);
        let former = periods.insert((from, until), (versions.of(from, until), sums));
        self.kept -= former.map_or(0, |(_, sums)| weight(&sums));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 96;

    #[test]
    fn a_period_has_the_versions_of_every_day_that_it_touches() {
        let mut versions = Versions::default();
        for (day, version) in [(0, 3), (2, 5), (3, 7)] {
            versions.push(Quarter(day * DAY), version);
        }
        let of = |from, until| versions.of(Quarter(from), Quarter(until));
        assert_eq!(of(0, DAY), 3);
        assert_eq!(of(95, 96), 3);
        assert_eq!(of(DAY, 2 * DAY), 0);
        assert_eq!(of(2 * DAY - 8, 3 * DAY - 8), 5);
        assert_eq!(of(3 * DAY - 8, 4 * DAY - 8), 12);
        assert_eq!(of(-DAY, 9 * DAY), 15);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let (mut answered, versions) = (Answered::default(), Versions::default());
        let bounds: Vec<_> = (0..=2 * KEPT_MAX as i64).map(Quarter).collect();
        let query = StatisticsQuery { application: "app".into(), bounds, group_by: vec![], rows_max: 1 };
        for period in 0..2 * KEPT_MAX {
            answered.keep(&query, &versions, period, Arc::default());
            answered.keep(&query, &versions, period, Arc::default());
            assert!(answered.kept <= KEPT_MAX);
        }
        let known = answered.known(&query, &versions).iter().flatten().count();
        assert_eq!(known, answered.kept);
        assert!(known > 0);
    }
}
