//! What benchmarks send, and the carrier that takes it.

use serde_json::json;

/// The sandbox, with receipts at once; `rate` as in the configuration.
pub fn config(rate: &str) -> String {
    format!(
        "[[carrier]]\nname = \"sandbox\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\", \"Voice\"]\n\
         window = 1000\ndelay = \"1ms\"\n{rate}\n"
    )
}

/// A flow that Viber does not deliver and Sms does: two submits, three receipts or refusals, one failover.
pub fn failover_body(i: usize) -> String {
    let to = format!("+30690{:05}10", i % 100_000);
    json!({"flow": [
        {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": to, "ttl": 10,
         "message": {"text": "Your parcel is here.",
                     "action": {"caption": "Track", "targetUrl": "https://acme.example/t/1"}}},
        {"type": "Sms", "order": 2, "from": "Acme", "to": to, "message": {"body": "Your parcel is here."}},
    ]})
    .to_string()
}

/// A flow that one Sms ends.
pub fn sms_body(i: usize) -> String {
    let to = format!("+30690{:06}0", i % 1_000_000);
    json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": to, "message": {"body": "Your parcel is here."}}]})
        .to_string()
}
