//! Dial plans: those that stand alone, and those of a Voice step, which is to be called at an address of the
//! same octets.

use crate::api::ask;
use axum::http::Method;
use flow::Limits;
use serde_json::{Value, json};

pub(crate) fn feed(data: &[u8]) {
    let limits = Limits::default();
    if let Ok(verbs) = wire::read_plan::read_dial_plan(data, &limits) {
        assert!((1..=limits.verbs_max).contains(&verbs.len()), "{}", verbs.len());
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(address) = flow::SipAddress::parse(&text) {
        assert_eq!(flow::SipAddress::parse(&address.to_string()), Ok(address));
    }
    let plan = serde_json::from_slice::<Value>(data);
    let step = json!({"type": "Voice", "order": 1, "from": "+302100000000", "to": {"sip": text},
        "dialPlan": plan.unwrap_or_default()});
    ask(Method::POST, "/failover", json!({ "flow": [step] }).to_string().as_bytes());
}
