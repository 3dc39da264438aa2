//! Several carriers of a channel; what they charge; who may send; who wants no more.

use crate::provider::{Provider, Reply};
use crate::support::*;
use futures::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::{Admin, Keyring, SqliteAdmin};

const TO: &str = "+306900000000";

/// A provider without authentication, in a file of its own, as carrier `name`.
fn carrier(
    name: &str,
    channel: &str,
    provider: &Provider,
    directory: &std::path::Path,
    more: &str,
) -> String {
    let file = directory.join("plain.toml");
    let text = r#"
        description = "a test"
        channels = ["Sms", "Viber"]
        base_url = "http://replaced"
        [[request]]
        name = "text"
        path = "/send"
        body = '{"to": {{ to }}, "from": {{ sender }}, "text": {{ text }}}'
        [answer]
        accepted = "status == 200"
        id = "/id"
        [receipts]
        id = "/id"
        status = "/status"
        statuses = { delivered = "Delivered", failed = "Failed", undelivered = "Undelivered" }
        verify = { kind = "header", name = "x-secret", value = "s3cret" }
        [inbound]
        message = "item.said"
        opt_out = "item.event == 'stop'"
        opt_in = "item.event == 'start'"
        from = "/from"
        text = "/said"
    "#;
    std::fs::write(&file, text).unwrap();
    format!(
        "[[carrier]]\nname = \"{name}\"\nkind = \"http\"\nprovider = \"{}\"\nchannels = [\"{channel}\"]\n\
         base_url = \"{}\"\n{more}",
        file.display(),
        provider.url
    )
}

const HEAD: &str = "[engine]\nminute = \"10s\"\n[server]\npublic_url = \"https://sms.example\"\n\
    [callbacks]\nallow_private = true\n";
const SANDBOX: &str =
    "[[carrier]]\nname = \"b\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\"]\ndelay = \"5ms\"\n";

async fn taking() -> Provider {
    Provider::start(|_, number| Reply::json(200, json!({"id": format!("p{number}")}))).await
}

async fn report(server: &TestServer, carrier: &str, body: Value) -> u16 {
    let request = server.client.request(Method::POST, format!("{}/carriers/{carrier}/receipts", server.url));
    request.header("x-secret", "s3cret").json(&body).send().await.unwrap().status().as_u16()
}

fn carrier_of(tracking: &Value) -> &str {
    tracking["messages"][0]["carrier"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn when_one_carrier_is_in_trouble_the_next_one_carries_within_the_same_step() {
    let directory = tempfile::tempdir().unwrap();
    let throttled = |_: &crate::provider::Got, _| Reply::json(429, json!({})).header("retry-after", "60");
    let broken = |_: &crate::provider::Got, _| Reply::json(500, json!({}));
    let hanging = |_: &crate::provider::Got, _| Reply::json(200, json!({})).after(Duration::from_secs(20));
    let (throttled, broken, hanging) =
        (Provider::start(throttled).await, Provider::start(broken).await, Provider::start(hanging).await);
    for provider in [throttled, broken, hanging] {
        let a = carrier("a", "Sms", &provider, directory.path(), "timeout = \"100ms\"\n");
        let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}")).await;
        for _ in 0..8 {
            let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
            let tracking = server.track_to_end(&id).await;
            assert_eq!(tracking["status"], "Succeeded", "{tracking:#}");
            assert_eq!(tracking["messages"].as_array().unwrap().len(), 1, "one step");
            assert_eq!(carrier_of(&tracking), "b");
        }
        // After some failures it is not asked any more.
        let asked = provider.got().len();
        assert!((1..=5).contains(&asked), "{asked}");
    }
}

#[tokio::test]
async fn a_long_message_goes_one_way() {
    let directory = tempfile::tempdir().unwrap();
    let provider = Provider::start(|_, number| match number {
        0 => Reply::json(500, json!({})),
        _ => Reply::json(200, json!({"id": number})),
    })
    .await;
    let a = carrier("a", "Sms", &provider, directory.path(), "");
    let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}")).await;
    let mut step = sms(1, TO);
    step["message"]["body"] = "x".repeat(400).into();
    let id = server.send(&json!({"flow": [step]})).await;
    let tracking = server.track_to_end(&id).await;
    let carriers: Vec<_> = tracking["messages"].as_array().unwrap().iter().map(|m| &m["carrier"]).collect();
    assert_eq!(carriers, ["b", "b", "b"], "{tracking:#}");
}

