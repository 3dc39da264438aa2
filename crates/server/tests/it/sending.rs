//! `POST /failover`: what is accepted, what is refused and how.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

const TO: &str = "+306900000010";

#[tokio::test]
async fn the_answer_fills_in_every_default() {
    let server = TestServer::start("").await;
    let body = json!({
        "flow": [
            {"type": "voice", "order": 7, "from": "1", "to": TO,
             "dialplan": {"verbs": [{"type": "say", "message": {"text": "hi"}}]}},
            {"type": "VIBER", "order": 2, "senderInfoTrackingId": "acme", "to": TO,
             "message": {"text": "hi", "imageURL": "https://a.example/i.png",
                         "viberAction": {"caption": "Go", "targetUrl": "https://a.example"}}},
            {"type": "Sms", "order": 5, "from": "Acme", "to": TO, "message": {"body": "hi"},
             "failoverOnStatuses": "failed, UNDELIVERED"},
        ],
        "callback": {"strategy": "OnStep", "url": "https://a.example/cb"}
    });
    let (status, answer) = server.post("/failover", &body).await;
    assert_eq!(status, 200, "{answer}");
    let [viber, sms, voice] = answer["flow"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(
        *viber,
        json!({"type": "Viber", "order": 2, "senderInfoTrackingId": "acme", "to": TO, "ttl": 10,
               "failoverOnStatuses": ["Expired", "Failed", "Undelivered"], "expireOnDelivery": false,
               "message": {"text": "hi", "imageUrl": "https://a.example/i.png",
                           "action": {"caption": "Go", "targetUrl": "https://a.example"}}})
    );
    assert_eq!(
        *sms,
        json!({"type": "Sms", "order": 5, "from": "Acme", "to": TO, "ttl": 1200,
               "failoverOnStatuses": ["Failed", "Undelivered"],
               "message": {"body": "hi", "flash": false, "transcode": false}})
    );
    assert_eq!(
        *voice,
        json!({"type": "Voice", "order": 7, "from": "1", "to": {"phone": TO}, "ttl": 10,
               "failoverOnStatuses": ["Busy", "NoAnswer"],
               "dialPlan": {"verbs": [{"type": "SAY", "repeat": 1, "bargeIn": false,
                                       "message": {"language": "en-US", "gender": "female", "text": "hi"}}]}})
    );
    assert_eq!(answer["callback"], json!({"strategy": "OnChange", "url": "https://a.example/cb"}));
    assert!(answer["createdAt"].as_str().unwrap().ends_with('Z'));
    assert!(uuid::Uuid::parse_str(answer["trackingId"].as_str().unwrap()).is_ok());
}

/// What a client of plain data classes sends: every member of every channel on every step.
#[tokio::test]
async fn blank_is_absent() {
    let server = TestServer::start("").await;
    let blank = json!({
        "senderInfoTrackingId": "", "inboundUrl": "", "expireOnDelivery": false, "label": null,
        "message": {"body": "hi", "text": "", "imageUrl": "", "action": {"caption": "", "targetUrl": ""},
                    "viberVideo": {"videoUrl": "", "fileSize": 0, "duration": 0}},
        "dialPlan": {"verbs": []}, "machineDetection": {"strategy": ""}, "urlShortener": {"urlValidity": null},
        "failoverOnStatuses": [], "ttl": 30.0, "order": 1.0, "type": "Sms", "from": "Acme", "to": TO, "novel": 1
    });
    let body = json!({"flow": [blank], "callback": {"strategy": "", "url": ""}, "restrictions": {}});
    let (status, answer) = server.post("/failover", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["flow"][0]["ttl"], json!(30));
    assert_eq!(answer["flow"][0]["failoverOnStatuses"], json!(["Undelivered", "Failed"]));
    assert_eq!(answer["callback"], Value::Null);
}

#[tokio::test]
async fn bad_input_names_the_field_and_the_rule_and_stores_nothing() {
    let server = TestServer::start("[engine]\nlenient_order = false\n").await;
    let with = |mut step: Value, path: &str, value: Value| {
        *step.pointer_mut(path).unwrap_or(&mut Value::Null) = value.clone();
        if step.pointer(path).is_none() {
            step[path.trim_start_matches('/')] = value;
        }
        json!({"flow": [step]})
    };
    let (sms, viber, voice) = (sms(1, TO), viber(1, TO), voice(1, TO));
    let long = |n: usize| json!("x".repeat(n));
    let cases: Vec<(Value, &str, &str)> = vec![
        (json!({}), "flow", "required"),
        (json!({"flow": []}), "flow", "required"),
        (json!({"flow": "x"}), "flow", "type"),
        (json!({"flow": [1]}), "flow[0]", "type"),
        (with(sms.clone(), "/type", json!("Fax")), "flow[0].type", "choice"),
        (with(sms.clone(), "/type", json!("")), "flow[0].type", "required"),
        (with(sms.clone(), "/order", json!(0)), "flow[0].order", "range"),
        (with(sms.clone(), "/order", json!(1.5)), "flow[0].order", "type"),
        (with(sms.clone(), "/to", json!("690000")), "flow[0].to", "format"),
        (with(sms.clone(), "/to", json!("+0690000001")), "flow[0].to", "format"),
        (with(sms.clone(), "/to", json!(5)), "flow[0].to", "type"),
        (with(sms.clone(), "/from", json!("TwelveLetters")), "flow[0].from", "format"),
        (with(sms.clone(), "/from", json!("")), "flow[0].from", "required"),
        (with(sms.clone(), "/ttl", json!(1441)), "flow[0].ttl", "range"),
        (with(sms.clone(), "/ttl", json!(0.5)), "flow[0].ttl", "range"),
        (with(sms.clone(), "/ttl", json!("x")), "flow[0].ttl", "type"),
        (with(sms.clone(), "/message/body", json!("")), "flow[0].message", "required"),
        (with(sms.clone(), "/message/body", long(153 * 255 + 1)), "flow[0].message.body", "length"),
        (with(sms.clone(), "/failoverOnStatuses", json!(["Busy"])), "flow[0].failoverOnStatuses", "choice"),
        (with(sms.clone(), "/dialPlan", json!({"verbs": [1]})), "flow[0].dialPlan", "foreign"),
        (with(sms.clone(), "/senderInfoTrackingId", json!("x")), "flow[0].senderInfoTrackingId", "foreign"),
        (
            with(sms.clone(), "/urlShortener", json!({"urlValidity": 3600})),
            "flow[0].urlShortener",
            "unavailable",
        ),
        (with(viber.clone(), "/ttl", json!(0.4)), "flow[0].ttl", "range"),
        (with(viber.clone(), "/ttl", json!(0.55)), "flow[0].ttl", "range"),
        (with(viber.clone(), "/from", json!("x")), "flow[0].from", "foreign"),
        (with(viber.clone(), "/label", long(351)), "flow[0].label", "length"),
        (with(viber.clone(), "/message/text", long(1001)), "flow[0].message.text", "length"),
        (
            with(viber.clone(), "/message", json!({"body": "x", "text": "x"})),
            "flow[0].message.body",
            "foreign",
        ),
        (
            with(viber.clone(), "/message", json!({"imageUrl": "http://a.example/i"})),
            "flow[0].message.imageUrl",
            "format",
        ),
        (
            with(
                viber.clone(),
                "/message",
                json!({"action": {"caption": "x", "targetUrl": "https://a.example"}}),
            ),
            "flow[0].message",
            "required",
        ),
        (with(viber.clone(), "/templateId", json!("t")), "flow[0].templateId", "foreign"),
        (with(voice.clone(), "/to", json!({"phone": TO, "sip": "sip:a@b"})), "flow[0].to", "required"),
        (with(voice.clone(), "/to", json!({"phone": "x"})), "flow[0].to.phone", "format"),
        (with(voice.clone(), "/dialPlan", json!({})), "flow[0].dialPlan", "required"),
        (
            with(voice.clone(), "/dialPlan", json!({"verbs": [{"type": "SING"}]})),
            "flow[0].dialPlan.verbs[0].type",
            "choice",
        ),
        (json!({"flow": [sms, viber]}), "flow[1].order", "unique"),
        (
            json!({"flow": [voice], "callback": {"strategy": "Never", "url": "https://a.example"}}),
            "callback.strategy",
            "choice",
        ),
        (
            json!({"flow": [voice], "callback": {"strategy": "OnChange", "url": "http://127.0.0.1/"}}),
            "callback.url",
            "format",
        ),
    ];
    for (body, field, rule) in cases {
        let (status, answer) = server.post("/failover", &body).await;
        assert_eq!(status, 400, "{body} was accepted: {answer}");
        let first = &answer["errors"][0];
        assert_eq!(
            (first["field"].as_str(), first["rule"].as_str()),
            (Some(field), Some(rule)),
            "{answer:#}"
        );
        assert_eq!(answer["code"], "400022001");
        assert!(answer["developerMessage"].as_str().unwrap().starts_with(field), "{answer}");
        assert!(answer["requestId"].is_string());
    }
    assert_eq!(server.search("", json!([])).await["totalElements"], 0);
}

/// Every URL of a request: what a client wrote must not steer the terminal of whoever lists it.
#[tokio::test]
async fn no_url_has_control_characters() {
    let server = TestServer::start("[callbacks]\nallow_private = true\n").await;
    let mut viber = viber(1, TO);
    viber["inboundUrl"] = json!("https://a.example/in");
    viber["message"] = json!({
        "imageUrl": "https://a.example/i",
        "action": {"caption": "Track", "targetUrl": "https://a.example/t"},
        "viberFile": {"fileName": "a", "fileType": "pdf", "fileUrl": "https://a.example/f"},
        "viberVideo": {"videoUrl": "https://a.example/v", "videoThumbnail": "https://a.example/n", "fileSize": 1,
                       "duration": 1},
    });
    let mut voice = voice(2, TO);
    voice["machineDetection"] = json!({"strategy": "Continue", "eventUrl": "https://a.example/e"});
    let callback = json!({"strategy": "OnChange", "url": "http://127.0.0.1:1/"});
    let flow = json!({"flow": [viber, voice], "callback": callback});
    let urls = [
        ("/callback/url", "callback.url"),
        ("/flow/0/inboundUrl", "flow[0].inboundUrl"),
        ("/flow/0/message/imageUrl", "flow[0].message.imageUrl"),
        ("/flow/0/message/action/targetUrl", "flow[0].message.action.targetUrl"),
        ("/flow/0/message/viberFile/fileUrl", "flow[0].message.viberFile.fileUrl"),
        ("/flow/0/message/viberVideo/videoUrl", "flow[0].message.viberVideo.videoUrl"),
        ("/flow/0/message/viberVideo/videoThumbnail", "flow[0].message.viberVideo.videoThumbnail"),
        ("/flow/1/dialPlan/verbs/0/fileURL", "flow[1].dialPlan.verbs[0].fileURL"),
        ("/flow/1/machineDetection/eventUrl", "flow[1].machineDetection.eventUrl"),
    ];
    for (pointer, field) in urls {
        for steering in ["\u{1b}]0;PWNED\u{7}", "\t", "\n", "\u{7f}", "\u{9b}2J"] {
            let mut flow = flow.clone();
            let url = flow.pointer_mut(pointer).unwrap();
            *url = json!(format!("{}{steering}", url.as_str().unwrap()));
            let (status, answer) = server.post("/failover", &flow).await;
            let errors = answer["errors"].as_array().unwrap();
            let told = errors.iter().any(|e| e["field"] == field && e["rule"] == "format");
            assert!(status == 400 && told, "{field} {steering:?}: {answer}");
        }
    }
    assert_eq!(server.search("", json!([])).await["totalElements"], 0);
}

#[tokio::test]
async fn all_broken_rules_are_told_at_once() {
    let server = TestServer::start("").await;
    let body = json!({"flow": [{"type": "Sms", "order": -1, "ttl": 0}, {"type": "Voice"}]});
    let (_, answer) = server.post("/failover", &body).await;
    let fields: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    for field in
        ["flow[0].order", "flow[0].ttl", "flow[0].from", "flow[0].to", "flow[0].message", "flow[1].to"]
    {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
}

#[tokio::test]
async fn steps_of_the_same_order_run_as_the_array_has_them() {
    let server = TestServer::start("").await;
    let body = json!({"flow": [sms(2, "+306900000011"), viber(1, TO), sms(2, "+306900000012")]});
    let (status, answer) = server.post("/failover", &body).await;
    assert_eq!(status, 200, "{answer}");
    let tos: Vec<_> =
        answer["flow"].as_array().unwrap().iter().map(|step| step["to"].as_str().unwrap()).collect();
    assert_eq!(tos, [TO, "+306900000011", "+306900000012"]);
}

#[tokio::test]
async fn an_idempotency_key_sends_once() {
    let server = TestServer::start("").await;
    let send = |key: &'static str, body: Value| {
        answer(server.request(Method::POST, "/failover").header("idempotency-key", key).json(&body))
    };
    let body = json!({"flow": [sms(1, TO)]});
    let (status, first) = send("k1", body.clone()).await;
    assert_eq!(status, 200);
    let (status, again) = send("k1", body.clone()).await;
    assert_eq!((status.as_u16(), &again), (200, &first));
    let (status, refused) = send("k1", json!({"flow": [sms(1, "+306900000011")]})).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("409022003")));
    let (_, other) = send("k2", body).await;
    assert_ne!(other["trackingId"], first["trackingId"]);
    assert_eq!(server.search("", json!([])).await["totalElements"], 2);
}

