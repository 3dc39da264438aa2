//! What clients' connections, requests and searches may cost.

use crate::support::*;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use store::{Admin, ApplicationLimits, Keyring, SqliteAdmin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

fn voice_of(verbs: usize, verb: &Value) -> Value {
    let mut step = voice(1, "+306900000000");
    step["dialPlan"]["verbs"] = vec![verb.clone(); verbs].into();
    step
}

#[tokio::test]
async fn what_is_refused_is_told_up_to_a_limit() {
    let server = TestServer::start("").await;
    let verb = json!({"type": "PLAY", "repeat": 0});
    let (status, body) = server.post("/failover", &json!({"flow": [voice_of(8_000, &verb)]})).await;
    assert_eq!(status, 400);
    let told = body["errors"].as_array().unwrap();
    assert_eq!(told.len(), 100);
    let length = json!({"field": "flow[0].dialPlan.verbs", "rule": "length",
                        "message": "must have at most 100 verbs; it has 8000"});
    assert!(told.contains(&length), "{told:?}");
    let message = body["developerMessage"].as_str().unwrap();
    assert!(message.contains("at least") && message.contains("only the first 100 are told"), "{message}");
    // Many steps, each with many faults, and the same order.
    let steps = vec![voice_of(90, &verb); 32];
    let (status, body) = server.post("/failover", &json!({"flow": steps})).await;
    assert_eq!((status.as_u16(), body["errors"].as_array().unwrap().len()), (400, 100));
    assert!(body.to_string().len() < 32 * 1024);
    // What a client named is told, but not at any length.
    let step = json!({"type": "Viber", "order": 1, "senderInfoTrackingId": "a", "to": "+306900000000",
                      "templateId": "t", "templateLang": "en", "templateParams": {"n".repeat(100_000): [1]}});
    let (status, body) = server.post("/failover/transactional", &json!({"flow": [step]})).await;
    assert_eq!(status, 400);
    assert!(body.to_string().len() < 2000, "{}", body.to_string().len());
}

#[tokio::test]
async fn errors_max_says_how_many_broken_rules_are_told() {
    let server = TestServer::start("[limits]\nerrors_max = 2\n").await;
    let (_, body) = server.post("/failover", &json!({"flow": [{}, {}, {"type": "Sms"}]})).await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 2);
    let (_, body) = server.post("/failover", &json!({"flow": [{"type": "Fax"}]})).await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    let long = json!([{"fieldName": "to", "searchTerm": "1".repeat(351)}]);
    let (status, body) = server.post("/failover/tracking", &long).await;
    assert_eq!((status.as_u16(), &body["errors"][0]["field"]), (400, &json!("[0].searchTerm")));
}

/// Flows whose trackings have more than 6 kB.
async fn send_large(server: &TestServer, count: usize) {
    let url = |name: &str| format!("https://a.example/{}", name.repeat(900));
    let mut step = viber(1, "+306900000000");
    step["inboundUrl"] = url("i").into();
    step["message"] = json!({
        "text": "t".repeat(1000), "imageUrl": url("u"), "action": {"caption": "c", "targetUrl": url("a")},
        "viberVideo": {"videoUrl": url("v"), "videoThumbnail": url("n"), "fileSize": 1, "duration": 1},
    });
    let body = json!({"flow": [step]});
    let mut left = count;
    while left > 0 {
        let group = left.min(20);
        let ids = futures::future::join_all((0..group).map(|_| server.send(&body))).await;
        left -= group;
        server.track_to_end(ids.last().unwrap()).await;
    }
    let begun = json!([{"fieldName": "to", "searchTerm": "+306900000000"}]);
    assert_eq!(server.search("size=1", begun).await["totalElements"], count);
}

#[tokio::test]
async fn a_large_page_is_the_same_as_its_small_ones() {
    let server = TestServer::start("").await;
    send_large(&server, 100).await;
    let request = server.request(Method::POST, "/failover/tracking?size=1000").json(&json!([]));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(answer.headers()["server-timing"].to_str().unwrap().contains("index;dur="));
    assert!(answer.content_length().is_none(), "it is not put together before it is sent");
    let whole: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(whole.to_string().len() > 500_000);
    let ids = |page: &Value| -> Vec<Value> {
        page["content"].as_array().unwrap().iter().map(|tracking| tracking["trackingId"].clone()).collect()
    };
    let (mut found, mut number) = (Vec::new(), 0);
    loop {
        let page = server.search(&format!("size=7&page={number}"), json!([])).await;
        assert_eq!(page["totalElements"], 100);
        found.extend(ids(&page));
        number += 1;
        if page["last"] == true {
            break;
        }
    }
    assert_eq!(ids(&whole), found);
    for (member, value) in
        [("totalPages", 1), ("totalElements", 100), ("number", 0), ("size", 1000), ("numberOfElements", 100)]
    {
        assert_eq!(whole[member], value, "{member}");
    }
    assert!(whole["first"] == true && whole["last"] == true);
    // What filters on messages find is written in the same way.
    let from = json!([{"fieldName": "from", "searchTerm": "acme"}]);
    assert_eq!(server.search("size=1000", from).await["numberOfElements"], 100);
}

