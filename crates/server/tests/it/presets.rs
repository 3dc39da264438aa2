//! Every preset: each kind of message as the provider wants it, field by field; a flow Viber → Sms; receipts
//! in any order and twice. The provider is a small mock of our own.

use crate::provider::{Got, Provider, Reply, is_like};
use crate::support::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PUBLIC: &str = "https://sms.example";
const TO: &str = "+306900000010";

/// Messages of every kind, as the contract has them.
fn kinds() -> Vec<(&'static str, Value)> {
    let action = json!({"caption": "Track", "targetUrl": "https://a.example/t"});
    let file = json!({"fileName": "bill", "fileType": "pdf", "fileUrl": "https://a.example/bill.pdf"});
    let video = json!({"videoUrl": "https://a.example/v.mp4", "videoThumbnail": "https://a.example/v.jpg",
                       "fileSize": 2.5, "duration": 30});
    let image = "https://a.example/i.png";
    vec![
        ("text", json!({"text": "hello \"you\""})),
        ("text, button", json!({"text": "hello", "action": action})),
        ("image", json!({"imageUrl": image})),
        ("image, text", json!({"imageUrl": image, "text": "hello"})),
        ("image, text, button", json!({"imageUrl": image, "text": "hello", "action": action})),
        ("file", json!({"viberFile": file})),
        ("video", json!({"viberVideo": video})),
        ("video, text", json!({"viberVideo": video, "text": "hello"})),
        ("video, text, button", json!({"viberVideo": video, "text": "hello", "action": action})),
    ]
}

/// How one provider is spoken to, and speaks.
struct Preset {
    viber: &'static str,
    sms: &'static str,
    viber_settings: &'static str,
    sms_settings: &'static str,
    /// What the provider gets for each kind; none where the kind can't be carried.
    expected: fn(&str) -> Option<Value>,
    /// What it gets for a template; none where it takes none.
    expected_template: Option<Value>,
    expected_sms: Value,
    /// What it answers, with an id made of the number of the request.
    accept: fn(&Got, usize) -> Reply,
    /// Posts what became of a message, in the provider's words: delivered, seen, undelivered.
    report: fn(&str, Word) -> Posting,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Delivered,
    Seen,
    Undelivered,
}

/// A request of the provider's: query, headers, body.
struct Posting {
    query: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Posting {
    fn json(body: Value) -> Posting {
        let headers = vec![("content-type", "application/json".to_owned())];
        Posting { query: String::new(), headers, body: body.to_string() }
    }

    fn token(mut self, token: &str) -> Posting {
        self.query = format!("?token={token}");
        self
    }

    /// Vonage's way to sign.
    fn jwt(mut self, secret: &str, age_s: u64) -> Posting {
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let hash: String = Sha256::digest(&self.body).iter().map(|octet| format!("{octet:02x}")).collect();
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = encode(json!({"alg": "HS256", "typ": "JWT"}));
        let claims = encode(json!({"iat": now_s - age_s, "iss": "Vonage", "payload_hash": hash}));
        let signed = format!("{header}.{claims}");
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        self.headers.push(("authorization", format!("Bearer {signed}.{signature}")));
        self
    }
}

impl Preset {
    async fn start(&self) -> (Provider, TestServer) {
        let provider = Provider::start(self.accept).await;
        let carrier = |name: &str, preset: &str, channel: &str, settings: &str| {
            format!(
                "[[carrier]]\nname = \"{name}\"\nkind = \"http\"\nprovider = \"{preset}\"\nchannels = [\"{channel}\"]\n\
                 base_url = \"{}\"\nsettings = {{ {settings} }}\n",
                provider.url
            )
        };
        let config = format!(
            "[engine]\nminute = \"1m\"\n[server]\npublic_url = \"{PUBLIC}\"\n{}{}",
            carrier("viber", self.viber, "Viber", self.viber_settings),
            carrier("sms", self.sms, "Sms", self.sms_settings)
        );
        let server = TestServer::start(&config).await;
        (provider, server)
    }