#[tokio::test]
async fn transactional_flows_carry_templates() {
    let server = TestServer::start("").await;
    let mut step = viber(1, TO);
    step.as_object_mut().unwrap().remove("message");
    step["templateId"] = json!("t1");
    step["templateLang"] = json!("en");
    step["templateParams"] = json!({"code": "1234"});
    let (status, answer) = server.post("/failover/transactional", &json!({"flow": [step.clone()]})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["flowKind"], "transactional");
    let echoed = &answer["flow"][0];
    assert_eq!((&echoed["deliveryScope"], &echoed["seq"]), (&json!("PRIMARY_DEVICE"), &json!(0)));
    let tracking = server.track_to_end(answer["trackingId"].as_str().unwrap()).await;
    assert_eq!(tracking["flowKind"], "transactional");
    assert_eq!(tracking["messages"][0]["templateId"], "t1");
    server.send(&json!({"flow": [sms(1, TO)]})).await;
    for (term, count) in [("Transactional", 1), ("plain", 1)] {
        let page = server.search("", json!([{"fieldName": "flowKind", "searchTerm": term}])).await;
        assert_eq!(page["totalElements"], count);
    }

    step["message"] = json!({"text": "x"});
    let (status, answer) = server.post("/failover/transactional", &json!({"flow": [step]})).await;
    assert_eq!((status.as_u16(), &answer["errors"][0]["field"]), (400, &json!("flow[0].message")));
}

