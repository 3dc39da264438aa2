//! Clients as they are met in life: how they write dates, numbers, headers and bodies, and what must not be
//! guessed.

use crate::support::*;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SMS_TO: &str = "+306900000000";

/// A search by raw parameters: the status, the total where there is one, and the fields that are refused.
async fn search(server: &TestServer, query: &str, filters: &Value) -> (StatusCode, Option<u64>, Vec<String>) {
    let (status, answer) = server.post(&format!("/failover/tracking?{query}"), filters).await;
    let errors = answer["errors"].as_array().into_iter().flatten();
    let fields = errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
    (status, answer["totalElements"].as_u64(), fields)
}

#[tokio::test]
async fn what_a_search_does_not_understand_is_refused() {
    let server = TestServer::start("").await;
    server.send(&json!({"flow": [sms(1, SMS_TO)]})).await;
    for (filter, field) in [
        (json!({"fieldName": "type", "operator": "is_not", "searchTerm": "Sms"}), "[0].operator"),
        (json!({"fieldName": "type", "searchoperator": "is_not", "searchTerm": "Sms"}), "[0].searchoperator"),
        (json!({"fieldName": "type", "searchTerm": "Sms", "not": true}), "[0].not"),
        (json!({"fieldName": "type", "SearchTerm": "Sms"}), "[0].SearchTerm"),
    ] {
        let (status, _, fields) = search(&server, "", &json!([filter])).await;
        assert_eq!(status, 400, "{filter}");
        assert!(fields.contains(&field.to_owned()), "{filter}: {fields:?}");
    }
    for (query, field) in [
        ("datestart=2030-01-01", "datestart"),
        ("Page=1", "Page"),
        ("dateFrom=2030-01-01", "dateFrom"),
        ("dateStart=2020-01-01&dateStart=2030-01-01", "dateStart"),
        ("page=0&page=0", "page"),
        ("dateStart=2026-11-26T13:55:23%2B10:00Z", "dateStart"),
        ("dateStart=2026-11-26T05:55:23%5BEurope/Athens%5D", "dateStart"),
        ("dateStart=2026-11-26T05:55:23%5B%2B02:00%5D", "dateStart"),
        ("dateEnd=2026-11-26T05:55:23Z%5Bu-ca=hebrew%5D", "dateEnd"),
        ("dateStart=2026-11-26T05:55:23Z%20x", "dateStart"),
        ("dateStart=%222026-11-26", "dateStart"),
    ] {
        let refused = search(&server, query, &json!([])).await;
        assert_eq!((refused.0.as_u16(), refused.2), (400, vec![field.to_owned()]), "{query}");
        let path = format!("/failover/tracking?{query}");
        let export = server.request(Method::POST, &path).header("accept", "text/csv").json(&json!([]));
        assert_eq!(answer(export).await.0, 400, "{query}");
    }
    for (method, path) in [
        (Method::GET, "/suppressions/Sms?Size=1"),
        (Method::GET, "/suppressions/Sms?after=1&after=2"),
        (Method::PUT, "/suppressions/Sms/%2B306900000001?because=x"),
        (Method::DELETE, "/failover/tracking?to=%2B306900000000&before=2020-01-01"),
    ] {
        assert_eq!(answer(server.request(method, path)).await.0, 400, "{path}");
    }
    // Blank is absent, in a filter as well.
    for filters in [json!([{"fieldName": "", "searchOperator": "", "searchTerm": ""}]), json!([null, {}])] {
        assert_eq!(search(&server, "dateStart=&page=&sort=", &filters).await.1, Some(1), "{filters}");
    }
}

