//! What providers over HTTP answer to a call for a token and to a message: each answer has an outcome.

use carriers::{Carrier, Http, Outcome, Outgoing};
use flow::{Channel, Content, Flow, FlowKind, NewFlow, Sms, Step, Ttl, Viber, ViberBody, ViberMessage};
use parking_lot::Mutex;
use server::clock::new_flow_id;
use server::config::{Config, KindConfig};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A provider that uses whatever an answer can tell, and a token that its answer gives a life to.
const PROVIDER: &str = r#"
description = "x"
channels = ["Sms", "Viber"]
base_url = "http://x"
[auth]
kind = "login"
path = "/login"
body = '{}'
token = "/token"
expires_in = "/expires_in"
headers = { Authorization = "Bearer {{ token }}" }
[[request]]
name = "text"
path = "/"
body = '''{"t": {{ text }}, "to": {{ to_digits }}}'''
[answer]
accepted = "status < 300 and body.ok != false"
id = "/id"
later = "status >= 500 or body.error.code == 5 or headers['x-later'] is defined"
retry_after = "/retry_after"
unauthorized = "status == 401"
description = "/error"
[[answer.refused]]
when = "'phone' in (body.error | string) or body.code | int > 3"
detail = "Unknown Number"
"#;

struct Providers {
    runtime: Runtime,
    config: Config,
    address: std::net::SocketAddr,
    /// What the next calls are answered with, the last one again and again.
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
    outgoing: [Outgoing; 2],
}

static PROVIDERS: LazyLock<Providers> = LazyLock::new(|| {
    // Somebody may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let directory = tempfile::tempdir().expect("there is room");
    std::fs::write(directory.path().join("own.toml"), PROVIDER).expect("there is room");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let carrier = |name: &str, provider: &str, channel: &str, settings: &str| {
        format!(
            "[[carrier]]\nname = \"{name}\"\nkind = \"http\"\nchannels = [\"{channel}\"]\nprovider = \"{provider}\"\n\
             base_url = \"http://{address}\"\ntimeout = \"2s\"\nsettings = {{ {settings} }}\n"
        )
    };
    let text = "[server]\npublic_url = \"https://sms.example\"\n".to_owned()
        + &carrier("own", "own.toml", "Sms", "")
        + &carrier(
            "infobip",
            "infobip-sms",
            "Sms",
            "base_url = 'http://x', api_key = 'k', receipt_token = 't'",
        )
        + &carrier(
            "rml",
            "route-mobile-viber",
            "Viber",
            "username = 'u', password = 'p', receipt_token = 't'",
        )
        + &carrier("own-viber", "own.toml", "Viber", "");
    let config = Config::parse(&text, directory.path(), []).expect("it is right");
    let answers = Arc::new(Mutex::new(Vec::new()));
    runtime.spawn(serve(listener, Arc::clone(&answers)));
    let outgoing = [outgoing(Channel::Sms), outgoing(Channel::Viber)];
    Providers { runtime, config, address, answers, outgoing }
});

async fn serve(listener: TcpListener, answers: Arc<Mutex<Vec<Vec<u8>>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&answers)));
    }
}

/// Reads a request and answers, once.
async fn answer(mut stream: TcpStream, answers: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let answer = {
        let mut answers = answers.lock();
        if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() }
    };
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|octets| octets == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0usize)
}

fn outgoing(channel: Channel) -> Outgoing {
    let (to, text) = ("+306900000001".to_owned(), "Your parcel is here".to_owned());
    let content = match channel {
        Channel::Viber => Content::Viber(Box::new(Viber {
            sender: "acme".into(),
            sender_name: None,
            to,
            label: None,
            inbound_url: None,
            expire_on_delivery: false,
            message: ViberMessage::Body(ViberBody { text: Some(text), ..ViberBody::default() }),
        })),
        _ => Content::Sms(Sms {
            from: "Acme".into(),
            to,
            label: None,
            body: text,
            flash: false,
            transcode: false,
            shortened: None,
        }),
    };
    let new = NewFlow {
        id: new_flow_id(0),
        application: "a".into(),
        kind: FlowKind::Plain,
        minute_ms: 60_000,
        steps: vec![Step { order: 1, failover_on: vec![], ttl: Ttl::minutes(1), content, country: None }],
        callback: None,
        restrictions: None,
        callback_bytes_max: flow::CALLBACK_BYTES,
    };
    let flow = Arc::new(Flow::accept(new, 0));
    let time_left = Duration::from_secs(60);
    Outgoing { flow, message: 0, part: 0, attempts: 0, sender: "Acme".into(), time_left }
}

/// An answer: what follows the status, with a line for the status and the length of the body where it has
/// none.
fn framed(data: &[u8]) -> Vec<u8> {
    const STATUSES: [u16; 8] = [200, 201, 202, 400, 401, 429, 500, 503];
    let Some((first, rest)) = data.split_first() else { return Vec::new() };
    // One in eight is whatever it is.
    if first % 8 == 7 {
        return rest.to_vec();
    }
    let status = STATUSES[usize::from(first / 8) % STATUSES.len()];
    let (headers, body) = match rest.iter().position(|octet| *octet == 0) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (&b""[..], rest),
    };
    let length = body.len();
    let mut answer =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n").into_bytes();
    if !headers.is_empty() {
        answer.extend_from_slice(headers);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(body);
    answer
}

pub(crate) fn feed(data: &[u8]) {
    let Providers { runtime, config, address, answers, outgoing } = &*PROVIDERS;
    let Some((which, rest)) = data.split_first() else { return };
    let carrier = &config.carriers[usize::from(*which) % config.carriers.len()];
    let KindConfig::Http(http) = &carrier.kind else { unreachable!("each is one") };
    *answers.lock() = rest.splitn(3, |octet| *octet == 0xff).map(framed).collect();
    let mut own = http.0.clone();
    own.base_url = Some(format!("http://{address}"));
    let provider = Http::new(&http.1, &own, None).expect("it is right");
    let outgoing = &outgoing[usize::from(carrier.common.channels == [Channel::Viber])];
    let first = runtime.block_on(provider.submit(outgoing));
    // With the token that was kept, if there was one.
    let second = runtime.block_on(provider.submit(outgoing));
    for outcome in [first, second] {
        assert!(!matches!(outcome, Outcome::Accepted { reference } if reference.is_empty()));
    }
}
