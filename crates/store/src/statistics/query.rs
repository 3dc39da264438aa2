//! What statistics can be asked.

use crate::error::Result;
use async_trait::async_trait;
use flow::statistics::{Dimension, Quarter, Summary};
use std::ops::Range;

/// A question: figures of an application's flows by when they were accepted.
#[derive(Clone, Debug)]
pub struct StatisticsQuery {
    /// The application.
    pub application: String,
    /// Where periods begin, ascending; the last one is the end of the last period. Fewer than two: there are
    /// no periods.
    pub bounds: Vec<Quarter>,
    /// What the messages of each period are grouped by.
    pub group_by: Vec<Dimension>,
    /// Most rows of the answer.
    pub rows_max: usize,
}

/// A row of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatisticsRow {
    /// The number of its period, from 0.
    pub period: usize,
    /// The values of what the query groups by, in its order; `None` for what is not known.
    pub group: Vec<Option<String>>,
    /// The figures. Where the query groups by something they have messages alone: a flow may have messages in
    /// several groups.
    pub summary: Summary,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatisticsSums {
    /// Of all periods and groups together.
    pub totals: Summary,
    /// By period and group, without those that have nothing; by period, then by group.
    pub rows: Vec<StatisticsRow>,
}

/// What statistics that were made anew have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RebuiltStatistics {
    /// Stored flows, all of which are counted now.
    pub flows: usize,
    /// Stored flows that can't be read and are not counted.
    pub unreadable: usize,
    /// Flows that were counted and are not any more, as far as the documents of before could be read: they
    /// were pruned or erased.
    pub lost: i64,
}

/// Statistics of all flows that were ever accepted, pruned and erased ones as well.
#[async_trait]
pub trait Statistics: Send + Sync {
    /// The range in which an application has statistics, up to the end without that; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn statistics_range(&self, application: String) -> Result<Option<Range<Quarter>>>;

    /// Answers a query, from one moment; `None` if the answer has more than its `rows_max`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn statistics(&self, query: StatisticsQuery) -> Result<Option<StatisticsSums>>;
}