#[tokio::test]
async fn every_bound_means_exactly_that_instant() {
    let server = TestServer::start("").await;
    let id = server.send(&json!({"flow": [sms(1, SMS_TO)]})).await;
    let created = server.track(&id).await["createdAt"].as_str().unwrap().to_owned();
    let whole = created.strip_suffix('Z').unwrap();
    let (date, time) = whole.split_once('T').unwrap();
    for (query, total) in [
        (format!("dateEnd={whole}5Z"), 1),
        (format!("dateStart={whole}5Z"), 0),
        (format!("dateStart={whole}000001Z"), 0),
        (format!("dateStart={whole}000Z"), 1),
        (format!("dateEnd={whole}000000Z"), 0),
        ("dateEnd=9999-12-31T23:59:59Z".into(), 1),
        ("dateEnd=9999-12-31T23:59:59.9999999".into(), 1),
        ("dateStart=0001-01-01T00:00:00".into(), 1),
        ("dateStart=%222020-01-01T00:00:00%2B02:00%22".into(), 1),
        ("dateEnd=%222020-01-01T00:00:00+02:00%22".into(), 0),
        (format!("dateStart={date}%20{time}%2B00:00"), 1),
        (format!("dateStart={date}%20{time}+00:00"), 1),
        (format!("dateEnd={date}%20{time}+00:00"), 0),
        (format!("dateStart={date}+{time}"), 1),
        (format!("dateStart={date}T{time}+02:00"), 1),
        (format!("dateStart={date}T{time}-02:00"), 0),
    ] {
        let (status, found, _) = search(&server, &query, &json!([])).await;
        assert_eq!((status.as_u16(), found), (200, Some(total)), "{created}: {query}");
    }
}

#[tokio::test]
async fn an_export_is_sent_to_who_prefers_it() {
    let server = TestServer::start("").await;
    for (accept, media_type) in [
        ("application/json, text/csv;q=0.1", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("application/json, application/x-ndjson, text/csv", "application/json"),
        ("text/csv, application/json;q=0.5", "text/csv; charset=utf-8"),
    ] {
        let request = server.request(Method::POST, "/failover/tracking").header("accept", accept);
        let response = request.json(&json!([])).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], media_type, "{accept}");
    }
}

/// One answer of a connection: its status, whether the connection closes, and its body.
async fn read_answer(stream: &mut TcpStream) -> (u16, bool, String) {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut octet).await.unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let mut body = vec![0; field("content-length").unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, field("connection") == Some("close"), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_connection_that_stays_open_after_a_refusal_answers_the_next_request() {
    let server = TestServer::start("").await;
    let address = server.url.strip_prefix("http://").unwrap();
    let authorized = format!("authorization: Bearer {}\r\n", server.token);
    let json = "content-type: application/json\r\n";
    for (line, headers, status) in [
        ("POST /failover", json.to_owned(), 401),
        ("POST /nowhere", json.to_owned(), 404),
        ("PUT /failover", json.to_owned(), 405),
        ("POST /failover", format!("{authorized}content-type: text/plain\r\n"), 415),
        ("POST /failover", format!("{authorized}{json}content-encoding: gzip\r\n"), 415),
        ("POST /oauth/token", String::new(), 401),
        ("POST /carriers/nobody/receipts", json.to_owned(), 404),
        ("DELETE /failover/tracking/x", authorized.clone(), 404),
    ] {
        for length in [120, 300_000] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            stream.write_all(&vec![b' '; length]).await.unwrap();
            let (answered, closes, body) = read_answer(&mut stream).await;
            let allowed = [status, if length > 256 * 1024 { 413 } else { status }];
            assert!(allowed.contains(&answered), "{line}: {answered} {body}");
            assert!(!closes, "{line}");
            stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert_eq!(read_answer(&mut stream).await.0, 200, "{line}");
        }
        // Too much to read it for nothing, and who asks first before sending (where the body is needed, it is
        // told to).
        let asks = "expect: 100-continue\r\ncontent-length: 120\r\n";
        let needed = line == "POST /oauth/token" || line.contains("receipts") || line.starts_with("DELETE");
        for more in
            ["content-length: 50000000\r\n", asks].into_iter().filter(|more| !(needed && *more == asks))
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}{more}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let (answered, closes, body) = read_answer(&mut stream).await;
            assert!((answered == status || answered == 413) && closes, "{line}: {answered} {body}");
        }
    }
}

#[tokio::test]
async fn http_1_1_says_whom_it_is_for() {
    let server = TestServer::start("").await;
    for (head, status) in [
        ("GET /health/live HTTP/1.1\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nhost: a b\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nhost: a:80\r\n", 200),
        ("GET /health/live HTTP/1.0\r\nconnection: keep-alive\r\n", 200),
    ] {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let (answered, _, body) = read_answer(&mut stream).await;
        assert_eq!(answered, status, "{head}: {body}");
    }
}

