//! What a flow waits for, as its tracking shows it.

use engine::service::FlowWait;
use wire::time::iso;
use wire::waits::WaitsView;

/// How it is shown.
pub(super) fn view(waits: FlowWait) -> WaitsView {
    match waits {
        FlowWait::Carrier { carrier, because, since_ms, next_try_ms } => WaitsView {
            what: "carrier".into(),
            carrier,
            because: Some(because.name().into()),
            since: Some(iso(since_ms)),
            next_try: next_try_ms.map(iso),
            ..WaitsView::default()
        },
        FlowWait::Receipt { carrier, until_ms } => {
            WaitsView { what: "receipt".into(), carrier, until: Some(iso(until_ms)), ..WaitsView::default() }
        }
        FlowWait::Callback { since_ms, next_try_ms, attempts } => WaitsView {
            what: "callback".into(),
            since: Some(iso(since_ms)),
            next_try: Some(iso(next_try_ms)),
            attempts: Some(attempts),
            ..WaitsView::default()
        },
    }
}