#[tokio::test]
async fn a_carrier_whose_messages_fail_comes_last() {
    let directory = tempfile::tempdir().unwrap();
    let provider = taking().await;
    let a = carrier("a", "Sms", &provider, directory.path(), "success_min = 0.5\n");
    let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}")).await;
    for number in 0..30 {
        let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
        let tracking =
            server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] != "Queued").await;
        if carrier_of(&tracking) == "b" {
            assert!(number >= 20, "too little to tell before: {number}");
            return;
        }
        for _ in 0..2 {
            report(&server, "a", json!({"id": format!("p{number}"), "status": "failed"})).await;
        }
    }
    panic!("it was asked to the end");
}

#[tokio::test]
async fn routes_choose_by_number_and_label() {
    let directory = tempfile::tempdir().unwrap();
    let provider = taking().await;
    let a = carrier("a", "Sms", &provider, directory.path(), "");
    let routes = "[[route]]\nchannel = \"Sms\"\ncountries = [\"GB\"]\ncarriers = [\"b\"]\n\
                  [[route]]\nchannel = \"Sms\"\nlabels = [\"otp\"]\ncarriers = [\"b\"]\n\
                  [[route]]\nchannel = \"Sms\"\ncarriers = [\"a\"]\n";
    let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}{routes}")).await;
    let carrier = async |step: Value| {
        let id = server.send(&json!({"flow": [step]})).await;
        let tracking = server.track_until(&id, |t| t["messages"][0]["status"]["name"] != "Queued").await;
        carrier_of(&tracking).to_owned()
    };
    assert_eq!(carrier(sms(1, TO)).await, "a");
    assert_eq!(carrier(sms(1, "+442071838750")).await, "b");
    let mut labelled = sms(1, TO);
    labelled["message"]["label"] = "otp".into();
    assert_eq!(carrier(labelled).await, "b");
}

#[tokio::test]
async fn prices_come_from_the_table_and_sums_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    let rates = directory.path().join("rates.csv");
    let table = "channel,carrier,prefix,operator,kind,price\n\
        Sms,,+30,,,0.07\nSms,,+3069,Cosmote,,0.1\nViber,,,,promotional,0.3\nViber,,,,transactional,0.2\n";
    std::fs::write(&rates, table).unwrap();
    let pricing = format!("[pricing]\nrates = \"{}\"\ncurrency = \"EUR\"\n", rates.display());
    let server = TestServer::start(&format!("{HEAD}{pricing}{SANDBOX}")).await;
    let mut long = sms(1, TO);
    long["message"]["body"] = "x".repeat(400).into();
    let tracking = server.track_to_end(&server.send(&json!({"flow": [long]})).await).await;
    // Three times 0.1, which binary fractions make 0.30000000000000004.
    assert_eq!(tracking["totalPrice"].to_string(), "0.3");
    assert_eq!(tracking["messages"][0]["operator"], "Cosmote");
    for (message, price) in
        [(json!({"text": "x"}), 0.2), (json!({"text": "x", "imageUrl": "https://a.example/i.png"}), 0.3)]
    {
        let mut step = viber(1, TO);
        step["message"] = message;
        let id = server.send(&json!({"flow": [step]})).await;
        assert_eq!(server.track_to_end(&id).await["totalPrice"], price);
    }
}

#[tokio::test]
async fn only_registered_senders_send_and_carriers_know_them_by_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let provider = taking().await;
    let a = carrier("a", "Viber", &provider, directory.path(), "");
    let senders = "[[sender]]\nid = \"acme\"\nchannel = \"Viber\"\nname = \"Acme Inc\"\ncarriers = { a = \"4711\" }\n\
                   [[sender]]\nid = \"Acme\"\nchannel = \"Sms\"\napplications = [\"another\"]\n";
    let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}{senders}")).await;
    let id = server.send(&json!({"flow": [viber(1, TO)]})).await;
    until("it is handed over", || provider.got().len() == 1).await;
    assert_eq!(provider.got()[0].body["from"], "4711");
    assert_eq!(server.track(&id).await["messages"][0]["from"], "Acme Inc");

    let mut unknown = viber(1, TO);
    unknown["senderInfoTrackingId"] = "acme2".into();
    let (status, answer) = server.post("/failover", &json!({"flow": [unknown, sms(2, TO)]})).await;
    assert_eq!(status, 400);
    let errors = answer["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["flow[0].senderInfoTrackingId", "flow[1].from"]);
    assert!(errors[0]["message"].as_str().unwrap().contains("\"acme2\""), "{answer}");
}

