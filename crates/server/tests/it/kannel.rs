//! SMPP against the SMSC that Kannel tests itself with.

use crate::smsc::Smsc;
use crate::support::*;
use serde_json::json;

/// It answers submits without an id, sends messages in bursts with a request to answer after each, and
/// numbers its requests from 0.
#[tokio::test]
async fn kannels_smsc() {
    let smsc = Smsc::kannel(200);
    let carrier = smsc.carrier("user", "bind = \"separate\"\nenquire_link = \"300ms\"");
    let server = TestServer::start(&carrier).await;
    let handled = |kind: &str| smsc.told("handled").iter().filter(|handled| *handled == kind).count();
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        let mut step = sms(1, "+306900000000");
        step["message"] = json!({"body": body});
        ids.push(server.send(&json!({"flow": [step]})).await);
    }
    // Nothing can speak of a message without an id.
    for id in &ids {
        let tracking = server.track_to_end(id).await;
        let status = &tracking["messages"][0]["status"];
        assert_eq!(
            (&status["name"], &status["reason"]["detailedStatus"]),
            (&json!("Undelivered"), &json!("Expired"))
        );
    }
    let mut submits: Vec<_> =
        smsc.told("submit").iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    submits.sort_unstable();
    assert_eq!(submits, ["one", "three", "two"]);
    // No message is left unanswered, nor a request after it.
    until("the answers", || handled("deliver_sm_resp") == 200 && handled("enquire_link_resp") == 200).await;
    until("our own requests", || handled("enquire_link") >= 2).await;
    server.server.stop().await;
    until("the unbinds", || handled("unbind") > 0).await;
}
