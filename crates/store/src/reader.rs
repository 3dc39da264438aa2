//! What is read beside the writer.

use crate::accounts::SubmitChecks;
use crate::application::{Application, CallbackKey, Token};
use crate::error::Result;
use crate::feed::ChangePage;
use crate::halts::HaltedCarrier;
use crate::position::Position;
use crate::statistics::{StatisticsQuery, StatisticsSums};
use crate::suppression::Suppression;
use crate::wanted::{Blind, SuppressionOf};
use async_trait::async_trait;
use flow::statistics::Quarter;
use flow::{Channel, Flow};
use std::ops::Range;
use uuid::Uuid;

/// Reads of a database beside its writer, each of what was committed when it began. The traits of the store
/// say what each returns; all of them fail with [`StoreError::Unavailable`](crate::StoreError::Unavailable).
#[async_trait]
pub trait Reader: Send + Sync + 'static {
    /// See [`Flows::load_within`](crate::Flows::load_within).
    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>>;

    /// See [`Flows::flows_to_later_recipient`](crate::Flows::flows_to_later_recipient); the recipient is a
    /// keyed hash.
    async fn flows_to_later_recipient(&self, recipient: Blind, limit: usize) -> Result<Vec<Uuid>>;

    /// See [`Flows::flows_by_reference`](crate::Flows::flows_by_reference); the reference is as it is kept.
    async fn flows_by_reference(&self, reference: String, limit: usize) -> Result<Vec<Uuid>>;

    /// Returns whether somebody asked for a replay.
    async fn has_replays(&self) -> Result<bool>;

    /// See [`Flows::link`](crate::Flows::link).
    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>>;

    /// See [`Accounts::application`](crate::Accounts::application).
    async fn application(&self, id: String) -> Result<Option<Application>>;

    /// See [`Accounts::own_retentions`](crate::Accounts::own_retentions).
    async fn own_retentions(&self) -> Result<Vec<(String, u32)>>;

    /// See [`Accounts::changed_callback_keys`](crate::Accounts::changed_callback_keys).
    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>>;

    /// See [`Accounts::token`](crate::Accounts::token).
    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>>;

    /// See [`Accounts::is_suppressed`](crate::Accounts::is_suppressed).
    async fn is_suppressed(&self, of: SuppressionOf) -> Result<bool>;

    /// See [`Accounts::suppressions`](crate::Accounts::suppressions).
    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>>;

    /// See [`Accounts::submit_checks`](crate::Accounts::submit_checks).
    async fn submit_checks(&self) -> Result<SubmitChecks>;

    /// See [`Feed::changes`](crate::Feed::changes).
    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage>;

    /// See [`Feed::position`](crate::Feed::position).
    async fn position(&self) -> Result<Position>;

    /// See [`Feed::has`](crate::Feed::has).
    async fn has(&self, position: &Position) -> Result<bool>;

    /// See [`Statistics::statistics_range`](crate::Statistics::statistics_range).
    async fn statistics_range(&self, application: String) -> Result<Option<Range<Quarter>>>;

    /// See [`Statistics::statistics`](crate::Statistics::statistics).
    async fn statistics(&self, query: StatisticsQuery) -> Result<Option<StatisticsSums>>;

    /// See [`Halts::halted_carriers`](crate::Halts::halted_carriers).
    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>>;

    /// See [`Upkeep::kept_time_ms`](crate::Upkeep::kept_time_ms).
    async fn kept_time_ms(&self) -> Result<Option<i64>>;
}
