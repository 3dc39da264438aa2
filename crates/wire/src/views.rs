//! What the views of all channels share.

use crate::time::iso;
use flow::{Channel, Detail, Part, Price, Step};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// A status, why, and since when.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    pub name: String,
    pub reason: ReasonView,
    pub updated_date: String,
}

/// Why a message, or a flow, has its status.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonView {
    pub detailed_status: String,
    pub description: String,
}

impl ReasonView {
    pub(crate) fn of(detail: &Detail, description: Option<&str>) -> ReasonView {
        let description = description.unwrap_or_else(|| detail.description());
        ReasonView { detailed_status: detail.0.to_string(), description: description.to_owned() }
    }
}

/// Minutes: whole ones without a decimal place.
pub fn whole<S: serde::Serializer>(minutes: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if minutes.fract() == 0.0 {
        serializer.serialize_u64(*minutes as u64)
    } else {
        serializer.serialize_f64(*minutes)
    }
}

/// A ttl in minutes.
pub fn ttl_minutes(step: &Step) -> f64 {
    f64::from(step.ttl.tenths) / 10.0
}

/// The spellings of a step's failover statuses.
pub fn failover_names(step: &Step) -> Vec<Cow<'static, str>> {
    step.failover_on.iter().map(|status| status.name().into()).collect()
}

/// An amount, as trackings show it.
pub(crate) fn price(price: Price) -> f64 {
    price.to_f64().unwrap_or_default()
}

/// The status of a part.
pub(crate) fn status(part: &Part, channel: Channel) -> StatusView {
    let record = &part.status;
    StatusView {
        name: channel.rules().tracking_name(record.status),
        reason: ReasonView::of(&record.detail, record.description.as_deref()),
        updated_date: iso(record.at_ms),
    }
}

/// The name of the carrier that accepted a part.
pub(crate) fn carrier(part: &Part) -> Option<String> {
    part.carrier.as_ref().map(|accepted| accepted.carrier.clone())
}