    async fn post(&self, server: &TestServer, carrier: &str, posting: Posting) -> StatusCode {
        let url = format!("{}/carriers/{carrier}/receipts{}", server.url, posting.query);
        let mut request = server.client.request(Method::POST, url).body(posting.body);
        for (name, value) in posting.headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status()
    }

    /// The id that the provider gave the last message that it took, once it took `count`.
    async fn reference(&self, provider: &Provider, count: usize) -> String {
        until("the message is handed over", || provider.got().len() >= count).await;
        reference(provider.got().len() - 1)
    }

    async fn run(&self) {
        let (provider, server) = self.start().await;
        for (kind, message) in kinds() {
            let step = json!({"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": TO, "ttl": 10,
                              "message": message});
            let flow = json!({"flow": [step, sms(2, TO)]});
            let Some(expected) = (self.expected)(kind) else {
                let (status, answer) = server.post("/failover", &flow).await;
                assert_eq!(status, 400, "{kind}: {answer}");
                let words = answer["errors"][0]["message"].as_str().unwrap();
                assert!(
                    words.contains("no place for") || words.contains("takes no message"),
                    "{kind}: {words}"
                );
                continue;
            };
            self.delivered(&provider, &server, kind, &flow, &expected).await;
            self.fails_over(&provider, &server, &flow).await;
        }
        if let Some(expected) = &self.expected_template {
            let step = json!({"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": TO, "ttl": 10,
                              "templateId": "7f", "templateLang": "en", "templateParams": {"pin": "1234"}, "seq": 1});
            let before = provider.got().len();
            let (status, answer) = server.post("/failover/transactional", &json!({"flow": [step]})).await;
            assert_eq!(status, 200, "{answer}");
            until("the template is handed over", || provider.got().len() > before).await;
            let got = provider.got().pop().unwrap().body;
            assert!(is_like(expected, &got), "template: {got:#}");
        }
    }

    /// Receipts backwards, and twice each.
    async fn delivered(
        &self,
        provider: &Provider,
        server: &TestServer,
        kind: &str,
        flow: &Value,
        expected: &Value,
    ) {
        let before = provider.got().len();
        let id = server.send(flow).await;
        // The first one may have taken a token before.
        let reference = self.reference(provider, before + 1).await;
        let (reference, got) = match provider.got().pop().unwrap() {
            got if got.path.contains("login") => {
                (self.reference(provider, before + 2).await, provider.got().pop().unwrap())
            }
            got => (reference, got),
        };
        assert!(is_like(expected, &got.body), "{kind}: {:#}", got.body);
        for word in [Word::Seen, Word::Delivered, Word::Seen, Word::Delivered] {
            assert_eq!(
                self.post(server, "viber", (self.report)(&reference, word)).await,
                200,
                "{kind}: {word:?}"
            );
        }
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["status"], "Succeeded", "{kind}: {tracking:#}");
        assert_eq!(tracking["messages"][0]["status"]["name"], "SEEN", "{kind}: {tracking:#}");
        assert_eq!(tracking["messages"][0]["carrier"], "viber");
        assert_eq!(tracking["messages"].as_array().unwrap().len(), 1);
    }

    async fn fails_over(&self, provider: &Provider, server: &TestServer, flow: &Value) {
        let before = provider.got().len();
        let id = server.send(flow).await;
        let first = self.reference(provider, before + 1).await;
        for _ in 0..2 {
            self.post(server, "viber", (self.report)(&first, Word::Undelivered)).await;
        }
        let second = self.reference(provider, before + 2).await;
        let got = provider.got().pop().unwrap().body;
        assert!(is_like(&self.expected_sms, &got), "{got:#}");
        // A receipt may overtake the answer to the request that it is for.
        let mut posting = (self.report)(&second, Word::Delivered);
        if self.sms == "twilio-sms" {
            posting = twilio(&second, "delivered");
        }
        assert_eq!(self.post(server, "sms", posting).await, 200);
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["status"], "Succeeded", "{tracking:#}");
        assert_eq!(tracking["terminationChannel"], "Sms");
        assert_eq!(tracking["messages"][0]["status"]["name"], "UNDELIVERED");
        assert_eq!(tracking["messages"][1]["status"]["name"], "Delivered");
    }
}

