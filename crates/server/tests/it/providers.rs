//! The cases of carriers over HTTP, receipts, callbacks and what recipients write, each under the name of its
//! rule.

use crate::provider::{Provider, Reply};
use crate::smsc::Smsc;
use crate::support::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::{Admin, Keyring, SqliteAdmin};

const TO: &str = "+306900000010";

fn config(provider: &Provider, minute: &str, more: &str) -> String {
    format!(
        "[engine]\nminute = \"{minute}\"\n[server]\npublic_url = \"https://sms.example.com\"\n\
         [callbacks]\nallow_private = true\nretry_base = \"20ms\"\n{}",
        carrier(provider, "ib", "infobip-sms", "Sms", more)
    )
}

fn carrier(provider: &Provider, name: &str, preset: &str, channel: &str, more: &str) -> String {
    format!(
        "[[carrier]]\nname = \"{name}\"\nkind = \"http\"\nchannels = [\"{channel}\"]\nprovider = \"{preset}\"\n\
         settings = {{ base_url = \"{}\", api_key = \"k\", receipt_token = \"t\" }}\n{more}\n",
        provider.url
    )
}

const SANDBOX: &str =
    "[[carrier]]\nname = \"b\"\nkind = \"sandbox\"\nchannels = [\"Viber\"]\ndelay = \"5ms\"\n";

/// The right answer to the message that was posted.
fn right(body: &Value) -> Value {
    let id = &body["messages"][0]["destinations"][0]["messageId"];
    json!({"messages": [{"messageId": id, "status": {"groupName": "PENDING"}}]})
}

async fn taking() -> Provider {
    Provider::start(|got, _| Reply::json(200, right(&got.body))).await
}

