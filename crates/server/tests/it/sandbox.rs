//! The sandbox plays every digit's outcome, and flows fail over as they should.

use crate::support::*;
use serde_json::{Value, json};

/// Sends one-step flows to every digit at once and compares status and detailed status of each, once the flow
/// has ended and `settled` holds.
async fn play(channel: &str, expected: [(&str, &str, &str); 10]) {
    let server = TestServer::start("").await;
    let mut ids = Vec::new();
    for digit in 0..10 {
        let step = match channel {
            "Sms" => sms(1, &format!("+3069000000{digit:02}")),
            "Viber" => viber(1, &format!("+3069000000{digit}0")),
            _ => voice(1, &format!("+306900000{digit}00")),
        };
        ids.push(server.send(&json!({"flow": [step]})).await);
    }
    for (digit, (id, (flow_status, status, detail))) in ids.iter().zip(expected).enumerate() {
        let tracking = server
            .track_until(id, |tracking| {
                let message = &tracking["messages"][0]["status"];
                message["name"] == status && message["reason"]["detailedStatus"] == detail
            })
            .await;
        let tracking =
            if tracking["status"] == flow_status { tracking } else { server.track_to_end(id).await };
        assert_eq!(tracking["status"], flow_status, "digit {digit}: {tracking:#}");
        assert_eq!(tracking["terminationChannel"], channel, "digit {digit}");
    }
}

#[tokio::test]
async fn every_digit_of_sms() {
    let delivered = ("Succeeded", "Delivered", "Delivered");
    play(
        "Sms",
        [
            delivered,
            ("Failed", "Undelivered", "Unknown Number"),
            ("Failed", "Failed", "Failed"),
            ("Failed", "Undelivered", "Expired"),
            // Too late for the flow, and shown.
            ("Failed", "Delivered", "Delivered"),
            delivered,
            delivered,
            ("Failed", "Undelivered", "Call Barred"),
            delivered,
            delivered,
        ],
    )
    .await;
}

#[tokio::test]
async fn every_digit_of_viber() {
    let seen = ("Succeeded", "SEEN", "Seen");
    play(
        "Viber",
        [
            seen,
            ("Failed", "UNDELIVERED", "Not Viber User"),
            ("Failed", "FAILED", "Message Rejected"),
            ("Failed", "EXPIRED", "TTL Expired"),
            ("Failed", "DELIVERED", "Delivered"),
            seen,
            seen,
            ("Succeeded", "DELIVERED", "Delivered"),
            seen,
            seen,
        ],
    )
    .await;
}

#[tokio::test]
async fn every_digit_of_voice() {
    let completed = ("Succeeded", "Completed", "Completed");
    play(
        "Voice",
        [
            completed,
            ("Failed", "Busy", "Busy"),
            ("Failed", "NoAnswer", "No Answer"),
            ("Failed", "NoAnswer", "No Answer"),
            completed,
            completed,
            completed,
            ("Failed", "Failed", "Failed"),
            completed,
            completed,
        ],
    )
    .await;
}

#[tokio::test]
async fn viber_to_sms_with_every_field_of_the_contract() {
    let server = TestServer::start("").await;
    let to = "+306900000010";
    let id = server.send(&json!({"flow": [viber(1, to), sms(2, to), voice(3, to)]})).await;
    let tracking = server.track_to_end(&id).await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let has = |value: &Value, wanted: &[&str]| {
        let keys = keys(value);
        for key in wanted {
            assert!(keys.iter().any(|k| k == key), "{key} in {keys:?}");
        }
    };
    has(
        &tracking,
        &[
            "trackingId",
            "messages",
            "terminationChannel",
            "status",
            "statusCode",
            "totalPrice",
            "originatingService",
            "applicationId",
            "createdAt",
            "updatedAt",
        ],
    );
    let [viber, sms] = tracking["messages"].as_array().unwrap().as_slice() else { panic!("{tracking:#}") };
    has(
        viber,
        &[
            "type",
            "order",
            "failoverOnStatuses",
            "createdAt",
            "trackingId",
            "from",
            "to",
            "body",
            "status",
            "country",
            "price",
            "inboundUrl",
            "label",
            "ttl",
            "expireOnDelivery",
        ],
    );
    has(
        sms,
        &[
            "type",
            "order",
            "failoverOnStatuses",
            "createdAt",
            "messageId",
            "smsId",
            "from",
            "to",
            "body",
            "country",
            "operator",
            "status",
            "part",
            "parts",
            "latency",
            "price",
            "label",
            "ttl",
        ],
    );
    assert_eq!(viber["status"]["name"], "UNDELIVERED");
    assert_eq!(sms["status"]["name"], "Delivered");
    assert_eq!(sms["country"], "GR");
    assert!(sms["latency"].as_i64().unwrap() >= 50);
    assert_eq!(tracking["status"], "Succeeded");
    assert_eq!(tracking["terminationChannel"], "Sms");
    assert_eq!(tracking["totalPrice"], json!(0.045));
    assert_eq!(tracking["originatingService"], "Failover");
    assert_eq!(tracking["applicationId"], server.application.id.as_str());
}

#[tokio::test]
async fn a_long_sms_is_one_message_of_parts() {
    let server = TestServer::start("").await;
    let mut step = sms(1, "+306900000010");
    step["message"] = json!({"body": "γειά σου ".repeat(20), "label": "l"});
    let id = server.send(&json!({"flow": [step]})).await;
    let tracking = server.track_to_end(&id).await;
    let messages = tracking["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    let bodies: String = messages.iter().map(|m| m["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, "γειά σου ".repeat(20));
    for (i, message) in messages.iter().enumerate() {
        assert_eq!((&message["part"], &message["parts"]), (&json!(i + 1), &json!(3)));
        assert_eq!(message["messageId"], messages[0]["messageId"]);
        assert_eq!(message["status"]["name"], "Delivered");
    }
    assert_eq!(tracking["totalPrice"], json!(0.135));
}

#[tokio::test]
async fn a_delivered_viber_message_that_nobody_reads_can_expire() {
    let server = TestServer::start("").await;
    let mut step = viber(1, "+306900000070");
    step["expireOnDelivery"] = json!(true);
    let id = server.send(&json!({"flow": [step, sms(2, "+306900000070")]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["terminationChannel"], "Sms");
    let viber = &tracking["messages"][0];
    assert_eq!(viber["status"]["name"], "EXPIRED");
    assert!(viber["expiredOnDeliveryAt"].is_string());
}

#[tokio::test]
async fn a_status_that_does_not_fail_over_ends_the_flow() {
    let server = TestServer::start("").await;
    let mut step = viber(1, "+306900000010");
    step["failoverOnStatuses"] = json!(["Expired"]);
    let id = server.send(&json!({"flow": [step, sms(2, "+306900000010")]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!((&tracking["status"], &tracking["statusCode"]), (&json!("Failed"), &json!(3)));
    assert_eq!(tracking["messages"].as_array().unwrap().len(), 1);
    let id = server.send(&json!({"flow": [sms(2, "+306900000011")]})).await;
    assert_eq!(server.track_to_end(&id).await["statusCode"], 2);
}
