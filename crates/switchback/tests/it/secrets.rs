//! Nothing that is secret or about a person is in the log, the metrics or an error, whatever goes wrong.

use crate::support::{PROGRAM, create_application, login};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const BODY: &str = "the code is 4711-xyzzy";
const NUMBER: &str = "306987654321";
const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYyE=";

const CONFIG: &str = r#"
[engine]
minute = "100ms"
[store]
encryption_key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYyE="
[server]
public_url = "https://sms.example"
[callbacks]
allow_private = true
retry_base = "10ms"
give_up = "1s"
[[carrier]]
name = "nobody"
kind = "smpp"
channels = ["Sms"]
host = "127.0.0.1"
port = 9
system_id = "acme"
password = "smppass"
[[carrier]]
name = "sandbox"
kind = "sandbox"
channels = ["Sms", "Viber"]
[[carrier]]
name = "refused"
kind = "http"
channels = ["Viber"]
provider = "infobip-viber"
settings = { base_url = "http://127.0.0.1:9", api_key = "httpkey-5566", receipt_token = "receipt-7788" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("switchback.toml"));
    std::fs::write(&config, CONFIG).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--data").arg(&data).arg("--config").arg(&config);
    // All that our own code can tell; by default it is less.
    command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "trace");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let log = process.stderr.take().unwrap();
    let log = std::thread::spawn(move || std::io::read_to_string(log).unwrap());

    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let application = create_application(&data);
    let token = login(&client, &url, &application).await;
    let mut told = String::new();
    let ask = async |method: Method, path: &str, body: Value| {
        let request = client.request(method, format!("{url}{path}")).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.unwrap().text().await.unwrap()
    };
    for i in 0..100 {
        let flow = json!({
            "flow": [
                {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": format!("+{NUMBER}"), "ttl": 1,
                 "message": {"text": BODY}},
                {"type": "Sms", "order": 2, "from": "Acme", "to": format!("+{NUMBER}"), "ttl": 1,
                 "message": {"body": BODY}},
            ],
            "callback": {"strategy": "OnChange", "url": "http://user:urlpass@127.0.0.1:9/?key=callback-9900"},
        });
        ask(Method::POST, "/failover", flow.clone()).await;
        let mut wrong = flow;
        wrong["flow"][i % 2]["ttl"] = BODY.into();
        let refused = ask(Method::POST, "/failover", wrong).await;
        assert!(refused.contains("\"ttl\"") || refused.contains(".ttl"), "{refused}");
        told.push_str(&refused);
    }
    let wrong = client.post(format!("{url}/oauth/token?grant_type=client_credentials"));
    let id = application["applicationId"].as_str().unwrap();
    told.push_str(
        &wrong.basic_auth(id, Some("wrong-secret-1122")).send().await.unwrap().text().await.unwrap(),
    );
    let forged = client.post(format!("{url}/carriers/refused/receipts?token=forged-3344")).body(BODY);
    told.push_str(&forged.send().await.unwrap().text().await.unwrap());
    let not = |status: &str| json!({"fieldName": "status", "searchOperator": "is_not", "searchTerm": status});
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let open = json!([not("Succeeded"), not("Failed")]);
    while !ask(Method::POST, "/failover/tracking", open.clone()).await.contains("\"totalElements\":0") {
        assert!(tokio::time::Instant::now() < deadline, "stuck");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Callbacks fail until they are given up.
    while !ask(Method::GET, "/metrics", json!(null)).await.contains("result=\"dead\"") {
        assert!(tokio::time::Instant::now() < deadline, "no callback is dead");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    told.push_str(&ask(Method::GET, "/metrics", json!(null)).await);
    process.kill().unwrap();
    process.wait().unwrap();
    let log = log.join().unwrap();
    // It did tell something.
    assert!(log.contains("a callback failed") && told.contains("switchback_callbacks_total"), "{log}");

    let text = |name: &str| application[name].as_str().unwrap().to_owned();
    let secrets = [
        text("applicationSecret"),
        text("callbackSecret"),
        token,
        KEY.into(),
        "smppass".into(),
        "httpkey-5566".into(),
        "receipt-7788".into(),
        "urlpass".into(),
        "callback-9900".into(),
        "wrong-secret-1122".into(),
        "forged-3344".into(),
        BODY.into(),
        NUMBER.into(),
    ];
    for secret in secrets {
        for (what, all) in [("the log", &log), ("an answer", &told)] {
            let line = all.lines().find(|line| line.contains(&secret));
            assert!(line.is_none(), "{secret} is in {what}: {}", line.unwrap_or_default());
        }
    }
}
