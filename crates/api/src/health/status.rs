//! `GET /health/status`: the carriers, and what waits. It tells no more than `/metrics`.

use crate::state::Api;
use axum::Json;
use axum::extract::State;
use engine::OwedWork;
use engine::service::CarrierFigures;
use flow::Channel;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::error_body::ErrorBody;
use wire::health::{CarrierView, StatusReport, WaitingView};
use wire::time::iso;

/// How the carriers are, and what waits and why.
#[utoipa::path(
    get,
    path = "/health/status",
    operation_id = "showStatus",
    tag = "operating",
    responses((status = 200, body = StatusReport, description = "As it was a second ago at most."), (status = 400, body = ErrorBody, description = "The request has no `Host`.")),
    security(())
)]
pub async fn show(State(api): State<Arc<Api>>) -> Json<StatusReport> {
    Json(StatusReport {
        status: api.service.readiness().await.into(),
        carriers: api.service.carrier_figures().into_iter().map(carrier).collect(),
        waiting: waiting(&api.service.owed_work()),
    })
}

fn carrier(figures: CarrierFigures) -> CarrierView {
    let state = figures.state();
    let CarrierFigures { name, kind, channels, standing, halt, success, window, .. } = figures;
    CarrierView {
        name,
        kind: kind.into(),
        channels: channels.into_iter().map(Channel::name).map(Into::into).collect(),
        up: standing.is_up,
        since: iso(standing.since_ms),
        state: state.into(),
        state_since: halt.map(|halted| iso(halted.since_ms)),
        success,
        window,
        under_way: figures.under_way,
        rate: figures.rate.map(Into::into),
        waiting: figures.waiting,
        oldest: figures.oldest_ms.map(iso),
        figures: figures.figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Summed over the applications.
fn waiting(owed: &[OwedWork]) -> Vec<WaitingView> {
    let mut sums = BTreeMap::new();
    for OwedWork { lane, carrier, because, count, oldest_ms, .. } in owed {
        let (sum, oldest) = sums.entry((lane.name(), carrier, because.name())).or_insert((0, *oldest_ms));
        (*sum, *oldest) = (*sum + count, (*oldest).min(*oldest_ms));
    }
    let mut waiting = Vec::with_capacity(sums.len());
    for ((lane, carrier, because), (count, oldest_ms)) in sums {
        let (lane, because, oldest) = (lane.into(), because.into(), iso(oldest_ms));
        waiting.push(WaitingView { lane, carrier: carrier.clone(), because, count, oldest });
    }
    waiting
}