fn reference(number: usize) -> String {
    format!("ref-{number}")
}

fn merge(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

fn route_mobile(kind: &str) -> Option<Value> {
    let of = |message_type: &str, more: Value| {
        let base = json!({"phone": "306900000010", "message_type": message_type, "method": "two_way"});
        Some(merge(base, more))
    };
    let (image, button, link) = ("https://a.example/i.png", "Track", "https://a.example/t");
    let (video, still) = ("https://a.example/v.mp4", "https://a.example/v.jpg");
    match kind {
        "text" => of("text", json!({"text": "hello \"you\""})),
        "text, button" => of("media", json!({"text": "hello", "button_text": button, "button_link": link})),
        "image" => of("image", json!({"img": image, "ttl": "600"})),
        "image, text" => of("text_image", json!({"img": image, "text": "hello", "tracking_data": "$any"})),
        "image, text, button" => of(
            "template",
            json!({"img": image, "text": "hello", "button_text": button, "button_link": link, "ttl": "600"}),
        ),
        "file" => of(
            "file",
            json!({"file_url": "https://a.example/bill.pdf", "file_name": "bill.pdf", "ttl": "600"}),
        ),
        "video" => of("video", json!({"video": video, "thumbnail_url": still, "ttl": "600"})),
        "video, text" => of("text_video", json!({"video": video, "text": "hello", "ttl": "600"})),
        _ => of(
            "video_text_action_button",
            json!({"video": video, "thumbnail_url": still, "text": "hello",
                   "button": {"button_text": button, "button_url": link}}),
        ),
    }
}

fn twilio(reference: &str, status: &str) -> Posting {
    let form = [("MessageSid", reference), ("MessageStatus", status), ("To", TO), ("ErrorCode", "")];
    twilio_form("sms", &form)
}

fn twilio_form(carrier: &str, form: &[(&str, &str)]) -> Posting {
    let mut fields = form.to_vec();
    fields.sort_unstable();
    let signed: String = fields.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let mut mac = <Hmac<sha1::Sha1> as KeyInit>::new_from_slice(b"twilio-secret").unwrap();
    mac.update(format!("{PUBLIC}/carriers/{carrier}/receipts{signed}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Posting {
        query: String::new(),
        headers: vec![
            ("content-type", "application/x-www-form-urlencoded".into()),
            ("x-twilio-signature", signature),
        ],
        body: serde_urlencoded::to_string(form).unwrap(),
    }
}

#[tokio::test]
async fn route_mobile_viber_and_twilio_sms() {
    let preset = Preset {
        viber: "route-mobile-viber",
        sms: "twilio-sms",
        viber_settings: "username = \"u\", password = \"p\", receipt_token = \"s3cret\"",
        sms_settings: "account_sid = \"AC1\", auth_token = \"twilio-secret\"",
        expected: route_mobile,
        expected_template: Some(json!({
            "phone": "306900000010", "message_type": "verify_otp", "method": "verify",
            "template": {"template_id": "7f", "template_params": {"pin": "1234"}, "template_lang": "en"},
        })),
        expected_sms: json!({"To": TO, "From": "Acme", "Body": "hello", "ValidityPeriod": "120",
                             "StatusCallback": format!("{PUBLIC}/carriers/sms/receipts")}),
        accept: |got, number| match got.path.as_str() {
            "/auth/v1/login/" => {
                assert_eq!(got.body, json!({"username": "u", "password": "p"}));
                Reply::json(201, json!({"JWTAUTH": "jwt-1"}))
            }
            "/vbs/api/v2/send" => {
                assert_eq!(got.headers["authorization"], "jwt-1");
                Reply::json(202, json!({"status": "success", "request_id": reference(number)}))
            }
            "/2010-04-01/Accounts/AC1/Messages.json" => {
                let basic = format!("Basic {}", STANDARD.encode("AC1:twilio-secret"));
                assert_eq!(got.headers["authorization"], basic.as_str());
                Reply::json(201, json!({"sid": reference(number), "status": "queued"}))
            }
            path => panic!("{path}"),
        },
        report: |reference, word| {
            let word = match word {
                Word::Delivered => "delivered",
                Word::Seen => "seen",
                Word::Undelivered => "undelivered",
            };
            let body = json!({"message_status": word, "message_time": 1767762961213u64, "request_id": reference,
                              "phone_number": "306900000010", "service_type": "dlr"});
            Posting::json(body).token("s3cret")
        },
    };
    preset.run().await;
}

fn infobip(kind: &str) -> Option<Value> {
    let of = |content: Value| {
        Some(json!({"messages": [{
            "sender": "acme", "destinations": [{"to": "306900000010", "messageId": "$any"}], "content": content,
            "options": {"validityPeriod": {"amount": 600, "timeUnit": "SECONDS"}, "label": "TRANSACTIONAL"},
            "webhooks": {"delivery": {"url": format!("{PUBLIC}/carriers/viber/receipts?token=s3cret")},
                         "contentType": "application/json"},
        }]}))
    };
    let button = json!({"title": "Track", "action": "https://a.example/t"});
    let image = json!({"type": "IMAGE", "mediaUrl": "https://a.example/i.png"});
    let video = json!({"type": "VIDEO", "mediaUrl": "https://a.example/v.mp4", "mediaDuration": "PT30S",
                       "thumbnailUrl": "https://a.example/v.jpg"});
    match kind {
        "text" => of(json!({"type": "TEXT", "text": "hello \"you\""})),
        "text, button" => of(json!({"type": "TEXT", "text": "hello", "button": button})),
        "image" => of(image),
        "image, text" => of(merge(image, json!({"text": "hello"}))),
        "image, text, button" => of(merge(image, json!({"text": "hello", "button": button}))),
        "file" => {
            of(json!({"type": "FILE", "mediaUrl": "https://a.example/bill.pdf", "fileName": "bill.pdf"}))
        }
        "video" => of(video),
        "video, text" => of(merge(video, json!({"text": "hello"}))),
        _ => of(merge(video, json!({"text": "hello", "button": button}))),
    }
}

#[tokio::test]
async fn infobip_viber_and_sms() {
    let settings = "base_url = \"https://x.api.infobip.com\", api_key = \"key\", receipt_token = \"s3cret\"";
    let preset = Preset {
        viber: "infobip-viber",
        sms: "infobip-sms",
        viber_settings: settings,
        sms_settings: settings,
        expected: infobip,
        expected_template: Some(json!({"messages": [{
            "sender": "acme", "destinations": [{"to": "306900000010", "messageId": "$any"}],
            "content": {"type": "OTP_TEMPLATE", "id": "7f", "parameters": {"pin": "1234"}, "language": "en"},
            "options": {"validityPeriod": {"amount": 600, "timeUnit": "SECONDS"}, "toPrimaryDeviceOnly": true},
            "webhooks": {"delivery": {"url": format!("{PUBLIC}/carriers/viber/receipts?token=s3cret")},
                         "contentType": "application/json"},
        }]})),
        expected_sms: json!({"messages": [{
            "sender": "Acme", "destinations": [{"to": "306900000010", "messageId": "$any"}],
            "content": {"text": "hello"},
            "options": {"validityPeriod": {"amount": 120, "timeUnit": "SECONDS"}},
            "webhooks": {"delivery": {"url": format!("{PUBLIC}/carriers/sms/receipts?token=s3cret")},
                         "contentType": "application/json"},
        }]}),
        accept: |got, number| {
            assert_eq!(got.headers["authorization"], "App key");
            assert!(["/viber/2/messages", "/sms/3/messages"].contains(&got.path.as_str()));
            let status = json!({"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"});
            Reply::json(200, json!({"messages": [{"messageId": reference(number), "status": status}]}))
        },
        report: |reference, word| {
            let item = match word {
                Word::Seen => json!({"messageId": reference, "seenAt": "2026-01-07T07:16:01.213+0200"}),
                Word::Delivered => json!({"messageId": reference, "doneAt": "2026-01-07T07:16:01.213+0200",
                                          "mccMnc": "20201", "status": {"groupName": "DELIVERED"}}),
                Word::Undelivered => json!({"messageId": reference, "doneAt": "2026-01-07T07:16:01.213+0200",
                    "status": {"groupName": "UNDELIVERABLE"}, "error": {"name": "EC_VIBER_USER_NOT_FOUND"}}),
            };
            // Several in one body; the other one is nobody's.
            let other = json!({"messageId": "other", "status": {"groupName": "DELIVERED"}});
            Posting::json(json!({"results": [other, item]})).token("s3cret")
        },
    };
    preset.run().await;
}

fn vonage(kind: &str) -> Option<Value> {
    let of = |message_type: &str, viber: Value, more: Value| {
        let base = json!({"message_type": message_type, "channel": "viber_service", "to": "306900000010",
                          "from": "acme", "client_ref": "$any", "viber_service": viber,
                          "webhook_url": format!("{PUBLIC}/carriers/viber/receipts")});
        Some(merge(base, more))
    };
    let plain = json!({"category": "transaction", "ttl": 600});
    let action = json!({"action": {"url": "https://a.example/t", "text": "Track"}});
    let video = merge(plain.clone(), json!({"duration": "30", "file_size": "3"}));
    let (url, still) = ("https://a.example/v.mp4", "https://a.example/v.jpg");
    match kind {
        "text" => of("text", plain, json!({"text": "hello \"you\""})),
        "text, button" => of("text", merge(plain, action), json!({"text": "hello"})),
        "image" => of("image", plain, json!({"image": {"url": "https://a.example/i.png"}})),
        "image, text" => {
            of("image", plain, json!({"image": {"url": "https://a.example/i.png", "caption": "hello"}}))
        }
        "image, text, button" => of(
            "image",
            merge(plain, action),
            json!({"image": {"url": "https://a.example/i.png", "caption": "hello"}}),
        ),
        "file" => of(
            "file",
            json!({"ttl": 600}),
            json!({"file": {"url": "https://a.example/bill.pdf", "name": "bill.pdf"}}),
        ),
        "video" => of("video", video, json!({"video": {"url": url, "thumb_url": still}})),
        "video, text" => {
            of("video", video, json!({"video": {"url": url, "thumb_url": still, "caption": "hello"}}))
        }
        _ => of(
            "video",
            merge(video, action),
            json!({"video": {"url": url, "thumb_url": still, "caption": "hello"}}),
        ),
    }
}

const VONAGE: &str = "api_key = \"k\", api_secret = \"s\", signature_secret = \"vonage-secret\"";

fn accept_vonage(got: &Got, number: usize) -> Reply {
    let basic = format!("Basic {}", STANDARD.encode("k:s"));
    assert_eq!(got.headers["authorization"], basic.as_str());
    Reply::json(202, json!({"message_uuid": reference(number)}))
}

fn report_vonage(reference: &str, word: Word) -> Posting {
    let (status, error) = match word {
        Word::Delivered => ("delivered", Value::Null),
        Word::Seen => ("read", Value::Null),
        Word::Undelivered => ("undeliverable", json!({"title": "1340", "code": 1340, "detail": "no Viber"})),
    };
    let body = json!({"message_uuid": reference, "to": "306900000010", "from": "acme", "status": status,
                      "timestamp": "2026-01-07T05:16:01.213Z", "error": error});
    Posting::json(body).jwt("vonage-secret", 0)
}

#[tokio::test]
async fn vonage_viber_and_sms() {
    let preset = Preset {
        viber: "vonage-viber",
        sms: "vonage-sms",
        viber_settings: VONAGE,
        sms_settings: VONAGE,
        expected: vonage,
        expected_template: None,
        expected_sms: json!({"message_type": "text", "channel": "sms", "to": "306900000010", "from": "Acme",
                             "text": "hello", "ttl": 120, "client_ref": "$any",
                             "webhook_url": format!("{PUBLIC}/carriers/sms/receipts")}),
        accept: accept_vonage,
        report: report_vonage,
    };
    preset.run().await;
}

#[tokio::test]
async fn vonage_v01_viber_and_sms() {
    let preset = Preset {
        viber: "vonage-v0.1-viber",
        sms: "vonage-v0.1-sms",
        viber_settings: VONAGE,
        sms_settings: VONAGE,
        expected: |kind| {
            let content = match kind {
                "text" => json!({"type": "text", "text": "hello \"you\""}),
                "image" => json!({"type": "image", "image": {"url": "https://a.example/i.png"}}),
                _ => return None,
            };
            Some(json!({
                "from": {"type": "viber_service_msg", "id": "acme"},
                "to": {"type": "viber_service_msg", "number": "306900000010"},
                "message": {"content": content, "viber_service_msg": {"category": "transaction", "ttl": 600}},
                "client_ref": "$any",
            }))
        },
        expected_template: None,
        expected_sms: json!({
            "from": {"type": "sms", "number": "Acme"}, "to": {"type": "sms", "number": "306900000010"},
            "message": {"content": {"type": "text", "text": "hello"}}, "client_ref": "$any",
        }),
        accept: accept_vonage,
        report: report_vonage,
    };
    preset.run().await;
}

#[tokio::test]
async fn forged_and_foreign_receipts_change_nothing() {
    let preset = Preset {
        viber: "vonage-viber",
        sms: "twilio-sms",
        viber_settings: VONAGE,
        sms_settings: "account_sid = \"AC1\", auth_token = \"twilio-secret\"",
        expected: vonage,
        expected_template: None,
        expected_sms: Value::Null,
        accept: |_, number| Reply::json(202, json!({"message_uuid": reference(number)})),
        report: report_vonage,
    };
    let (provider, server) = preset.start().await;
    let id = server.send(&json!({"flow": [viber(1, TO)]})).await;
    let reference = preset.reference(&provider, 1).await;
    let body = || report_vonage(&reference, Word::Delivered).body;
    let plain = || Posting { query: String::new(), headers: vec![], body: body() };
    let mut other_body = report_vonage(&reference, Word::Undelivered);
    other_body.body = body();
    for forged in [plain(), plain().jwt("another secret", 0), plain().jwt("vonage-secret", 3600), other_body]
    {
        assert_eq!(preset.post(&server, "viber", forged).await, 401);
    }
    let mut wrong = twilio("x", "delivered");
    wrong.body = wrong.body.replace("delivered", "failed");
    assert_eq!(preset.post(&server, "sms", wrong).await, 401);
    assert_eq!(preset.post(&server, "nobody", plain()).await, 404);
    let malformed = Posting { body: "{".into(), ..plain() }.jwt("vonage-secret", 0);
    assert_eq!(preset.post(&server, "viber", malformed).await, 400);
    let unknown = Posting::json(json!({"message_uuid": reference, "status": "pondering"}));
    assert_eq!(preset.post(&server, "viber", unknown.jwt("vonage-secret", 0)).await, 200);
    let foreign = report_vonage("never heard of", Word::Delivered);
    assert_eq!(preset.post(&server, "viber", foreign).await, 200);
    assert_eq!(server.track(&id).await["messages"][0]["status"]["name"], "QUEUED");
    let metrics = server.client.get(format!("{}/metrics", server.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let counted = |carrier: &str, reason: &str| {
        let name = format!("switchback_receipts_refused_total{{carrier=\"{carrier}\",reason=\"{reason}\"}}");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.trim().parse::<u32>().unwrap())
    };
    assert!(counted("viber", "forged") >= 4 && counted("sms", "forged") >= 1, "{metrics}");
    assert!(counted("viber", "malformed") >= 1 && counted("viber", "unknown status") >= 1, "{metrics}");
    // An operator finds it as well.
    assert!(
        metrics.contains("switchback_receipts_total{carrier=\"viber\",result=\"unknown-word\"}"),
        "{metrics}"
    );
    assert_eq!(preset.post(&server, "viber", report_vonage(&reference, Word::Delivered)).await, 200);
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "DELIVERED").await;
}

#[tokio::test]
async fn twilio_calls() {
    let provider = Provider::start(|got, number| {
        assert_eq!(got.path, "/2010-04-01/Accounts/AC1/Calls.json");
        Reply::json(201, json!({"sid": reference(number), "status": "queued"}))
    })
    .await;
    let config = format!(
        "[engine]\nminute = \"1m\"\n[server]\npublic_url = \"{PUBLIC}\"\n[[carrier]]\nname = \"calls\"\nkind = \"http\"\n\
         provider = \"twilio-voice\"\nchannels = [\"Voice\"]\nbase_url = \"{}\"\n\
         settings = {{ account_sid = \"AC1\", auth_token = \"twilio-secret\" }}\n",
        provider.url
    );
    let server = TestServer::start(&config).await;
    let mut step = voice(1, TO);
    step["dialPlan"]["verbs"] = json!([
        {"type": "SAY", "message": {"language": "el-GR", "gender": "male", "text": "1 < 2 & \"so\""}},
        {"type": "PLAY", "fileURL": "https://a.example/x.wav?a=1&b=2", "repeat": 2},
    ]);
    let id = server.send(&json!({"flow": [step]})).await;
    until("the call is handed over", || !provider.got().is_empty()).await;
    let got = provider.got().remove(0).body;
    let said = "<Say language=\"el-GR\" voice=\"man\" loop=\"1\">1 &lt; 2 &amp; &quot;so&quot;</Say>";
    let twiml = got["Twiml"].as_str().unwrap();
    assert!(twiml.contains(said) && twiml.contains("<Play loop=\"2\">"), "{twiml}");
    assert!(twiml.contains("a=1&amp;b=2"), "{twiml}");
    assert_eq!((&got["To"], &got["Timeout"]), (&json!(TO), &json!("120")));

    let post = async |form: &[(&str, &str)]| {
        let Posting { headers, body, .. } = twilio_form("calls", form);
        let mut request = server.client.post(format!("{}/carriers/calls/receipts", server.url)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(&[("CallSid", "ref-0"), ("CallStatus", "ringing")]).await, 200);
    server.track_until(&id, |tracking| tracking["messages"][0]["status"]["name"] == "Ringing").await;
    let ended =
        [("CallSid", "ref-0"), ("CallStatus", "completed"), ("CallDuration", "12"), ("AnsweredBy", "human")];
    assert_eq!(post(&ended).await, 200);
    let message = server.track_to_end(&id).await["messages"][0].clone();
    assert_eq!(message["status"]["name"], "Completed");
    assert_eq!((&message["duration"], &message["answeredBy"]), (&json!(12), &json!("human")));

    // What it has no place for is told.
    let mut step = voice(1, TO);
    step["machineDetection"] = json!({"strategy": "Hangup"});
    let (status, told) = server.post("/failover", &json!({"flow": [step]})).await;
    assert_eq!(status, 400);
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("machine_strategy"), "{told}");
}
