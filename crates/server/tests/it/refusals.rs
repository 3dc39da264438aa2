//! Requests that were refused: `GET /refusals`.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

async fn refusals(server: &TestServer) -> Vec<Value> {
    let (status, answer) = answer(server.request(Method::GET, "/refusals")).await;
    assert_eq!(status, 200, "{answer}");
    answer["content"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_application_sees_what_was_refused_to_it_and_nobody_elses() {
    let mut server = TestServer::start("").await;
    assert_eq!(refusals(&server).await, Vec::<Value>::new());
    let (_, broken) = server.post("/failover", &json!({"flow": [{"type": "Sms", "from": "SECRET"}]})).await;
    let erased = server.request(Method::DELETE, "/failover/tracking/no-id?to=%2B306900000010");
    assert_eq!(answer(erased).await.0, 404);
    assert_eq!(answer(server.request(Method::GET, &format!("/no/{}", "x".repeat(500)))).await.0, 404);
    assert_eq!(server.post("/failover/tracking", &json!([])).await.0, 200);

    let told = refusals(&server).await;
    let whats: Vec<(&str, &str, &str)> = told
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (text("method"), &text("path")[..4], text("code"))
        })
        .collect();
    let expected =
        [("GET", "/no/", "404022002"), ("DELETE", "/fai", "404022002"), ("POST", "/fai", "400022001")];
    assert_eq!(whats, expected);
    assert_eq!(told[1]["path"], "/failover/tracking/{trackingId}");
    assert!(told[0]["path"].as_str().unwrap().len() < 210);
    assert_eq!(told[2]["requestId"], broken["requestId"]);
    assert_eq!(
        (&told[2]["field"], &told[2]["rule"]),
        (&broken["errors"][0]["field"], &broken["errors"][0]["rule"])
    );
    assert!(!told.iter().any(|one| one.to_string().contains("SECRET") || one.to_string().contains("3069")));

    let stranger = create_application(&server.data, "stranger");
    server.token = token(&server.client, &server.url, &stranger).await;
    assert_eq!(refusals(&server).await, Vec::<Value>::new());
    server.token = "no token".into();
    assert_eq!(answer(server.request(Method::GET, "/refusals")).await.0, 401);
}