/// Waits until the metrics say that something happened.
async fn until_counted(server: &TestServer, what: &str) {
    // The answer fills what the system takes first, on threads that come after all others.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        let metrics = answer(server.request(Method::GET, "/metrics")).await.1;
        if metrics.as_str().unwrap().contains(what) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_takes_nothing_is_cut() {
    let server = TestServer::start("[server]\nrequest_timeout = \"1s\"\n").await;
    send_large(&server, 1500).await;
    for accept in ["application/json", "application/x-ndjson"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let address = server.url.strip_prefix("http://").unwrap().parse().unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let head = format!(
            "POST /failover/tracking?size=1000 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             accept: {accept}\r\ncontent-length: 0\r\n\r\n",
            server.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let counted = if accept == "application/json" { 1 } else { 2 };
        until_counted(&server, &format!("connections_closed_total{{reason=\"stalled\"}} {counted}")).await;
        let mut taken = Vec::new();
        let _ = stream.read_to_end(&mut taken).await;
        assert!(taken.starts_with(b"HTTP/1.1 200") && !taken.ends_with(b"0\r\n\r\n"), "{}", taken.len());
    }
}

#[tokio::test]
async fn who_takes_nothing_of_one_answer_among_others_is_cut() {
    let server = TestServer::start("[server]\nrequest_timeout = \"1s\"\n").await;
    send_large(&server, 100).await;
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = |method: &str, path: &str| {
        let request = axum::http::Request::builder().method(method).uri(format!("{}{path}", server.url));
        request.header("authorization", format!("Bearer {}", server.token)).body(()).unwrap()
    };
    // It takes as much as the client has room for, and the client makes no more.
    let (deaf, _) = client.send_request(request("POST", "/failover/tracking?size=1000"), true).unwrap();
    let deaf = deaf.await.unwrap();
    assert_eq!(deaf.status(), 200);
    // Others go on meanwhile.
    let cut = loop {
        let Ok((answer, _)) = client.send_request(request("GET", "/health/live"), true) else { break true };
        if answer.await.is_err() {
            break true;
        }
        if connection.is_finished() {
            break true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(cut);
    until_counted(&server, "connections_closed_total{reason=\"stalled\"} 1").await;
}

#[tokio::test]
async fn a_connection_between_two_requests_ends_in_time() {
    let server = TestServer::start("[server]\nrequest_timeout = \"300ms\"\n").await;
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut taken = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut taken)).await;
    read.expect("the server closes it").unwrap();
    assert!(taken.starts_with(b"HTTP/1.1 200"), "{taken:?}");
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (_client, connection) = h2::client::handshake(stream).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), connection).await;
    let _ = ended.expect("the server closes it");
}

