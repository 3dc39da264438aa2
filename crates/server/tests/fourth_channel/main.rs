//! A fourth channel, which only this test knows, goes the whole way: it is sent, fails over to and from
//! another one, is tracked, searched for and exported. `cargo xtask test` runs it with the feature
//! `fourth-channel`.

#[path = "../it/provider.rs"]
#[allow(dead_code)] // The other tests use more of it.
mod provider;
#[path = "../it/support.rs"]
#[allow(dead_code)] // The other tests use more of it.
mod support;

use provider::{Provider, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use support::{TestServer, answer, sms};

async fn start() -> (TestServer, Provider) {
    let provider = Provider::start(|got, before| {
        assert_eq!(got.path, "/notify");
        Reply::json(202, json!({"id": format!("push-{before}")}))
    })
    .await;
    let text = format!(
        "[engine]\nminute = \"20s\"\n[server]\npublic_url = \"https://push.example\"\n\
         [[carrier]]\nname = \"sandbox\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\", \"Voice\"]\n\
         [[carrier]]\nname = \"push\"\nkind = \"http\"\nprovider = \"tests/fourth_channel/push.toml\"\n\
         channels = [\"Push\"]\nbase_url = \"{}\"\nsettings = {{ token = \"t\" }}\n",
        provider.url
    );
    (TestServer::start(&text).await, provider)
}

fn push(order: u32) -> Value {
    json!({"type": "Push", "order": order, "app": "acme", "to": "+306900000010",
           "message": {"title": "Your parcel", "text": "It is here"}})
}

/// The provider reports on a notification, once a carrier has it.
async fn report(server: &TestServer, id: &str, number: usize, state: &str) {
    let is_sent = |tracking: &Value| {
        let mut messages = tracking["messages"].as_array().unwrap().iter();
        messages.any(|message| message["type"] == "Push" && message["status"]["name"] == "Sent")
    };
    server.track_until(id, is_sent).await;
    let receipt = json!({"id": format!("push-{number}"), "state": state});
    let posted = server.client.post(format!("{}/carriers/push/receipts?token=t", server.url)).json(&receipt);
    assert_eq!(answer(posted).await.0, 200);
}

#[tokio::test]
async fn a_fourth_channel_goes_the_whole_way() {
    let (server, provider) = start().await;

    // From an Sms that can't be delivered to it.
    let first = server.send(&json!({"flow": [sms(1, "+306900000001"), push(2)]})).await;
    report(&server, &first, 0, "SHOWN").await;
    let tracking = server.track_to_end(&first).await;
    assert_eq!((&tracking["status"], &tracking["terminationChannel"]), (&json!("Succeeded"), &json!("Push")));
    let message = &tracking["messages"][1];
    assert_eq!(message["type"], "Push");
    assert_eq!((&message["title"], &message["to"]), (&json!("Your parcel"), &json!("+306900000010")));
    assert_eq!((&message["status"]["name"], &message["carrier"]), (&json!("Delivered"), &json!("push")));
    let got = &provider.got()[0].body;
    assert_eq!(
        (&got["app"], &got["title"], &got["text"]),
        (&json!("acme"), &json!("Your parcel"), &json!("It is here"))
    );

    // From it to an Sms.
    let second = server.send(&json!({"flow": [push(1), sms(2, "+306900000010")]})).await;
    report(&server, &second, 1, "GONE").await;
    let tracking = server.track_to_end(&second).await;
    assert_eq!((&tracking["status"], &tracking["terminationChannel"]), (&json!("Succeeded"), &json!("Sms")));
    assert_eq!(tracking["messages"][0]["status"]["name"], "Failed");

    // One that expires, by its own rule.
    let mut short = push(1);
    short["ttl"] = json!(0.1);
    let third = server.send(&json!({"flow": [short]})).await;
    let tracking = server.track_to_end(&third).await;
    assert_eq!(tracking["messages"][0]["status"]["name"], "Expired");

    // And one without it.
    server.track_to_end(&server.send(&json!({"flow": [sms(1, "+306900000010")]})).await).await;

    is_found(&server, [&first, &second, &third]).await;
    is_exported(&server, &first, &second).await;
}

async fn is_found(server: &TestServer, [first, second, third]: [&str; 3]) {
    let found = async |field: &str, name: &str, operator: &str| {
        let filters = json!([{"fieldName": field, "searchTerm": name, "searchOperator": operator}]);
        let page = server.search("sort=createdAt,asc", filters).await;
        let ids = page["content"].as_array().unwrap().iter().map(|tracking| tracking["trackingId"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(found("type", "Push", "is").await, [first, second, third]);
    assert_eq!(found("type", "push", "is_not").await.len(), 1);
    assert_eq!(found("terminationChannel", "Push", "is").await, [first, third]);
    assert_eq!(found("terminationChannel", "Sms", "is").await.len(), 2);
    assert_eq!(found("messageStatus", "Expired", "is").await, [third]);
}

async fn is_exported(server: &TestServer, first: &str, second: &str) {
    let filters = json!([{"fieldName": "type", "searchTerm": "Push", "searchOperator": "is"}]);
    let export = server.request(Method::POST, "/failover/tracking").header("accept", "text/csv");
    let (status, csv) = answer(export.json(&filters)).await;
    assert_eq!(status, 200, "{csv}");
    let row = |id: &str| csv.as_str().unwrap().lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(row(first).contains(",Push,") && row(first).ends_with("Sms Undelivered; Push Delivered"));
    assert!(row(second).ends_with("Push Failed; Sms Delivered"));
}

#[tokio::test]
async fn its_rules_are_checked_and_its_steps_need_its_grant() {
    let (server, _provider) = start().await;
    let mut wrong = push(1);
    wrong["message"]["title"] = json!("x".repeat(61));
    wrong["ttl"] = json!(61);
    wrong["urlShortener"] = json!({"urlValidity": 3600});
    let (status, told) = server.post("/failover", &json!({"flow": [wrong]})).await;
    assert_eq!(status, 400);
    let told = told.to_string();
    for rule in ["must have 1 to 60 characters", "must be 0.1 to 60.0 minutes", "belongs to an Sms step"] {
        assert!(told.contains(rule), "{rule}: {told}");
    }
    let mut telex = push(1);
    telex["type"] = json!("Telex");
    let (_, told) = server.post("/failover", &json!({"flow": [telex]})).await;
    assert!(told.to_string().contains("must be Sms, Viber, Voice or Push"), "{told}");

    let url = format!("{}/oauth/token?grant_type=client_credentials&scope=failover,sms", server.url);
    let request = server.client.post(url);
    let (_, narrow) =
        answer(request.basic_auth(&server.application.id, Some(&server.application.secret))).await;
    let sent = server.client.post(format!("{}/failover", server.url)).json(&json!({"flow": [push(1)]}));
    let (status, told) = answer(sent.bearer_auth(narrow["access_token"].as_str().unwrap())).await;
    assert_eq!(status, 403, "{told}");
}