#[tokio::test]
async fn erasure_finds_what_it_is_asked_for_or_says_that_it_can_not() {
    let server = TestServer::start("[engine]\nminute = \"60s\"\n[callbacks]\nallow_private = true\n").await;
    let erase = async |to: &str| {
        let (status, body) =
            answer(server.request(Method::DELETE, &format!("/failover/tracking?to={to}"))).await;
        (status.as_u16(), body["erased"].as_u64())
    };
    let call = |sip: &str| {
        let mut step = voice(2, "x");
        step["to"] = json!({"sip": sip});
        json!({"flow": [viber(1, "+306900000030"), step]})
    };
    for (sip, asked) in [
        ("sip:Alice@Example.com", "sip:alice@example.com"),
        ("sip:bob@example.com", "SIP:BOB@EXAMPLE.COM"),
        ("1111@test.com:55080", "1111@test.com:55080"),
        ("sip:+306900000010@example.com", "sip:+306900000010@example.com"),
        ("sip:+306900000011@example.com", "sip:%2B306900000011@example.com"),
    ] {
        server.send(&call(sip)).await;
        assert_eq!(erase(asked).await, (200, Some(1)), "{asked}");
    }
    for asked in ["306987654321", "+306987654321", "%2B306987654321", "0030%20698%207654321"] {
        server.send(&json!({"flow": [viber(1, "+306900000030"), sms(2, "+306987654321")]})).await;
        assert_eq!(erase(asked).await, (200, Some(1)), "{asked}");
    }
    for asked in ["", "abc", "12", "sip:", "+30698765432x"] {
        assert_eq!(erase(asked).await, (400, None), "{asked}");
    }
}

