//! Who gets in, who sees what, and what clients that mean harm can do.

use crate::support::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};
use server::clock;
use std::path::Path;
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn an_application_sees_and_touches_nothing_of_another() {
    let mut server = TestServer::start("").await;
    let to = "+306987654321";
    let done = server.send(&json!({"flow": [sms(1, to)]})).await;
    let open = server.send(&json!({"flow": [viber(1, "+306900000030")]})).await;
    server.track_to_end(&done).await;
    let own = server.token.clone();
    let stranger = create_application(&server.data, "stranger");
    server.token = token(&server.client, &server.url, &stranger).await;

    // Somebody else's flow is answered word for word as one that does not exist.
    let without_request = |mut answer: Value| {
        answer.as_object_mut().unwrap().remove("requestId");
        answer
    };
    let unknown = "01900000-0000-7000-8000-000000000000";
    for id in [&done, &open] {
        for (method, path) in [
            (Method::GET, "/failover/tracking"),
            (Method::DELETE, "/failover/tracking"),
            (Method::DELETE, "/failover"),
        ] {
            let theirs = answer(server.request(method.clone(), &format!("{path}/{id}"))).await;
            let nobodys = answer(server.request(method, &format!("{path}/{unknown}"))).await;
            assert_eq!(theirs.0, StatusCode::NOT_FOUND);
            assert_eq!(without_request(theirs.1), without_request(nobodys.1));
        }
    }
    for filters in [
        json!([]),
        json!({"fieldName": "to", "searchTerm": to}),
        json!({"fieldName": "status", "searchOperator": "is_not", "searchTerm": "Queued"}),
    ] {
        assert_eq!(server.search("", filters).await["totalElements"], 0);
    }
    assert_eq!(
        answer(server.request(Method::DELETE, "/failover/tracking?to=%2B306987654321")).await.1["erased"],
        0
    );
    let suppressed = format!("/suppressions/Sms/{to}");
    assert!(answer(server.request(Method::PUT, &suppressed)).await.0.is_success());

    server.token = own;
    assert_eq!(server.search("", json!([])).await["totalElements"], 2);
    let listed = answer(server.request(Method::GET, "/suppressions/Sms")).await.1;
    assert!(!listed.to_string().contains(to), "{listed}");
    let again = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    assert_eq!(server.track_to_end(&again).await["status"], "Succeeded");
}

