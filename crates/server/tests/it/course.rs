//! What happened to a flow: `GET /failover/tracking/{trackingId}/events`.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

async fn events(server: &TestServer, id: &str) -> Vec<Value> {
    let path = format!("/failover/tracking/{id}/events");
    let (status, answer) = answer(server.request(Method::GET, &path)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["trackingId"], &answer["leftOut"]), (&json!(id), &json!(0)));
    answer["events"].as_array().unwrap().clone()
}

/// The members of an event that a test can know.
fn known(event: &Value) -> Value {
    let mut event = event.clone();
    let members = event.as_object_mut().unwrap();
    for unknown in ["at", "reference", "tookMs", "description"] {
        members.remove(unknown);
    }
    event
}

#[tokio::test]
async fn a_failover_tells_its_course_to_its_application() {
    let mut server = TestServer::start("").await;
    let id = server.send(&json!({"flow": [viber(1, "+306900000010"), sms(2, "+306900000010")]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["terminationChannel"], "Sms", "{tracking:#}");
    let events = events(&server, &id).await;
    let told: Vec<Value> = events.iter().map(known).collect();
    let (viber, sms) = (json!({"order": 1, "type": "Viber"}), json!({"order": 2, "type": "Sms"}));
    let of = |step: &Value, members: Value| {
        let mut event = step.clone();
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event
    };
    let expected = [
        json!({"event": "accepted"}),
        of(&viber, json!({"event": "step_started", "because": "first"})),
        of(&viber, json!({"event": "taken", "carrier": "sandbox"})),
        of(&viber, json!({"event": "receipt", "status": "UNDELIVERED", "detailedStatus": "Not Viber User"})),
        of(&sms, json!({"event": "step_started", "because": "status", "status": "UNDELIVERED"})),
        of(&sms, json!({"event": "taken", "carrier": "sandbox"})),
        of(&sms, json!({"event": "receipt", "status": "Delivered", "detailedStatus": "Delivered"})),
        json!({"event": "ended", "status": "Succeeded"}),
    ];
    assert_eq!(told, expected);
    assert!(events[2]["reference"].is_string());
    assert_eq!(events[3]["description"], "The number has no Viber account.");
    let times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times[0], tracking["createdAt"]);

    let stranger = create_application(&server.data, "stranger");
    server.token = token(&server.client, &server.url, &stranger).await;
    for id in [id.as_str(), "01900000-0000-7000-8000-000000000000", "no-id"] {
        let path = format!("/failover/tracking/{id}/events");
        assert_eq!(answer(server.request(Method::GET, &path)).await.0, 404);
    }
}

#[tokio::test]
async fn a_cancelled_flow_and_one_whose_recipient_opted_out_tell_so() {
    let server = TestServer::start("[engine]\nminute = \"60s\"\n").await;
    let to = "+306900000010";
    let id = server.send(&json!({"flow": [viber(1, "+306900000030")]})).await;
    let cancelled = answer(server.request(Method::DELETE, &format!("/failover/{id}"))).await;
    assert_eq!(cancelled.0, 200, "{}", cancelled.1);
    let told = events(&server, &id).await;
    let by_us = told.iter().find(|event| event["event"] == "cancelled").expect("it is told");
    assert_eq!(by_us["by"], "application");
    assert_eq!(told.last().map(known), Some(json!({"event": "ended", "status": "Failed"})));

    let suppressed = server.request(Method::PUT, &format!("/suppressions/Sms/{to}"));
    assert_eq!(answer(suppressed).await.0, 204);
    // Which applications have such lists is looked up every second.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let id = server.send(&json!({"flow": [sms(1, to)]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["messages"][0]["status"]["reason"]["detailedStatus"], "Opted Out");
    let told: Vec<Value> = events(&server, &id).await.iter().map(known).collect();
    assert_eq!(told[2], json!({"event": "suppressed", "order": 1, "type": "Sms"}));
}