#[tokio::test]
async fn links_are_shortened_where_asked() {
    let server = TestServer::start("[shortener]\nbase_url = \"https://s.example/s/\"").await;
    let mut step = sms(1, TO);
    step["message"] = json!({"body": "See https://a.example/very/long?x=1."});
    step["urlShortener"] = json!({"urlValidity": 3600});
    let (status, answered) = server.post("/failover", &json!({"flow": [step.clone()]})).await;
    assert_eq!(status, 200, "{answered}");
    assert_eq!(answered["flow"][0]["urlShortener"]["urlValidity"], 3600);
    let body = answered["flow"][0]["message"]["body"].as_str().unwrap();
    let code = body.strip_prefix("See https://s.example/s/").and_then(|rest| rest.strip_suffix('.')).unwrap();
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let followed = client.get(format!("{}/s/{code}", server.url)).send().await.unwrap();
    assert_eq!(followed.status(), 302);
    assert_eq!(followed.headers()["location"], "https://a.example/very/long?x=1");
    assert_eq!(client.get(format!("{}/s/guess", server.url)).send().await.unwrap().status(), 404);

    step["urlShortener"] = json!({"urlValidity": 60});
    let (status, answered) = server.post("/failover", &json!({"flow": [step]})).await;
    assert_eq!((status.as_u16(), &answered["errors"][0]["rule"]), (400, &json!("range")));
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_error_body() {
    let server = TestServer::start("").await;
    let raw = |body: Vec<u8>, media_type: &'static str| {
        answer(server.request(Method::POST, "/failover").header("content-type", media_type).body(body))
    };
    let mut large = b"{\"flow\":[\"".to_vec();
    large.resize(300 * 1024, b'x');
    for (body, media_type, code) in [
        (b"{".to_vec(), "application/json", "400000001"),
        (vec![0xff, 0xfe], "application/json", "400000001"),
        (b"[".repeat(100_000), "application/json", "400000001"),
        (large, "application/json", "413000003"),
        (b"{}".to_vec(), "text/plain", "415000004"),
    ] {
        let (_, answer) = raw(body, media_type).await;
        assert_eq!(answer["code"], code);
    }
    let (_, answer) = server.post("/nowhere", &json!({})).await;
    assert_eq!(answer["code"], "404022002");
    let (_, answer) = answer_of(&server, Method::DELETE, "/failover").await;
    assert_eq!(answer["code"], "405000002");
    let (_, answer) = answer_of(&server, Method::GET, "/failover/tracking/not-a-uuid").await;
    assert_eq!(answer["code"], "404022002");
}

