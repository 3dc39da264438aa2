//! Statistics as they are answered (contract, section 4).

use crate::views::price;
use flow::statistics::{Dimension, Summary};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Figures of the flows that were accepted in a range.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StatisticsView {
    /// Of the whole range.
    pub totals: FiguresView,
    /// By period and group, without those that have nothing.
    pub rows: Vec<PeriodView>,
}

/// A period, or a group of it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeriodView {
    /// When the hour, day or month begins, in the time zone that was asked for.
    pub start: String,
    /// Only where it is grouped by channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub channel: Option<String>,
    /// Only where it is grouped by carrier, and one accepted the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carrier: Option<String>,
    /// Only where it is grouped by country, and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub country: Option<String>,
    /// Only where it is grouped by network, and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub network: Option<String>,
    /// Only where it is grouped by status: a message's, as in `failoverOnStatuses`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<String>,
    #[serde(flatten)]
    pub figures: FiguresView,
}

/// Figures.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FiguresView {
    /// Flows; null in a row of a group, since a flow may have messages in several.
    pub flows: Option<i64>,
    /// Messages: steps that were started.
    pub messages: i64,
    /// Their parts.
    pub parts: i64,
    /// What they cost.
    pub price: f64,
    /// Of the flows that ended, the share that succeeded; in a row of a group, of the messages that ended,
    /// the share that got through. Null if none ended.
    pub success_share: Option<f64>,
    /// Of the flows, the share that started a second step; null in a row of a group.
    pub failover_share: Option<f64>,
    /// Of the flows that ended, the mean time from acceptance to the last change, milliseconds; null in a row
    /// of a group.
    pub time_to_end: Option<i64>,
    /// Half of the messages that got through took no longer, from the start of their step, milliseconds,
    /// exact to an eighth; null if none got through.
    #[serde(rename = "latencyP50")]
    pub latency_p50: Option<u64>,
    /// The same of 95 of 100.
    #[serde(rename = "latencyP95")]
    pub latency_p95: Option<u64>,
}

/// A share of a whole, to four decimal places.
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

impl FiguresView {
    /// The figures of flows and their messages.
    pub fn of_flows(summary: &Summary) -> FiguresView {
        FiguresView {
            flows: Some(summary.flows),
            success_share: share(summary.succeeded_flows, summary.ended_flows),
            failover_share: share(summary.failed_over_flows, summary.flows),
            time_to_end: summary.time_ms.checked_div(summary.ended_flows),
            ..FiguresView::of_messages(summary)
        }
    }

    /// The figures of messages alone.
    pub fn of_messages(summary: &Summary) -> FiguresView {
        FiguresView {
            flows: None,
            messages: summary.messages,
            parts: summary.parts,
            price: price(summary.price),
            success_share: share(summary.successful_messages, summary.ended_messages),
            failover_share: None,
            time_to_end: None,
            latency_p50: summary.latency.percentile_ms(50),
            latency_p95: summary.latency.percentile_ms(95),
        }
    }

    /// The names of its members, and their values as they stand in a line of CSV.
    pub fn cells(&self) -> [(&'static str, String); 9] {
        fn cell<T: ToString>(value: Option<T>) -> String {
            value.as_ref().map(T::to_string).unwrap_or_default()
        }
        [
            ("flows", cell(self.flows)),
            ("messages", self.messages.to_string()),
            ("parts", self.parts.to_string()),
            ("price", self.price.to_string()),
            ("successShare", cell(self.success_share)),
            ("failoverShare", cell(self.failover_share)),
            ("timeToEnd", cell(self.time_to_end)),
            ("latencyP50", cell(self.latency_p50)),
            ("latencyP95", cell(self.latency_p95)),
        ]
    }
}

impl PeriodView {
    /// A row: the figures of a period, or of its messages with these values in the dimensions that they are
    /// grouped by.
    pub fn of(
        start: String,
        group_by: &[Dimension],
        group: Vec<Option<String>>,
        summary: &Summary,
    ) -> PeriodView {
        let figures = match group_by {
            [] => FiguresView::of_flows(summary),
            _ => FiguresView::of_messages(summary),
        };
        let mut view = PeriodView { start, figures, ..PeriodView::default() };
        for (dimension, value) in group_by.iter().zip(group) {
            *view.member(*dimension) = value;
        }
        view
    }

    fn member(&mut self, dimension: Dimension) -> &mut Option<String> {
        match dimension {
            Dimension::Channel => &mut self.channel,
            Dimension::Carrier => &mut self.carrier,
            Dimension::Country => &mut self.country,
            Dimension::Network => &mut self.network,
            Dimension::Status => &mut self.status,
        }
    }

    /// Its value in a dimension.
    pub fn value(&self, dimension: Dimension) -> Option<&str> {
        let value = match dimension {
            Dimension::Channel => &self.channel,
            Dimension::Carrier => &self.carrier,
            Dimension::Country => &self.country,
            Dimension::Network => &self.network,
            Dimension::Status => &self.status,
        };
        value.as_deref()
    }
}