async fn post(
    server: &TestServer,
    carrier: &str,
    body: impl Into<reqwest::Body>,
    headers: &[(&str, &str)],
) -> u16 {
    let url = format!("{}/carriers/{carrier}/receipts?token=t", server.url);
    let mut request = server.client.request(Method::POST, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// A value of `/metrics`.
async fn metric(server: &TestServer, name: &str) -> u64 {
    let (_, metrics) = answer(server.request(Method::GET, "/metrics")).await;
    let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// Sends an Sms that a carrier takes; answers with its tracking's id and the carrier's.
async fn sent(server: &TestServer, provider: &Provider) -> (String, String) {
    let before = provider.got().len();
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Sent").await;
    let message = &provider.got()[before].body["messages"][0]["destinations"][0]["messageId"];
    (id, message.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_answer_that_does_not_clearly_refuse_is_no_refusal() {
    let reply = |status: u16, body: &str| Reply { body: body.into(), ..Reply::json(status, json!({})) };
    // Nobody knows: with "wait" nothing is handed over again, and no failover happens before the ttl.
    for (status, body) in [(200, ""), (200, "<html>ok</html>"), (204, ""), (200, "\u{1f}\u{8b}"), (504, "")] {
        let provider = Provider::start(move |_, _| reply(status, body)).await;
        let more = format!("unknown_submit = \"wait\"\n{SANDBOX}");
        let server = TestServer::start(&config(&provider, "1s", &more)).await;
        let started = Instant::now();
        let id = server.send(&json!({"flow": [sms(1, TO), viber(2, "+306900000000")]})).await;
        let tracking = server.track_to_end(&id).await;
        assert!(started.elapsed() >= Duration::from_secs(2), "{status} {body}: {tracking:#}");
        assert_eq!(
            tracking["messages"][0]["status"]["reason"]["detailedStatus"], "Expired",
            "{status} {body}"
        );
        assert_eq!(provider.got().len(), 1, "{status} {body}");
    }
    // It says nothing of the message: it waits, and goes when the provider is found.
    for (status, body) in [(404, "{}"), (301, ""), (405, "<html>"), (408, ""), (400, "<html>"), (403, "{}")] {
        let provider = Provider::start(move |got, number| match number {
            0 => reply(status, body),
            _ => Reply::json(202, right(&got.body)),
        })
        .await;
        let server = TestServer::start(&config(&provider, "10s", SANDBOX)).await;
        let id = server.send(&json!({"flow": [sms(1, TO), viber(2, "+306900000000")]})).await;
        let taken = |tracking: &Value| tracking["messages"][0]["status"]["name"] != "Queued";
        let tracking = server.track_until(&id, taken).await;
        assert_eq!(tracking["messages"][0]["status"]["name"], "Sent", "{status} {body}");
        assert_eq!(provider.got().len(), 2, "{status} {body}");
    }
    // With a byte order mark it is what it is; a clear refusal fails over at once.
    let provider = Provider::start(move |got, number| match number {
        0 => reply(200, &format!("\u{feff}{}", right(&got.body))),
        1 => Reply::json(400, json!({"requestError": {"serviceException": {"text": "no"}}})),
        _ => Reply::json(200, json!({"messages": [{"messageId": "x", "status": {"groupName": "REJECTED"}}]})),
    })
    .await;
    let server = TestServer::start(&config(&provider, "1m", SANDBOX)).await;
    sent(&server, &provider).await;
    for _ in 0..2 {
        let id = server.send(&json!({"flow": [sms(1, TO), viber(2, "+306900000000")]})).await;
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["messages"][0]["status"]["name"], "Failed");
        assert_eq!(tracking["terminationChannel"], "Viber");
    }
    assert_eq!(provider.got().len(), 3);
}

#[tokio::test]
async fn accepted_without_an_id_is_accepted_and_not_sent_again() {
    let accepted = json!({"messages": [{"status": {"groupName": "PENDING"}}]});
    let provider = Provider::start(move |_, _| Reply::json(200, accepted.clone())).await;
    let server = TestServer::start(&config(&provider, "10s", "")).await;
    let (id, message) = sent(&server, &provider).await;
    // Its receipts name it by the id that it was given.
    let body = json!({"results": [{"messageId": message, "status": {"groupName": "DELIVERED"}}]});
    assert_eq!(post(&server, "ib", body.to_string(), &[]).await, 200);
    assert_eq!(server.track_to_end(&id).await["status"], "Succeeded");
    assert_eq!(provider.got().len(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_sent_again_a_bounded_number_of_times() {
    for (key, most) in [("", 2), ("unknown_resends_max = 0\n", 1), ("unknown_resends_max = 3\n", 4)] {
        // It takes each, and answers too late.
        let late = |got: &crate::provider::Got, _| {
            Reply::json(200, right(&got.body)).after(Duration::from_millis(300))
        };
        let provider = Provider::start(late).await;
        let text = config(&provider, "50ms", &format!("timeout = \"100ms\"\n{key}{SANDBOX}"));
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let server = TestServer::start_on(&data, &text).await;
        let mut step = sms(1, TO);
        step["ttl"] = json!(100);
        let id = server.send(&json!({"flow": [step, viber(2, "+306900000000")]})).await;
        until("it is handed over", || !provider.got().is_empty()).await;
        // A restart forgets nothing of it.
        until("it is handed over so often", || provider.got().len() == most).await;
        let waits = "switchback_unknown_submits_total{carrier=\"ib\",then=\"wait\"}";
        let deadline = Instant::now() + Duration::from_secs(20);
        while metric(&server, waits).await == 0 {
            assert!(Instant::now() < deadline, "it waits");
        }
        server.server.stop().await;
        let server = TestServer::start_again(&data, &text, server.token, server.application).await;
        let tracking = server.track_to_end(&id).await;
        assert_eq!(provider.got().len(), most, "{key}");
        assert_eq!(tracking["messages"][0]["status"]["reason"]["detailedStatus"], "Expired", "{key}");
        assert_eq!(tracking["terminationChannel"], "Viber", "{key}");
    }
}

#[tokio::test]
async fn what_nobody_knew_of_is_found_by_its_receipts() {
    // It takes each by our id, and answers too late.
    let late =
        |got: &crate::provider::Got, _| Reply::json(200, right(&got.body)).after(Duration::from_millis(300));
    for key in ["unknown_submit = \"wait\"\n", "unknown_resends_max = 0\n", "unknown_resends_max = 1\n"] {
        let provider = Provider::start(late).await;
        let server =
            TestServer::start(&config(&provider, "1m", &format!("timeout = \"100ms\"\n{key}"))).await;
        let mut step = sms(1, TO);
        // In several parts, which are one for the provider.
        step["message"]["body"] = json!("x".repeat(400));
        let id = server.send(&json!({"flow": [step]})).await;
        let most = if key.contains("= 1") { 2 } else { 1 };
        until("it is handed over so often", || provider.got().len() == most).await;
        let waits = "switchback_unknown_submits_total{carrier=\"ib\",then=\"wait\"}";
        let deadline = Instant::now() + Duration::from_secs(20);
        while metric(&server, waits).await == 0 {
            assert!(Instant::now() < deadline, "it waits");
        }
        let message = &provider.got()[0].body["messages"][0]["destinations"][0]["messageId"];
        let body = json!({"results": [{"messageId": message, "status": {"groupName": "DELIVERED"}}]});
        assert_eq!(post(&server, "ib", body.to_string(), &[]).await, 200);
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["status"], "Succeeded", "{key}: {tracking:#}");
        assert_eq!(provider.got().len(), most, "{key}");
    }
}

#[tokio::test]
async fn in_a_bulk_of_receipts_everything_that_can_be_read_counts() {
    let provider = taking().await;
    let server = TestServer::start(&config(&provider, "1m", "")).await;
    let odd = [
        json!({"messageId": "x"}),
        Value::Null,
        json!("text"),
        json!([]),
        json!({"status": {"groupName": "DELIVERED"}}),
    ];
    for (number, bad) in odd.into_iter().enumerate() {
        let ((one, first), (two, second)) = (sent(&server, &provider).await, sent(&server, &provider).await);
        let good = |id: &str| json!({"messageId": id, "status": {"groupName": "DELIVERED"}});
        let body = json!({"results": [good(&first), bad, good(&second)]}).to_string();
        assert_eq!(post(&server, "ib", body, &[]).await, 200, "{bad}");
        for id in [one, two] {
            assert_eq!(server.track(&id).await["messages"][0]["status"]["name"], "Delivered", "{bad}");
        }
        let name = "switchback_receipts_refused_total{carrier=\"ib\",reason=\"malformed\"}";
        assert_eq!(metric(&server, name).await, number as u64 + 1);
    }
    // Where nothing can be read, the post itself is wrong.
    assert_eq!(post(&server, "ib", "{\"results\": [null]}", &[]).await, 400);
    assert_eq!(post(&server, "ib", "{\"results\": []}", &[]).await, 200);
}

/// Sends a Viber flow, and waits until it is taken; answers with the tracking's id and the carrier's.
async fn sent_viber(
    server: &TestServer,
    provider: &Provider,
    to: &str,
    inbound: Option<String>,
) -> (String, String) {
    let mut step = viber(1, to);
    step["inboundUrl"] = json!(inbound);
    step["label"] = json!("spring");
    let before = provider.got().len();
    let id = server.send(&json!({"flow": [step]})).await;
    server.track_until(&id, |tracking| tracking["status"] == "InProgress").await;
    let message = &provider.got()[before].body["messages"][0]["destinations"][0]["messageId"];
    (id, message.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn one_clients_dead_inbound_url_delays_nobody_else() {
    let (provider, client) = (taking().await, Provider::start(|_, _| Reply::json(200, json!({}))).await);
    // One takes a connection and never answers.
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}/", hanging.local_addr().unwrap());
    let text =
        format!("{}{}", config(&provider, "1m", ""), carrier(&provider, "ibv", "infobip-viber", "Viber", ""));
    for dead in ["http://127.0.0.1:1/".to_owned(), hangs] {
        let before = client.got().len();
        let server = TestServer::start(&text).await;
        sent_viber(&server, &provider, "+306900000001", Some(format!("{}/good", client.url))).await;
        sent_viber(&server, &provider, "+306900000002", Some(dead.clone())).await;
        let (c, reference) = sent_viber(&server, &provider, "+306900000003", None).await;
        let body = json!({"results": [
            {"sender": "306900000001", "message": {"text": "yes"}},
            {"sender": "306900000002", "message": {"text": "no"}},
            {"messageId": reference, "status": {"groupName": "DELIVERED"}},
        ]});
        for _ in 0..3 {
            let started = Instant::now();
            // It is asked to offer again what the dead one has not acknowledged.
            assert_eq!(post(&server, "ibv", body.to_string(), &[]).await, 503, "{dead}");
            assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
            assert_eq!(server.track(&c).await["messages"][0]["status"]["name"], "DELIVERED");
        }
        let got = &client.got()[before..];
        assert_eq!(got.len(), 1, "acknowledged once is enough");
        assert_eq!(got[0].body["text"], "yes");
    }
}

#[tokio::test]
async fn what_a_dead_inbound_url_missed_comes_with_the_same_id_and_body() {
    let provider = taking().await;
    let client =
        Provider::start(|_, number| Reply::json(if number < 3 { 500 } else { 200 }, json!({}))).await;
    let text =
        format!("{}{}", config(&provider, "1m", ""), carrier(&provider, "ibv", "infobip-viber", "Viber", ""));
    let server = TestServer::start(&text).await;
    sent_viber(&server, &provider, TO, Some(format!("{}/in", client.url))).await;
    let body =
        json!({"results": [{"sender": "306900000010", "messageId": "i1", "message": {"text": "yes"}}]});
    assert_eq!(post(&server, "ibv", body.to_string(), &[]).await, 503);
    // Without another offer, as callbacks are.
    until("it is taken", || client.got().len() == 4).await;
    assert_eq!(post(&server, "ibv", body.to_string(), &[]).await, 200);
    let got = client.got();
    assert_eq!(got.len(), 4);
    assert!(got.iter().all(|got| got.headers["webhook-id"] == client.got()[0].headers["webhook-id"]));
    assert!(got.iter().all(|got| got.body == client.got()[0].body));
}

#[tokio::test]
async fn twilios_signature_is_right_with_or_without_the_port() {
    let provider = Provider::start(|_, number| Reply::json(201, json!({"sid": format!("s{number}")}))).await;
    for (public, right) in [
        (
            "https://sms.example.com:8443/prefix",
            &["https://sms.example.com/prefix", "https://sms.example.com:8443/prefix"][..],
        ),
        ("https://sms.example.com", &["https://sms.example.com", "https://sms.example.com:443"]),
        ("http://sms.example.com", &["http://sms.example.com", "http://sms.example.com:80"]),
    ] {
        let text = format!(
            "[engine]\nminute = \"1m\"\n[server]\npublic_url = \"{public}\"\n[[carrier]]\nname = \"tw\"\nkind = \"http\"\n\
             channels = [\"Sms\"]\nprovider = \"twilio-sms\"\nbase_url = \"{}\"\n\
             settings = {{ account_sid = \"AC1\", auth_token = \"twilio-secret\" }}\n",
            provider.url
        );
        let server = TestServer::start(&text).await;
        let signed = async |url: &str, media_type: &str| {
            let form = [("MessageSid", "s0"), ("MessageStatus", "delivered")];
            let mut mac = <Hmac<sha1::Sha1> as KeyInit>::new_from_slice(b"twilio-secret").unwrap();
            mac.update(format!("{url}/carriers/tw/receiptsMessageSids0MessageStatusdelivered").as_bytes());
            let request = server.client.post(format!("{}/carriers/tw/receipts", server.url));
            let request = request.header("x-twilio-signature", STANDARD.encode(mac.finalize().into_bytes()));
            let request = request.header("content-type", media_type);
            request.body(serde_urlencoded::to_string(form).unwrap()).send().await.unwrap().status().as_u16()
        };
        for url in right {
            // Types count in any case (rule 6).
            for media_type in
                ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded; charset=UTF-8"]
            {
                assert_eq!(signed(url, media_type).await, 200, "{public} {url}");
            }
        }
        for url in
            ["https://sms.example.net/prefix", "https://sms.example.com/other", "https://sms.example.com:1/x"]
        {
            assert_eq!(signed(url, "application/x-www-form-urlencoded").await, 401, "{public} {url}");
        }
    }
}

#[tokio::test]
async fn receipts_are_read_as_http_allows() {
    let provider = taking().await;
    let server = TestServer::start(&config(&provider, "1m", "")).await;
    let of = |reference: &str| json!({"messageId": reference, "status": {"groupName": "DELIVERED"}});
    // As many as are taken in one post, as long as a provider writes them.
    let (id, reference) = sent(&server, &provider).await;
    let long = |number: usize| {
        json!({"messageId": format!("{number:036}"), "to": TO, "sentAt": "2026-01-07T07:16:01.213+0000",
               "status": {"groupName": "DELIVERED", "description": "Message delivered to handset"}})
    };
    let all: Vec<Value> = (1..10_000).map(long).chain([of(&reference)]).collect();
    let body = json!({"results": all}).to_string();
    assert!(body.len() > 1_700_000, "{}", body.len());
    assert_eq!(post(&server, "ib", body, &[]).await, 200);
    assert_eq!(server.track(&id).await["status"], "Succeeded");
    // More octets than that, and another path with as many.
    assert_eq!(post(&server, "ib", " ".repeat((4 << 20) + 1), &[]).await, 413);
    let (status, _) = answer(server.request(Method::POST, "/failover").body(" ".repeat(300_000))).await;
    assert_eq!(status, 413);
    // A byte order mark, and any case of the type.
    let (id, reference) = sent(&server, &provider).await;
    let body = format!("\u{feff}{}", json!({"results": [of(&reference)]}));
    assert_eq!(post(&server, "ib", body, &[("content-type", "Application/JSON; Charset=UTF-8")]).await, 200);
    assert_eq!(server.track(&id).await["status"], "Succeeded");
    // Compressed ones are refused so that the provider knows why.
    for (coding, status) in [("gzip", 415), ("br", 415), ("GZIP", 415), ("identity", 200)] {
        assert_eq!(post(&server, "ib", "{\"results\": []}", &[("content-encoding", coding)]).await, status);
    }
}

#[tokio::test]
async fn a_scheme_of_credentials_is_read_in_any_case() {
    let provider = taking().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bearer.toml");
    let text = "description = \"x\"\nchannels = [\"Sms\"]\nbase_url = \"http://x\"\n[[request]]\nname = \"text\"\n\
                path = \"/\"\nbody = '{\"t\": {{ text }}}'\n[answer]\naccepted = \"status == 200\"\nid = \"/id\"\n\
                [receipts]\nid = \"/id\"\nstatus = \"/status\"\nstatuses = { d = \"Delivered\" }\n\
                verify = { kind = \"header\", name = \"Authorization\", value = \"Bearer s3cret\" }\n";
    std::fs::write(&file, text).unwrap();
    let text = format!(
        "[server]\npublic_url = \"https://sms.example\"\n[[carrier]]\nname = \"a\"\nkind = \"http\"\nprovider = \"{}\"\nchannels = [\"Sms\"]\nbase_url = \"{}\"\n",
        file.display(),
        provider.url
    );
    let server = TestServer::start(&text).await;
    for (credentials, status) in [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("BEARER  s3cret", 200),
        ("Bearer S3cret", 401),
        ("Basic s3cret", 401),
    ] {
        let body = json!({"id": "1", "status": "d"}).to_string();
        assert_eq!(
            post(&server, "a", body, &[("authorization", credentials)]).await,
            status,
            "{credentials}"
        );
    }
}

#[tokio::test]
async fn a_target_says_when_to_stop_and_when_to_come_again() {
    let text = "[engine]\nminute = \"200ms\"\n[callbacks]\nallow_private = true\nretry_base = \"10ms\"\nretry_max = \"20ms\"\n";
    let server = TestServer::start(text).await;
    let flow = |url: String| json!({"flow": [sms(1, "+306900000000")], "callback": {"strategy": "OnCompletion", "url": url}});
    // Gone: not asked again, and kept as dead.
    let target = Provider::start(|_, _| Reply::json(410, json!({}))).await;
    let id = server.send(&flow(format!("{}/gone", target.url))).await;
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    until("it is kept as dead", || {
        !admin.dead_callbacks(None, 10).now_or_never().unwrap().unwrap().is_empty()
    })
    .await;
    let dead = &admin.dead_callbacks(None, 10).await.unwrap()[0];
    assert_eq!((dead.tracking_id.to_string(), dead.error.as_str()), (id, "the target answered 410"));
    assert_eq!(target.count("/gone"), 1);
    // Told when to come again, beyond `retry_max`, whatever the status.
    for status in [429, 503, 404, 302] {
        let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let heard = Arc::clone(&times);
        let target = Provider::start(move |_, number| {
            heard.lock().unwrap().push(Instant::now());
            Reply::json(if number == 0 { status } else { 200 }, json!({})).header("retry-after", "1")
        })
        .await;
        server.send(&flow(target.url.clone())).await;
        until("the second attempt", || times.lock().unwrap().len() == 2).await;
        let times = times.lock().unwrap();
        assert!(times[1] - times[0] >= Duration::from_millis(950), "{status}: {:?}", times[1] - times[0]);
    }
    // However many headers an acknowledgement has.
    let target = Provider::start(|_, _| {
        let headers = (0..200).map(|number| (&*format!("x-header-{number}").leak(), "value".repeat(10)));
        Reply { headers: headers.collect(), ..Reply::json(200, json!({})) }
    })
    .await;
    server.send(&flow(format!("{}/many", target.url))).await;
    let acknowledged = "switchback_callbacks_total{result=\"acknowledged\"}";
    let deadline = Instant::now() + Duration::from_secs(20);
    while metric(&server, acknowledged).await < 5 {
        assert!(Instant::now() < deadline, "it is acknowledged");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(target.count("/many"), 1);
    // Names that can only be this machine are refused when they are sent.
    let closed = TestServer::start("[engine]\nminute = \"200ms\"\n").await;
    for host in ["localhost", "LOCALHOST.", "a.localhost:8080", "127.0.0.1", "[::1]"] {
        let (status, told) = closed.post("/failover", &flow(format!("http://{host}/"))).await;
        assert_eq!(status, 400, "{host}: {told}");
    }
}

#[tokio::test]
async fn a_registered_sender_goes_by_the_name_that_its_carrier_knows_over_smpp() {
    let smsc = Smsc::node(&[]);
    let sender = |id: &str, known: &str| {
        format!("[[sender]]\nid = \"{id}\"\nchannel = \"Sms\"\ncarriers = {{ smsc = \"{known}\" }}\n")
    };
    let senders =
        [sender("Acme", "47110"), sender("12345", "Shop"), sender("Other", "+302100000000")].concat();
    let text = format!("[engine]\nminute = \"30s\"\n{}{senders}", smsc.carrier("plain", ""));
    let server = TestServer::start(&text).await;
    for from in ["Acme", "12345", "Other"] {
        let mut step = sms(1, "+306900000000");
        step["from"] = json!(from);
        let id = server.send(&json!({"flow": [step]})).await;
        server.track_to_end(&id).await;
    }
    let seen: Vec<Value> =
        smsc.told("submit").iter().map(|s| json!([s["from"], s["ton"], s["npi"]])).collect();
    assert_eq!(seen, [json!(["47110", 3, 0]), json!(["Shop", 5, 0]), json!(["302100000000", 1, 1])]);
}

#[tokio::test]
async fn what_a_handset_sends_is_never_dropped_without_a_trace() {
    let log = Log::start();
    let smsc = Smsc::node(&[("HANDSET", "1")]);
    let server =
        TestServer::start(&format!("[engine]\nminute = \"30s\"\n{}", smsc.carrier("plain", ""))).await;
    until("the SMSC is answered", || smsc.told("handset").len() == 3).await;
    assert!(smsc.told("handset").iter().all(|answer| answer["status"] == 0));
    assert_eq!(metric(&server, "switchback_inbound_total{event=\"sms\",result=\"stored\"}").await, 1);
    for why in ["unknown-word", "no-id"] {
        let name = format!("switchback_receipts_total{{carrier=\"smsc\",result=\"{why}\"}}");
        assert_eq!(metric(&server, &name).await, 1, "{why}");
    }
    let lines = log.lines();
    assert!(lines.contains("receipts mean nothing to us"), "{lines}");
    assert!(!lines.contains("yes-from-a-handset") && !lines.contains("306900000010"), "{lines}");
}

#[tokio::test]
async fn what_recipients_write_comes_with_the_documented_members() {
    let (provider, client) = (taking().await, Provider::start(|_, _| Reply::json(200, json!({}))).await);
    let text =
        format!("{}{}", config(&provider, "1m", ""), carrier(&provider, "ibv", "infobip-viber", "Viber", ""));
    let server = TestServer::start(&text).await;
    let (id, _) = sent_viber(&server, &provider, TO, Some(format!("{}/in", client.url))).await;
    let message = server.track(&id).await["messages"][0].clone();
    let body = json!({"results": [{"sender": "306900000010", "receivedAt": "2026-01-07T07:16:01.213+0200",
        "messageId": "i1", "message": {"text": "yes", "url": "https://a.example/x/photo.jpg?sig=1"}}]});
    assert_eq!(post(&server, "ibv", body.to_string(), &[]).await, 200);
    let got = client.got()[0].body.clone();
    let expected = json!({
        "event": "message", "trackingId": id, "messageId": message["trackingId"], "from": TO, "to": "acme",
        "text": "yes", "message": "yes", "direction": "Inbound", "referenceTrackingId": message["trackingId"],
        "label": "spring", "media": "https://a.example/x/photo.jpg?sig=1", "filename": "photo.jpg",
        "mediaUrl": "https://a.example/x/photo.jpg?sig=1", "campaignName": null, "campaignTrackingId": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(got.get(name), Some(value), "{name}: {got:#}");
    }
    assert_eq!(wire::time::parse_iso(got["sentDate"].as_str().unwrap()), Some(1_767_762_961_213));
    assert!(wire::time::parse_iso(got["receivedAt"].as_str().unwrap()) > Some(1_767_762_961_213));
}

/// What this thread logs.
struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Log {
        let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || Sink(Arc::clone(&sink)));
        Log { lines, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    fn lines(&self) -> String {
        String::from_utf8(self.lines.lock().unwrap().clone()).unwrap()
    }

    fn count(&self, level: &str, text: &str) -> usize {
        self.lines().lines().filter(|line| line.contains(level) && line.contains(text)).count()
    }
}

#[tokio::test]
async fn a_carrier_that_goes_down_is_in_the_log() {
    let log = Log::start();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let provider = Provider::start(move |got, _| match is_broken.load(std::sync::atomic::Ordering::SeqCst) {
        true => Reply::json(404, json!({})),
        false => Reply::json(200, right(&got.body)),
    })
    .await;
    let server = TestServer::start(&config(&provider, "1m", "")).await;
    let id = server.send(&json!({"flow": [sms(1, TO)]})).await;
    until("the circuit opened twice", || provider.got().len() >= 7).await;
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Sent").await;
    let lines = log.lines();
    assert_eq!(log.count("WARN", "the carrier is down"), 1, "{lines}");
    assert_eq!(log.count("WARN", "the carrier is back"), 1, "{lines}");
    assert!(log.count("carrier=\"ib\"", "HTTP 404") == 1, "{lines}");
}

#[tokio::test]
async fn a_callback_that_is_given_up_is_in_the_log() {
    let log = Log::start();
    let server = TestServer::start("[callbacks]\nallow_private = true\ngive_up = \"0s\"\n").await;
    let target = Provider::start(|_, _| Reply::json(404, json!({}))).await;
    let callback = json!({"strategy": "OnCompletion", "url": format!("{}/secret-path", target.url)});
    server.send(&json!({"flow": [sms(1, "+306900000000")], "callback": callback})).await;
    until("it is told", || log.count("WARN", "a callback is given up") == 1).await;
    let lines = log.lines();
    assert!(lines.contains("host=\"127.0.0.1\"") && lines.contains("attempts=1"), "{lines}");
    assert!(lines.contains("the target answered 404") && !lines.contains("secret-path"), "{lines}");
}

#[tokio::test]
async fn an_smsc_that_refuses_is_told_with_its_address_and_in_words() {
    let log = Log::start();
    let smsc = Smsc::node(&[]);
    let wrong = smsc.carrier("plain", "reconnect_max = \"300ms\"").replace("\"secret\"", "\"wrong\"");
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = taken.local_addr().unwrap().port();
    let nobody = wrong.replace("name = \"smsc\"", "name = \"nobody\"").replace(
        &format!("host = \"localhost\"\nport = {}", smsc.port),
        &format!("host = \"127.0.0.1\"\nport = {closed}"),
    );
    let server = TestServer::start(&format!("{wrong}{nobody}")).await;
    until("both are told", || {
        log.count("carrier=\"smsc\"", "could not bind") > 0
            && log.count("carrier=\"nobody\"", "could not bind") > 0
    })
    .await;
    let lines = log.lines();
    assert!(log.count(&format!("localhost:{}", smsc.port), "the password is invalid") > 0, "{lines}");
    assert!(log.count(&format!("127.0.0.1:{closed}"), "refused") > 0, "{lines}");
    assert!(!lines.contains("Command {"), "{lines}");
    server.server.stop().await;
}