#[tokio::test]
async fn who_wants_no_more_is_sent_nothing_and_the_flow_moves_on() {
    let server = TestServer::start(&format!("{HEAD}{SANDBOX}")).await;
    let suppression = |method: Method, channel: &str, number: &str| {
        server.request(method, &format!("/suppressions/{channel}/{number}"))
    };
    let (status, _) = answer(suppression(Method::PUT, "viber", &format!("{TO}?reason=asked%20us"))).await;
    assert_eq!(status, 204);
    let (status, list) = answer(server.request(Method::GET, "/suppressions/Viber?size=1")).await;
    assert_eq!((status.as_u16(), &list["content"][0]["recipient"]), (200, &json!(TO)));
    assert_eq!(list["content"][0]["reason"], "asked us");

    let flow = json!({"flow": [viber(1, TO), sms(2, TO)]});
    let tracking = server.track_to_end(&server.send(&flow).await).await;
    assert_eq!(tracking["terminationChannel"], "Sms");
    assert_eq!(tracking["messages"][0]["status"]["name"], "FAILED");
    assert_eq!(tracking["messages"][0]["status"]["reason"]["detailedStatus"], "Opted Out");
    assert!(carrier_of(&tracking).is_empty());

    assert_eq!(answer(suppression(Method::DELETE, "Viber", TO)).await.0, 204);
    assert_eq!(answer(suppression(Method::DELETE, "Viber", TO)).await.0, 404);
    let tracking = server.track_to_end(&server.send(&flow).await).await;
    assert_eq!(tracking["terminationChannel"], "Viber");
    assert_eq!(answer(suppression(Method::PUT, "Fax", TO)).await.0, 400);
    assert_eq!(answer(suppression(Method::PUT, "Sms", "12")).await.0, 400);
}

#[tokio::test]
async fn what_recipients_write_reaches_the_inbound_url() {
    let directory = tempfile::tempdir().unwrap();
    let provider = taking().await;
    // The client's server fails once.
    let client =
        Provider::start(|_, number| Reply::json(if number == 0 { 500 } else { 200 }, json!({}))).await;
    let a = carrier("a", "Viber", &provider, directory.path(), "");
    let server = TestServer::start(&format!("{HEAD}{a}{SANDBOX}")).await;
    let mut step = viber(1, TO);
    step["inboundUrl"] = format!("{}/inbound", client.url).into();
    let id = server.send(&json!({"flow": [step]})).await;
    until("it is handed over", || provider.got().len() == 1).await;
    server.track_until(&id, |tracking| tracking["status"] == "InProgress").await;

    let said = json!({"from": "306900000000", "said": "thanks!"});
    assert_eq!(report(&server, "a", said.clone()).await, 503, "offered again");
    assert_eq!(report(&server, "a", said).await, 200);
    assert_eq!(report(&server, "a", json!({"from": "306900000000", "event": "stop"})).await, 200);
    assert_eq!(report(&server, "a", json!({"from": "301", "said": "who?"})).await, 200);
    let got = client.got();
    assert_eq!(got.len(), 3);
    // What is offered again has the same id, and what is another thing another one.
    let id_of = |number: usize| got[number].headers["webhook-id"].clone();
    assert!(id_of(0) == id_of(1) && id_of(1) != id_of(2));
    let webhook = standardwebhooks::Webhook::from_bytes(server.application.callback_secret.clone()).unwrap();
    let message = &got[1].body;
    webhook.verify(message.to_string().as_bytes(), &got[1].headers).unwrap();
    let expected = json!({"event": "message", "trackingId": id, "from": TO, "to": "acme", "text": "thanks!"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&message[name], value, "{message:#}");
    }
    assert_eq!(got[2].body["event"], "optOut");
    let (_, list) = answer(server.request(Method::GET, "/suppressions/Viber")).await;
    assert_eq!(list["content"][0]["recipient"], TO);
    let tracking = server.track_to_end(&server.send(&json!({"flow": [viber(1, TO)]})).await).await;
    assert_eq!(tracking["messages"][0]["status"]["reason"]["detailedStatus"], "Opted Out");
}

