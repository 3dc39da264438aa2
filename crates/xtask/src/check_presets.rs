//! `cargo xtask check-presets DIR`: every kind of message, through the presets, to mock servers made of the
//! providers' published descriptions, which refuse requests that break them.

use crate::load::{Client, Process, Server, post};
use crate::{Profile, build, peers, root};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Presets by the description that they are checked against, with their settings.
const CHECKED: [(&str, &str, &str, &str); 5] = [
    (
        "route-mobile-viber.yml",
        "route-mobile-viber",
        "Viber",
        "username = \"u\", password = \"p\", receipt_token = \"t\"",
    ),
    ("vonage-messages.yml", "vonage-v0.1-viber", "Viber", VONAGE),
    ("vonage-messages.yml", "vonage-v0.1-sms", "Sms", VONAGE),
    ("twilio-calls-messages.json", "twilio-sms", "Sms", TWILIO),
    ("twilio-calls-messages.json", "twilio-voice", "Voice", TWILIO),
];
const TWILIO: &str = "account_sid = \"AC00000000000000000000000000000001\", auth_token = \"t\"";
const VONAGE: &str = "api_key = \"k\", api_secret = \"s\", signature_secret = \"x\"";
const TO: &str = "+306900000000";

#[derive(clap::Args)]
pub struct CheckPresets {
    /// Where route-mobile-viber.yml, vonage-messages.yml and twilio-calls-messages.json are.
    directory: PathBuf,
}

/// Flows of every kind that a channel has, as paths and bodies.
fn flows(channel: &str) -> Vec<(String, &'static str, Value)> {
    if channel == "Sms" {
        let step = |body: &str| json!({"flow": [{"type": "Sms", "order": 1, "from": "+306911111111", "to": TO, "message": {"body": body}}]});
        let long = "long ".repeat(60);
        return vec![
            ("text".into(), "/failover", step("hello")),
            ("long text".into(), "/failover", step(&long)),
            ("Greek".into(), "/failover", step("καλημέρα")),
        ];
    }
    if channel == "Voice" {
        let say = json!({"type": "SAY", "message": {"language": "en-US", "text": "1 < 2"}});
        let play = json!({"type": "PLAY", "fileURL": "https://a.example/x.wav"});
        let call = |verbs: Value| json!({"flow": [{"type": "Voice", "order": 1, "from": "+302100000000", "to": TO, "dialPlan": {"verbs": verbs}}]});
        return vec![
            ("say".into(), "/failover", call(json!([say]))),
            ("say + play".into(), "/failover", call(json!([say, play]))),
        ];
    }
    let viber = |more: Value| {
        let mut step =
            json!({"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": TO, "ttl": 10});
        let members = more.as_object().into_iter().flatten();
        members.for_each(|(name, value)| step[name] = value.clone());
        json!({ "flow": [step] })
    };
    let text = ("text", json!("hello"));
    let action = ("action", json!({"caption": "Track", "targetUrl": "https://a.example/t"}));
    let image = ("imageUrl", json!("https://a.example/i.png"));
    let file = json!({"fileName": "bill", "fileType": "pdf", "fileUrl": "https://a.example/bill.pdf"});
    let video = json!({"videoUrl": "https://a.example/v.mp4", "videoThumbnail": "https://a.example/v.jpg",
                       "fileSize": 2.5, "duration": 30});
    let (file, video) = (("viberFile", file), ("viberVideo", video));
    let kinds = [
        vec![&text],
        vec![&text, &action],
        vec![&image],
        vec![&image, &text],
        vec![&image, &text, &action],
        vec![&file],
        vec![&video],
        vec![&video, &text],
        vec![&video, &text, &action],
    ];
    let mut flows: Vec<_> = kinds
        .iter()
        .map(|members| {
            let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
            let message: Value =
                members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            (names.join(" + "), "/failover", viber(json!({ "message": message })))
        })
        .collect();
    let template =
        json!({"templateId": "7f", "templateLang": "en", "templateParams": {"pin": "1234"}, "seq": 1});
    flows.push(("template".into(), "/failover/transactional", viber(template)));
    flows
}

impl CheckPresets {
    pub fn run(&self) -> anyhow::Result<()> {
        let prism = peers::node("prism", "crates/xtask/peers/prism.json")?;
        let program = build(Profile::Debug)?;
        let (mut accepted, mut refused, mut violations) = (0, 0, Vec::new());
        for (description, preset, channel, settings) in CHECKED {
            let description = self.directory.join(description);
            let (_mock, url) = mock(&prism, &description)?;
            let config = format!(
                "[server]\npublic_url = \"https://sms.example\"\n[[carrier]]\nname = \"checked\"\nkind = \"http\"\n\
                 provider = \"{preset}\"\nchannels = [\"{channel}\"]\nbase_url = \"{url}\"\nsettings = {{ {settings} }}\n"
            );
            let server = Server::start(&program, &config)?;
            let token = server.token()?;
            let mut client = Client::connect(&server.address)?;
            for (kind, path, flow) in flows(channel) {
                let sent = client.exchange(&post(path, &token, &flow.to_string()));
                let Ok(sent) = sent else {
                    println!("{preset}: {kind}: refused beforehand");
                    client = Client::connect(&server.address)?;
                    refused += 1;
                    continue;
                };
                let sent: Value = serde_json::from_slice(sent)?;
                let id = sent["trackingId"].as_str().context("no tracking id")?.to_owned();
                let message = handed_over(&mut client, &token, &id)?;
                if message["carrier"] == "checked" {
                    println!("{preset}: {kind}: accepted");
                    accepted += 1;
                } else {
                    println!(
                        "{preset}: {kind}: not accepted: {}",
                        message["status"]["reason"]["description"]
                    );
                    violations.push(format!("{preset}: {kind}"));
                }
            }
        }
        println!(
            "{accepted} requests accepted, {refused} kinds refused beforehand, {} violations",
            violations.len()
        );
        ensure!(violations.is_empty(), "{}", violations.join("; "));
        Ok(())
    }
}

/// The message, once the carrier has taken or refused it; or as it is when it was tried for some seconds.
fn handed_over(client: &mut Client, token: &str, id: &str) -> anyhow::Result<Value> {
    let request =
        format!("GET /failover/tracking/{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let tracking: Value = serde_json::from_slice(client.exchange(request.as_bytes())?)?;
        let message = &tracking["messages"][0];
        let decided = message["carrier"].is_string() || tracking["status"] == "Failed";
        if decided || Instant::now() > deadline {
            return Ok(message.clone());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A mock server of a description, and its URL.
fn mock(prism: &Path, description: &Path) -> anyhow::Result<(Process, String)> {
    ensure!(description.exists(), "{} is not there", description.display());
    let closed = tempfile::Builder::new().suffix(".json").tempfile()?;
    let closing = Command::new("node")
        .arg(root().join("crates/xtask/peers/close.cjs"))
        .arg(description)
        .env("NODE_PATH", prism.join("node_modules"))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(closing.status.success(), "{} can't be read", description.display());
    std::fs::write(closed.path(), closing.stdout)?;
    // A port that was free a moment ago: Prism takes none by itself.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("node");
    command.arg(prism.join("node_modules/@stoplight/prism-cli/dist/index.js"));
    command.args(["mock", "--errors", "-h", "127.0.0.1", "-p", &port.to_string()]).arg(closed.path());
    let process = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            bail!("Prism does not start");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // It has read the file by now.
    drop(closed);
    Ok((process, format!("http://127.0.0.1:{port}")))
}
