//! Figures of an application's flows (contract, section 4).

use super::core::Service;
use super::costly::Unanswered;
use super::periods::periods;
use flow::statistics::Summary;
use std::sync::Arc;
use store::{Application, StatisticsQuery, StatisticsRow};
use wire::read_statistics::StatisticsRequest;

/// Most periods of a question, and rows of an answer.
const PERIODS_MAX: usize = 10_000;
const ROWS_MAX: usize = 10_000;

/// An answer.
#[derive(Debug, Default)]
pub struct Figures {
    /// Of the whole range.
    pub totals: Summary,
    /// When each period begins, Unix milliseconds; rows name them by their numbers.
    pub starts_ms: Vec<i64>,
    /// By period and group.
    pub rows: Vec<StatisticsRow>,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The range has too many periods.
    #[error("must leave at most {PERIODS_MAX} periods: narrow the range, or ask for longer ones")]
    TooManyPeriods,
    /// The answer has too many rows.
    #[error("must leave at most {ROWS_MAX} rows: narrow the range, or group by less")]
    TooManyRows,
    /// It has no answer now.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

impl Service {
    /// The figures of an application's flows that were accepted in a range, pruned and erased ones as well.
    /// It waits for its turn among costly searches.
    ///
    /// # Errors
    /// [`StatisticsError`].
    pub async fn statistics(
        self: &Arc<Self>,
        application: &Application,
        request: StatisticsRequest,
    ) -> Result<Figures, StatisticsError> {
        let (service, of) = (Arc::clone(self), application.id.clone());
        self.searches.run(application, |_| service.sum_up(of, request)).await?
    }

    async fn sum_up(
        self: Arc<Self>,
        application: String,
        request: StatisticsRequest,
    ) -> Result<Result<Figures, StatisticsError>, Unanswered> {
        let StatisticsRequest { from, until, interval, zone, group_by } = request;
        // An open range ends with what there is.
        let Some(known) = self.store().statistics_range(application.clone()).await? else {
            return Ok(Ok(Figures::default()));
        };
        let from = from.unwrap_or(known.start).max(known.start);
        let until = until.unwrap_or(known.end).min(known.end);
        if from >= until {
            return Ok(Ok(Figures::default()));
        }
        let Some(periods) = periods(interval, &zone, from, until, PERIODS_MAX) else {
            return Ok(Err(StatisticsError::TooManyPeriods));
        };
        let starts_ms = periods.iter().map(|period| period.start_ms).collect();
        let bounds = periods.iter().map(|period| period.first).chain([until]).collect();
        let query = StatisticsQuery { application, bounds, group_by, rows_max: ROWS_MAX };
        let Some(sums) = self.store().statistics(query).await? else {
            return Ok(Err(StatisticsError::TooManyRows));
        };
        Ok(Ok(Figures { totals: sums.totals, starts_ms, rows: sums.rows }))
    }
}
