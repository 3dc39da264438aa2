//! Statistics: exact sums of what flows contribute ([`flow::statistics`]), by application and quarter of an
//! hour. They change in the commit that changes a flow, and stay when the flow is removed.
//!
//! A [`Document`] has the sums of a span: a quarter of an hour, an hour or a day (UTC). Each commit changes
//! the documents of all three, so that any range is the sum of few of them (`pieces.rs`). Each node has
//! documents of its own, which are summed when they are read: so nodes never wait for each other. What was
//! summed up for a question is kept until a day of it changes (`answered.rs`).

mod answered;
mod document;
mod keys;
mod pieces;
mod query;
mod span;
mod sums;

pub(crate) use answered::{Answered, Versions};
pub(crate) use document::Document;
pub(crate) use keys::Keys;
pub use query::{RebuiltStatistics, Statistics, StatisticsQuery, StatisticsRow, StatisticsSums};
pub(crate) use span::Span;
pub(crate) use sums::{PeriodSums, Sums, answer};