#[tokio::test]
async fn a_balance_pays_what_it_can_and_gets_back_what_was_not_charged() {
    let sandbox = SANDBOX.replace("delay", "prices = { Sms = \"0.1\", Viber = \"0.25\" }\ndelay");
    let server = TestServer::start(&format!("{HEAD}{sandbox}")).await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    let application = &server.application.id;
    let balance = || admin.balance(application).now_or_never().unwrap().unwrap().unwrap().to_string();
    let set = |amount: &str| {
        let set = admin.set_balance(application, Some(amount.parse().unwrap()));
        assert!(set.now_or_never().unwrap().unwrap());
    };
    // A running server counts within a second or so: from then on messages cost something.
    set("100");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while balance() == "100" {
        assert!(tokio::time::Instant::now() < deadline, "nobody counts");
        server.track_to_end(&server.send(&json!({"flow": [sms(1, TO)]})).await).await;
    }
    set("0.55");
    // No Viber there, and nothing is charged for that.
    let flow = json!({"flow": [viber(1, "+306900000010"), sms(2, TO)]});
    let tracking = server.track_to_end(&server.send(&flow).await).await;
    assert_eq!((&tracking["terminationChannel"], &tracking["totalPrice"]), (&json!("Sms"), &json!(0.1)));
    assert_eq!(balance(), "0.45");
    // 0.3 for three parts, and then 0.2 are needed of 0.15.
    let mut long = sms(1, TO);
    long["message"]["body"] = "x".repeat(400).into();
    let tracking = server.track_to_end(&server.send(&json!({"flow": [long]})).await).await;
    assert_eq!(tracking["status"], "Succeeded");
    assert_eq!(balance(), "0.15");
    let ids = [
        server.send(&json!({"flow": [sms(1, TO)]})).await,
        server.send(&json!({"flow": [sms(1, TO)]})).await,
    ];
    let mut codes = Vec::new();
    for id in ids {
        let tracking = server.track_to_end(&id).await;
        if tracking["status"] == "Failed" {
            assert_eq!(tracking["messages"][0]["status"]["name"], "Unsent", "{tracking:#}");
            assert_eq!(tracking["terminationChannel"], "Sms");
        }
        codes.push(tracking["statusCode"].as_u64());
    }
    codes.sort_unstable();
    assert_eq!(codes, [None, Some(1)]);
    assert_eq!(balance(), "0.05");
}

#[tokio::test]
async fn a_dead_inbound_url_keeps_no_receipt_from_being_stored() {
    let directory = tempfile::tempdir().unwrap();
    let (provider, client) = (taking().await, Provider::start(|_, _| Reply::json(500, json!({}))).await);
    let a = carrier("a", "Viber", &provider, directory.path(), "");
    let server = TestServer::start(&format!("{HEAD}{a}")).await;
    let mut step = viber(1, TO);
    step["inboundUrl"] = format!("{}/inbound", client.url).into();
    let id = server.send(&json!({"flow": [step]})).await;
    until("it is handed over", || provider.got().len() == 1).await;
    server.track_until(&id, |tracking| tracking["status"] == "InProgress").await;
    let said = json!({"from": "306900000000", "said": "thanks!"});
    let posted = json!([said, {"id": "p0", "status": "delivered"}, said]);
    assert_eq!(report(&server, "a", posted).await, 503, "offered again");
    assert_eq!(server.track(&id).await["status"], "Succeeded");
    assert_eq!(client.got().len(), 2);
}

#[tokio::test]
async fn applications_take_turns_at_a_carrier_with_a_rate() {
    let sandbox = SANDBOX.replace("delay", "rate = 5\nwindow = 10\ndelay");
    let mut server = TestServer::start(&format!("{HEAD}{sandbox}")).await;
    for _ in 0..100 {
        server.send(&json!({"flow": [sms(1, TO)]})).await;
    }
    let honest = create_application(&server.data, "honest");
    let honest = token(&server.client, &server.url, &honest).await;
    let hostile = std::mem::replace(&mut server.token, honest);
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    server.track_to_end(&id).await;
    server.token = hostile;
    let filters = json!([{"fieldName": "status", "searchTerm": "Queued"}]);
    let waiting = server.search("size=1", filters).await;
    // In the order of acceptance none of them would.
    assert!(waiting["totalElements"].as_u64().unwrap() > 50, "{}", waiting["totalElements"]);
}