#[tokio::test]
async fn next_given_back_as_it_is_leads_to_the_next_page() {
    let server = TestServer::start("").await;
    for last in 0..3 {
        let path = format!("/suppressions/Viber/%2B30690000009{last}");
        assert_eq!(answer(server.request(Method::PUT, &path)).await.0, 204);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..4 {
        let path = format!("/suppressions/Viber?size=1&after={after}");
        let (_, page) = answer(server.request(Method::GET, &path)).await;
        let content = page["content"].as_array().unwrap().iter();
        seen.extend(content.map(|one| one["recipient"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        next.clone_into(&mut after);
    }
    assert_eq!(seen, ["+306900000090", "+306900000091", "+306900000092"]);
}

/// What a step becomes.
async fn accepted(server: &TestServer, flow: &Value) -> Value {
    let (status, answer) = server.post("/failover", flow).await;
    assert_eq!(status, 200, "{flow}: {answer}");
    answer
}

#[tokio::test]
async fn clients_of_the_original_service_are_understood() {
    let server = TestServer::start("[callbacks]\nallow_private = true\n").await;
    for to in ["306900000010", "00306900000010", "+30 690 000-0010", "(30) 690.000.0010"] {
        let mut call = voice(3, "x");
        call["to"] = json!(to);
        let answer = accepted(&server, &json!({"flow": [sms(1, to), viber(2, to), call]})).await;
        for shown in [&answer["flow"][0]["to"], &answer["flow"][1]["to"], &answer["flow"][2]["to"]["phone"]] {
            assert_eq!(shown, "+306900000010", "{to}");
        }
    }
    for (operator, term, found) in [
        ("is", "306900000010", 4),
        ("is", "0030 690 000 0010", 4),
        ("is_not", "+30-690-000-0010", 0),
        ("starts_with", "30690", 4),
        ("starts_with", "0030 690", 4),
        ("contains", "690 000-00", 4),
        ("contains", "0030", 0),
        ("ends_with", "00.10", 4),
    ] {
        let filter = json!({"fieldName": "to", "searchOperator": operator, "searchTerm": term});
        assert_eq!(search(&server, "", &filter).await.1, Some(found), "{operator} {term}");
    }
    // Without order, with one that repeats, and with a callback that names nothing but a URL.
    let mut steps = [sms(1, SMS_TO), viber(2, SMS_TO), sms(2, SMS_TO)];
    let order = |answer: &Value| -> Vec<(String, u64)> {
        let steps = answer["flow"].as_array().unwrap().iter();
        steps.map(|s| (s["type"].as_str().unwrap().to_owned(), s["order"].as_u64().unwrap())).collect()
    };
    let of = |orders: [(&str, u64); 3]| orders.map(|(name, order)| (name.to_owned(), order)).to_vec();
    assert_eq!(
        order(&accepted(&server, &json!({"flow": steps})).await),
        of([("Sms", 1), ("Viber", 2), ("Sms", 2)])
    );
    for step in &mut steps {
        step.as_object_mut().unwrap().remove("order");
    }
    let flow = json!({"flow": steps, "callback": {"url": "http://127.0.0.1:9/x"}});
    let answer = accepted(&server, &flow).await;
    assert_eq!(order(&answer), of([("Sms", 1), ("Viber", 2), ("Sms", 3)]));
    assert_eq!(answer["callback"]["strategy"], "OnChange");
    // Spellings.
    let mut file = viber(1, SMS_TO);
    file["message"] =
        json!({"viberFile": {"fileName": "a", "fileType": ".pdf", "fileURL": "https://a.example/x"}});
    let answer = accepted(&server, &json!({"flow": [file]})).await;
    let shown = &answer["flow"][0]["message"]["viberFile"];
    assert_eq!((&shown["fileType"], &shown["fileUrl"]), (&json!("pdf"), &json!("https://a.example/x")));
    for (sip, shown) in [
        ("1111@test.example:55080", "sip:1111@test.example:55080"),
        ("SIP:carol@test.example", "sip:carol@test.example"),
    ] {
        let mut call = voice(1, "x");
        call["to"] = json!({"sip": sip});
        assert_eq!(accepted(&server, &json!({"flow": [call]})).await["flow"][0]["to"]["sip"], shown);
    }
    for (from, status) in [("1234567890123456", 200), ("+", 400), ("12345678901234567", 400), ("Acme", 200)] {
        let mut step = sms(1, SMS_TO);
        step["from"] = from.into();
        assert_eq!(server.post("/failover", &json!({"flow": [step]})).await.0, status, "{from}");
    }
}

#[tokio::test]
async fn broken_rules_are_told_as_the_original_service_tells_them_as_well() {
    let server = TestServer::start("").await;
    let mut step = sms(1, "abc");
    step["message"] = json!({});
    let (status, answer) = server.post("/failover", &json!({"flow": [step]})).await;
    assert_eq!(status, 400);
    assert_eq!(answer["entity"], "Failover");
    for error in answer["errors"].as_array().unwrap() {
        assert!(answer["properties"][error["field"].as_str().unwrap()].is_string(), "{answer}");
    }
    assert!(answer["properties"]["flow[0].to"].as_str().unwrap().starts_with("must be"), "{answer}");
    let (_, unknown) = answer_of(&server, "/failover/tracking/abc").await;
    assert!(unknown.get("properties").is_none() && unknown.get("entity").is_none(), "{unknown}");
}

async fn answer_of(server: &TestServer, path: &str) -> (StatusCode, Value) {
    answer(server.request(Method::GET, path)).await
}

#[tokio::test]
async fn what_would_be_done_otherwise_than_asked_is_refused() {
    let server = TestServer::start("").await;
    let with = |pointer: &str, name: &str, value: Value| {
        let mut flow = json!({"flow": [sms(1, SMS_TO)]});
        flow.pointer_mut(pointer).unwrap()[name] = value;
        flow
    };
    for (pointer, name, field) in [
        ("", "scheduledDate", "scheduledDate"),
        ("", "send_at", "send_at"),
        ("/flow/0", "ScheduledDate", "flow[0].ScheduledDate"),
        ("/flow/0/message", "validityPeriod", "flow[0].message.validityPeriod"),
    ] {
        let (status, answer) =
            server.post("/failover", &with(pointer, name, json!("2030-01-01T00:00Z"))).await;
        let error = &answer["errors"][0];
        assert_eq!(
            (status.as_u16(), &error["field"], &error["rule"]),
            (400, &json!(field), &json!("unavailable"))
        );
    }
    let quiet = server.post("/failover", &with("", "respectQuietHours", json!(true))).await;
    assert_eq!(quiet.0, 400);
    for (name, blank) in [
        ("respectQuietHours", json!(false)),
        ("scheduledDate", json!("")),
        ("validity", json!(null)),
        ("x", json!(1)),
    ] {
        accepted(&server, &with("", name, blank)).await;
    }
    // A list of nothing names no status: the default.
    for list in [json!(","), json!(""), json!([]), json!(["", " "]), json!(" , ")] {
        let answer = accepted(&server, &with("/flow/0", "failoverOnStatuses", list)).await;
        assert_eq!(answer["flow"][0]["failoverOnStatuses"], json!(["Undelivered", "Failed"]));
    }
}

#[tokio::test]
async fn numbers_in_templates_keep_their_digits() {
    let server = TestServer::start("").await;
    let body = r#"{"flow": [{"type": "Viber", "senderInfoTrackingId": "acme", "to": "+306900000000", "templateId": "t",
        "templateLang": "en", "templateParams": {"amount": 12345678901234567890123, "price": 10.50, "low": 1e3,
        "text": "1.0", "yes": true, "no": null}}]}"#;
    let request = server.request(Method::POST, "/failover/transactional");
    let (status, answered) = answer(request.header("content-type", "application/json").body(body)).await;
    assert_eq!(status, 200, "{answered}");
    let expected = json!({"amount": "12345678901234567890123", "price": "10.50", "low": "1e3", "text": "1.0", "yes": "true"});
    assert_eq!(answered["flow"][0]["templateParams"], expected);
    // What belongs to plain flows alone.
    let mut step: Value = serde_json::from_str::<Value>(body).unwrap()["flow"][0].clone();
    step["label"] = json!("x");
    for flow in [
        json!({"flow": [step]}),
        json!({"flow": [sms(1, SMS_TO)], "restrictions": {"contentTemplateId": "1"}}),
    ] {
        assert_eq!(server.post("/failover/transactional", &flow).await.0, 400, "{flow}");
    }
}

#[tokio::test]
async fn bodies_are_read_as_they_come_or_refused_for_the_right_reason() {
    let server = TestServer::start("").await;
    let send = async |octets: Vec<u8>, encoding: Option<&str>| {
        let mut request =
            server.request(Method::POST, "/failover").header("content-type", "application/json");
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let response = request.body(octets).send().await.unwrap();
        (response.status().as_u16(), response.headers().get("accept-encoding").cloned())
    };
    let flow = json!({"flow": [sms(1, SMS_TO)]}).to_string();
    let marked = [b"\xef\xbb\xbf", flow.as_bytes()].concat();
    assert_eq!(send(marked, None).await.0, 200);
    assert_eq!(send(flow.clone().into_bytes(), Some("identity")).await.0, 200);
    for encoding in ["gzip", "br", "deflate"] {
        let (status, takes) = send(flow.clone().into_bytes(), Some(encoding)).await;
        assert_eq!((status, takes.unwrap().to_str().unwrap()), (415, "identity"), "{encoding}");
    }
    for id in ["abc", "01900000-0000-7000-8000-000000000000", "%00"] {
        assert_eq!(answer_of(&server, &format!("/failover/tracking/{id}")).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn a_token_is_taken_as_clients_ask_for_it() {
    let server = TestServer::start("").await;
    let TestApplication { id, secret, .. } = &server.application;
    let url = format!("{}/oauth/token", server.url);
    let ask = async |basic: bool, body: &str| {
        let request = server.client.post(&url).header("content-type", "application/x-www-form-urlencoded");
        let request = if basic { request.basic_auth(id, Some(secret)) } else { request };
        let (status, body) = answer(request.body(body.to_owned())).await;
        (status.as_u16(), body["error"].as_str().unwrap_or("").to_owned())
    };
    let in_body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let wrong = format!("grant_type=client_credentials&client_id={id}&client_secret=x");
    for (basic, body, expected) in [
        (true, "grant_type=client_credentials\r\n", (200, "")),
        (true, "grant_type=client_credentials\n", (200, "")),
        (false, &in_body, (200, "")),
        (false, &wrong, (401, "invalid_client")),
        (false, "grant_type=client_credentials", (401, "invalid_client")),
        (true, "", (400, "invalid_request")),
        (true, "grant_type=", (400, "invalid_request")),
        (true, "grant_type=password", (400, "unsupported_grant_type")),
        (true, "grant_type=client_credentials&grant_type=client_credentials", (400, "invalid_request")),
    ] {
        let (status, error) = ask(basic, body).await;
        assert_eq!((status, error.as_str()), expected, "{basic} {body}");
    }
}