#[tokio::test]
async fn a_new_client_is_answered_however_many_are_idle() {
    let server = TestServer::start("[limits]\nconnections_max = 16\n").await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(TcpStream::connect(address).await.unwrap());
        let newcomer = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(answer(newcomer.get(format!("{}/health/live", server.url))).await.0, 200);
    }
    // The oldest ones went.
    let mut octet = [0];
    let oldest = tokio::time::timeout(Duration::from_secs(20), idle[0].read(&mut octet)).await;
    assert!(matches!(oldest.expect("it is closed"), Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_refused_for_now() {
    let server = TestServer::start("[limits]\nsearch_timeout = \"1us\"\n").await;
    server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    let costly = json!([{"fieldName": "label", "searchOperator": "contains", "searchTerm": "x"}]);
    let request = server.request(Method::POST, "/failover/tracking").json(&costly);
    let refused = request.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "2");
    let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(body["code"], "503000008");
    assert!(body["developerMessage"].as_str().unwrap().contains("limits.search_timeout"), "{body}");
    // What is quick does not wait.
    assert_eq!(server.search("", json!([])).await["totalElements"], 1);
}

/// Asks for a token; answers with the status.
async fn login(server: &TestServer, id: &str, secret: &str, forwarded: &str) -> StatusCode {
    let url = format!("{}/oauth/token?grant_type=client_credentials", server.url);
    let request = server.client.post(url).basic_auth(id, Some(secret)).header("x-forwarded-for", forwarded);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn requests_per_second_binds_logins_and_guesses() {
    let server = TestServer::start("[server]\nrequests_per_second = 3\n").await;
    let TestApplication { id, secret, .. } = &server.application;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(login(&server, id, secret, "").await);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let request = server.client.get(format!("{}/failover/tracking/x", server.url)).bearer_auth("guess");
        statuses.push(answer(request).await.0);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    // Who guesses takes nothing from those who share the address: a new token is taken and used meanwhile.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let guess = || server.client.get(format!("{}/failover/tracking/x", server.url)).bearer_auth("guess");
        while answer(guess()).await.0 != StatusCode::TOO_MANY_REQUESTS {}
        if login(&server, id, secret, "").await == StatusCode::OK {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the guesser locks the application out");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn an_applications_own_limits_are_heeded_while_the_server_runs() {
    let server = TestServer::start("").await;
    let TestApplication { id, secret, .. } = &server.application;
    let limits = ApplicationLimits {
        requests_per_second: Some(1),
        tokens_max: std::num::NonZeroU32::new(1),
        ..ApplicationLimits::default()
    };
    let admin = SqliteAdmin::open(&server::database(&server.data), &Keyring::default()).unwrap();
    assert!(admin.set_limits(id, limits).await.unwrap());
    assert!(!admin.set_limits("nobody", limits).await.unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.post("/failover/tracking", &json!([])).await.0 != StatusCode::TOO_MANY_REQUESTS {
        assert!(tokio::time::Instant::now() < deadline);
    }
    // A second token ends the first one.
    while login(&server, id, secret, "").await != StatusCode::OK {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while server.post("/failover/tracking", &json!([])).await.0 != StatusCode::UNAUTHORIZED {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn guesses_behind_a_trusted_proxy_slow_the_guesser_alone() {
    let server = TestServer::start("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n").await;
    let TestApplication { id, secret, .. } = &server.application;
    for _ in 0..5 {
        assert_eq!(login(&server, id, "wrong", "203.0.113.1").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(login(&server, id, secret, "203.0.113.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(login(&server, id, secret, "203.0.113.1, 203.0.113.2").await, StatusCode::OK);
    // Nobody is believed who is not trusted.
    let server = TestServer::start("").await;
    let TestApplication { id, secret, .. } = &server.application;
    for last in 0..5 {
        let forwarded = format!("203.0.113.{last}");
        assert_eq!(login(&server, id, "wrong", &forwarded).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(login(&server, id, secret, "203.0.113.9").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn credentials_of_any_length_are_nobodys() {
    let server = TestServer::start("").await;
    let long = "x".repeat(40_000);
    assert_eq!(login(&server, &long, "y", "").await, StatusCode::UNAUTHORIZED);
    let request = server.client.get(format!("{}/failover/tracking/x", server.url)).bearer_auth(&long);
    assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_strangers_ask_for_makes_no_time_series() {
    let server = TestServer::start("").await;
    let metrics = async || {
        let text = answer(server.request(Method::GET, "/metrics")).await.1;
        text.as_str().unwrap().lines().filter(|line| line.contains("http_request_seconds_count")).count()
    };
    let strange = async |number: usize| {
        let path = format!("{}/nowhere/{number}", server.url);
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        let _ = answer(server.client.request(method.clone(), path)).await;
        let _ = answer(server.client.request(method, format!("{}/s/code{number}", server.url))).await;
        let carrier = format!("{}/carriers/c{number}/receipts", server.url);
        let _ = answer(server.client.post(carrier).body("{}")).await;
    };
    strange(0).await;
    metrics().await;
    let before = metrics().await;
    for number in 1..20 {
        strange(number).await;
    }
    assert_eq!(metrics().await, before);
}

#[tokio::test]
async fn a_store_that_is_stuck_is_not_ready() {
    let server = TestServer::start("").await;
    let ready = async || {
        let (status, body) = answer(server.client.get(format!("{}/health/ready", server.url))).await;
        (status, body["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(ready().await, (StatusCode::OK, "ok".to_owned()));
    // Another process holds the database's lock: whatever is to be written waits.
    let other = rusqlite::Connection::open(server::database(&server.data)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while ready().await != (StatusCode::SERVICE_UNAVAILABLE, "store slow".to_owned()) {
        assert!(tokio::time::Instant::now() < deadline);
    }
    other.execute_batch("ROLLBACK").unwrap();
    while ready().await.0 != StatusCode::OK {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn large_bodies_that_never_end_take_bounded_room_and_none_from_small_ones() {
    use tokio::io::AsyncWriteExt;
    let server = TestServer::start("[limits]\nbodies_bytes_max = 1048576\n").await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut unfinished = Vec::new();
    for _ in 0..8 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = "POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 262144\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        unfinished.push(client);
    }
    // Four of them have all of the room: the next large one is refused, and small ones are not concerned.
    let large = json!({"flow": [sms(1, "+306900000000")], "padding": "x".repeat(100_000)});
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.post("/failover", &large).await.0 != 503 {
        assert!(tokio::time::Instant::now() < deadline, "large bodies are taken beyond the limit");
    }
    let (status, answer) = server.post("/failover", &json!({"flow": [sms(1, "+306900000000")]})).await;
    assert_eq!(status, 200, "{answer}");
    drop(unfinished);
    while server.post("/failover", &large).await.0 != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the room is not given back");
    }
}