async fn answer_of(server: &TestServer, method: Method, path: &str) -> (reqwest::StatusCode, Value) {
    answer(server.request(method, path)).await
}

#[tokio::test]
async fn a_channel_that_nobody_carries_is_refused() {
    let text = "[[carrier]]\nname = \"s\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\n";
    let server = TestServer::start(text).await;
    server.send(&json!({"flow": [sms(1, TO)]})).await;
    let (status, answer) = server.post("/failover", &json!({"flow": [sms(1, TO), viber(2, TO)]})).await;
    assert_eq!((status.as_u16(), &answer["errors"][0]["field"]), (400, &json!("flow[1].type")));
}

#[tokio::test]
async fn a_flow_is_cancelled_once_and_sends_nothing_more() {
    let server = TestServer::start("[engine]\nminute = \"60s\"\n").await;
    let (own, ended) = ("+306900000033", "+306900000000");
    // Viber stays silent: the Sms would follow after the ttl.
    let id = server.send(&json!({"flow": [viber(1, own), sms(2, own)]})).await;
    server.track_until(&id, |tracking| tracking["status"] == "InProgress").await;
    let (status, cancelled) = answer(server.request(Method::DELETE, &format!("/failover/{id}"))).await;
    assert_eq!(status, 200, "{cancelled}");
    assert_eq!(cancelled["status"], "Failed");
    assert_eq!(cancelled["statusCode"], 0);
    assert_eq!(cancelled["reason"]["detailedStatus"], "Cancelled");
    assert_eq!(cancelled["messages"].as_array().unwrap().len(), 1);
    let (status, again) = answer(server.request(Method::DELETE, &format!("/failover/{id}"))).await;
    assert_eq!((status.as_u16(), again), (200, cancelled));
    let found = server.search("", json!([{"fieldName": "status", "searchTerm": "Failed"}])).await;
    assert_eq!(found["totalElements"], 1);

    let id = server.send(&json!({"flow": [sms(1, ended)]})).await;
    server.track_to_end(&id).await;
    let (status, refused) = answer(server.request(Method::DELETE, &format!("/failover/{id}"))).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("409022005")));
    let unknown = "/failover/01900000-0000-7000-8000-000000000000";
    assert_eq!(answer(server.request(Method::DELETE, unknown)).await.0, 404);
}