#[tokio::test]
async fn a_token_ends() {
    let server = TestServer::start("").await;
    server.search("", json!([])).await;
    let start_ms = clock::now_ms();
    clock::simulate(move || start_ms + 3599 * 1000);
    server.search("", json!([])).await;
    clock::simulate(move || start_ms + 3601 * 1000);
    assert_eq!(server.post("/failover/tracking", &json!([])).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guessing_a_secret_becomes_slow() {
    let server = TestServer::start("").await;
    let TestApplication { id, secret, .. } = &server.application;
    let other = create_application(&server.data, "other");
    let start_ms = clock::now_ms();
    clock::simulate(move || start_ms);
    let login = async |id: &str, secret: &str| {
        let url = format!("{}/oauth/token?grant_type=client_credentials", server.url);
        server.client.post(url).basic_auth(id, Some(secret)).send().await.unwrap()
    };
    for _ in 0..5 {
        assert_eq!(login(id, "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    // Now even the right one has to wait, so that a guesser does not learn of it; nobody else does.
    for secret in ["wrong", secret] {
        let refused = login(id, secret).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "1");
    }
    assert_eq!(login(&other.id, &other.secret).await.status(), StatusCode::OK);
    clock::simulate(move || start_ms + 1000);
    assert_eq!(login(id, secret).await.status(), StatusCode::OK);
}

/// Writes a certificate for localhost and its key; answers with the certificate.
fn certify(directory: &Path) -> Certificate {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

/// What a program of others prints that asks the server.
async fn ask(program: &'static str, arguments: Vec<String>) -> String {
    let ran = tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output());
    let output = ran.await.unwrap().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

/// Whether clients of every kind are answered: with HTTP/2 and without, by their choice and by the server's.
async fn answers_all(url: &str) {
    for (choice, version) in
        [("--http1.1", "1.1"), ("--http2", "2"), ("--http2-prior-knowledge", "2"), ("--no-alpn", "1.1")]
    {
        let is_plain = url.starts_with("http://");
        // Without TLS, curl asks for an upgrade to HTTP/2, which nobody has to follow (RFC 9113 has it no
        // more).
        let version = if is_plain && choice == "--http2" { "1.1" } else { version };
        let arguments = ["-sk", choice, "-w", " %{http_version} %{http_code}", "--max-time", "20"];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("{url}/health/live"));
        let printed = ask("curl", arguments).await;
        assert_eq!(printed, format!("{{\"status\":\"ok\"}} {version} 200"), "curl {choice} {url}");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/http2.js");
    assert_eq!(ask("node", vec![script.into(), url.into()]).await, "200 ok, 401 401010001", "{url}");
}

#[tokio::test]
async fn a_client_that_speaks_http_2_is_answered() {
    let server = TestServer::start("").await;
    answers_all(&server.url).await;
}

#[tokio::test]
async fn the_listener_speaks_tls_and_takes_a_new_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let first = certify(directory.path());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let text = format!("[server.tls]\ncert = {cert:?}\nkey = {key:?}\n");
    let server = server::Server::start(config(&directory.path().join("data"), &text)).await.unwrap();
    let url = format!("https://localhost:{}/health/live", server.address.port());
    let get = async |trusted: &Certificate| {
        let client = Client::builder().no_proxy().tls_certs_only([trusted.clone()]).build().unwrap();
        client.get(&url).send().await
    };
    let live = get(&first).await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    assert_eq!(live.headers()["strict-transport-security"], "max-age=31536000");
    answers_all(url.strip_suffix("/health/live").unwrap()).await;
    let second = certify(directory.path());
    get(&first).await.unwrap();
    server.reload_tls().await.unwrap();
    get(&first).await.unwrap_err();
    get(&second).await.unwrap();
    answers_all(url.strip_suffix("/health/live").unwrap()).await;
    // What can't be used changes nothing.
    std::fs::write(&cert, "nonsense").unwrap();
    assert!(format!("{:#}", server.reload_tls().await.unwrap_err()).contains("cert.pem"));
    get(&second).await.unwrap();
    server.stop().await;
    let broken = server::Server::start(config(&directory.path().join("data"), &text)).await.err().unwrap();
    assert!(format!("{broken:#}").contains("server.tls"), "{broken:#}");
}

#[tokio::test]
async fn answers_carry_the_headers_that_browsers_heed() {
    let server = TestServer::start("").await;
    for path in
        ["/failover/tracking/01900000-0000-7000-8000-000000000000", "/health/live", "/docs/", "/nowhere"]
    {
        let response = server.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["content-security-policy"], "frame-ancestors 'none'", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
}

/// Sends octets, and reads what is answered until the server closes the connection.
async fn exchange(server: &TestServer, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset ends the answer as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_that_are_slow_or_large_end() {
    let server = TestServer::start("[server]\nrequest_timeout = \"300ms\"\n").await;
    // They stay open, and never come to an end: the server has to make one.
    assert_eq!(exchange(&server, b"POST /failover HTTP/1.1\r\nhost: x\r\n").await, "");
    assert_eq!(exchange(&server, b"").await, "");
    let head = format!(
        "POST /failover HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        server.token
    );
    let slow = exchange(&server, format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await;
    assert!(slow.starts_with("HTTP/1.1 400") && slow.contains("did not arrive"), "{slow}");
    let long = exchange(&server, format!("{head}x: {}\r\n\r\n", "x".repeat(300_000)).as_bytes()).await;
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
    let many = exchange(&server, format!("{head}{}\r\n", "x: y\r\n".repeat(200)).as_bytes()).await;
    assert!(many.starts_with("HTTP/1.1 431"), "{many}");
}

#[tokio::test]
async fn a_request_is_never_two() {
    let server = TestServer::start("[server]\nrequest_timeout = \"300ms\"\n").await;
    let body = json!({"flow": [sms(1, "+306900000000")]}).to_string();
    let head = format!(
        "POST /failover HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        server.token
    );
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    // Where two proxies could disagree on where the body ends (RFC 9112, 6.3), at most one request is seen.
    for (what, rest) in [
        ("two lengths", format!("content-length: {length}\r\ncontent-length: 0\r\n\r\n{body}")),
        ("a list of lengths", format!("content-length: {length}, 0\r\n\r\n{body}")),
        ("a signed length", format!("content-length: +{length}\r\n\r\n{body}")),
        ("an unknown coding", format!("transfer-encoding: xchunked\r\n\r\n{chunked}")),
        ("chunked is not last", format!("transfer-encoding: chunked, identity\r\n\r\n{chunked}")),
        ("a folded header", format!("x: y\r\n z\r\ncontent-length: {length}\r\n\r\n{body}")),
        ("a space before the colon", format!("content-length : {length}\r\n\r\n{body}")),
        ("a bad chunk", format!("transfer-encoding: chunked\r\n\r\n+5\r\n{body}\r\n0\r\n\r\n")),
    ] {
        let answer = exchange(&server, format!("{head}{rest}").as_bytes()).await;
        assert!(
            !answer.contains("trackingId") && answer.matches("HTTP/1.1").count() <= 1,
            "{what}: {answer}"
        );
    }
    // A coding wins over a length, and the connection ends.
    let both = format!("{head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{chunked}");
    let answer = exchange(&server, both.as_bytes()).await;
    assert!(answer.matches("HTTP/1.1").count() == 1, "{answer}");
    assert!(server.search("", json!([])).await["totalElements"].as_u64().unwrap() <= 1);
}
