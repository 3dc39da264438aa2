//! Documents stay readable and stay what they are, byte for byte, one flow a line: `documents.jsonl` was
//! written before the channels had a table of their own and flows a history, `documents-with-history.jsonl`
//! while ids of messages were drawn, `documents-without-ids.jsonl` since they follow from the flow's.

use flow::*;
use std::collections::BTreeMap;
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;
const STORED: &str = include_str!("documents.jsonl");
const STORED_WITH_HISTORY: &str = include_str!("documents-with-history.jsonl");
const STORED_WITHOUT_IDS: &str = include_str!("documents-without-ids.jsonl");

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number << 16)
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

fn full_sms() -> Content {
    Content::Sms(Sms {
        from: "Acme".into(),
        to: "+306900000001".into(),
        body: "Γειά https://s.example/abc".into(),
        flash: true,
        label: some("spring"),
        transcode: true,
        shortened: Some(Shortened {
            validity_s: 86_400,
            links: vec![ShortLink { code: "abc".into(), url: "https://a.example/x".into() }],
        }),
    })
}

fn full_viber(message: ViberMessage) -> Content {
    Content::Viber(Box::new(Viber {
        sender: "7f1e".into(),
        sender_name: some("Acme"),
        to: "+306900000002".into(),
        inbound_url: some("https://a.example/in"),
        expire_on_delivery: true,
        label: some("spring"),
        message,
    }))
}

fn full_body() -> ViberMessage {
    ViberMessage::Body(ViberBody {
        text: some("hello"),
        image_url: some("https://a.example/i.png"),
        action: Some(Action { caption: "Open".into(), target_url: "https://a.example/o".into() }),
        file: Some(ViberFile {
            name: "list.pdf".into(),
            kind: "pdf".into(),
            url: "https://a.example/f".into(),
        }),
        video: Some(ViberVideo {
            url: "https://a.example/v.mp4".into(),
            thumbnail: "https://a.example/t.png".into(),
            size_mb: 1.5,
            duration_s: 30,
        }),
    })
}

fn full_template() -> ViberMessage {
    ViberMessage::Template(ViberTemplate {
        id: "t1".into(),
        language: "el".into(),
        params: BTreeMap::from([("name".into(), "Maria".into()), ("pin".into(), "123".into())]),
        all_devices: true,
        seq: -7,
    })
}

fn full_voice(to: VoiceTarget) -> Content {
    let say = Verb::Say {
        language: "el-GR".into(),
        gender: "female".into(),
        text: "Your code is 1".into(),
        repeat: 2,
        barge_in: true,
    };
    let play = Verb::Play { url: "https://a.example/x.wav".into(), repeat: 1, barge_in: false };
    let machine_detection = MachineDetection {
        strategy: MachineStrategy::Continue,
        event_url: some("https://a.example/machine"),
    };
    Content::Voice(Voice {
        from: "+302100000000".into(),
        to,
        verbs: vec![say, play],
        machine_detection: Some(machine_detection),
    })
}

/// A flow with a step for each kind of content.
fn everything(id: Uuid) -> Flow {
    let contents = [
        full_sms(),
        full_viber(full_body()),
        full_viber(full_template()),
        full_voice(VoiceTarget::Phone("+306900000003".into())),
        full_voice(VoiceTarget::Sip("sip:x@example.com".into())),
        full_voice(VoiceTarget::Viber("+306900000003".into())),
    ];
    let mut steps: Vec<Step> =
        (1..).zip(contents).map(|(order, content)| sample::step(order, content)).collect();
    steps[0].country = some("GR");
    let new = NewFlow {
        id,
        application: "app".into(),
        kind: FlowKind::Transactional,
        minute_ms: 1000,
        steps,
        callback: Some(Callback { strategy: CallbackStrategy::OnChange, url: "https://a.example/cb".into() }),
        restrictions: Some(Restrictions {
            content_template_id: some("content"),
            principal_entity_id: some("entity"),
        }),
        callback_bytes_max: 5000,
    };
    Flow::accept(new, START_MS)
}

fn receipt(message: u16, part: u16, status: Status) -> Event {
    let receipt = Receipt {
        description: some("words"),
        at_ms: Some(START_MS + 2000),
        operator: some("Cosmote"),
        duration_s: Some(61),
        answered_by: some("human"),
        ..Receipt::new(status, Detail("of the carrier".into()))
    };
    Event::Receipt { message, part, receipt }
}

fn submitted(message: u16, part: u16, covers: Covers) -> Event {
    let rate = Rate { price: Price::new(45, 3), interval_s: Some(30), operator: some("Vodafone") };
    let carrier = CarrierRef::new("main", format!("{message}-{part}"));
    Event::Submitted { message, part, carrier, rate: Some(rate), covers }
}

/// Flows in every state, as events make them.
fn flows() -> Vec<Flow> {
    let mut flows = vec![everything(id(1))];
    let mut flow = everything(id(2));
    let price = Price::new(45, 3);
    let main = || "main".to_owned();
    let (message, part, carrier, covers) = (0, 0, main(), Covers::Part);
    let attempt = Attempt { status: None, took_ms: 30 };
    for event in [
        Event::Reserved { message, part, price },
        Event::Deferred {
            message,
            part,
            at_ms: START_MS + 500,
            unknown: true,
            carrier: main(),
            reason: "lost",
        },
        Event::Handed { message, part, carrier, covers: Covers::Receipts },
        submitted(0, 0, covers),
        receipt(0, 0, Status::Undelivered),
        Event::CallbackFailed { number: 1, at_ms: Some(START_MS + 9000), error: "refused".into(), attempt },
        submitted(1, 0, covers),
        receipt(1, 0, Status::Delivered),
        Event::Expire { message: 1 },
        submitted(2, 0, covers),
        receipt(2, 0, Status::Failed),
        submitted(3, 0, covers),
        receipt(3, 0, Status::Ringing),
        receipt(3, 0, Status::NoAnswer),
        Event::CallbackFailed { number: 1, at_ms: None, error: "refused".into(), attempt },
        Event::Refused {
            message: 4,
            part: 0,
            carrier: None,
            detail: Detail::FAILED,
            description: some("no trunk"),
        },
        Event::Cancel { by: None },
        receipt(1, 0, Status::Seen),
        Event::CallbacksReplayed,
    ] {
        let now_ms = if matches!(event, Event::Expire { .. }) { START_MS + 900_000 } else { START_MS + 3000 };
        flow.apply(&event, now_ms);
        flows.push(flow.clone());
    }
    let mut parts = sample::flow(
        vec![sample::step(1, sample::sms("+306900000001", &"x".repeat(400)))],
        Some(CallbackStrategy::OnCompletion),
        START_MS,
        id(3),
    );
    parts.apply(&submitted(0, 0, Covers::Message), START_MS + 10);
    flows.push(parts.clone());
    parts.apply(&receipt(0, 0, Status::Delivered), START_MS + 20);
    flows.push(parts);
    let mut call = sample::flow(vec![sample::step(1, sample::voice("+306900000001"))], None, START_MS, id(4));
    call.apply(&submitted(0, 0, covers), START_MS + 10);
    call.apply(&receipt(0, 0, Status::Completed), START_MS + 20);
    flows.push(call);
    flows
}

#[test]
fn stored_documents_are_read_and_written_as_they_were() {
    for line in [STORED, STORED_WITH_HISTORY, STORED_WITHOUT_IDS].into_iter().flat_map(str::lines) {
        let flow: Flow = serde_json::from_str(line).expect("is read");
        assert_eq!(serde_json::to_string(&flow).unwrap(), line);
    }
}

#[test]
fn a_flow_of_before_gets_no_history() {
    let mut ended = 0;
    for line in STORED.lines() {
        let mut flow: Flow = serde_json::from_str(line).expect("is read");
        ended += u32::from(flow.apply(&Event::Cancel { by: None }, START_MS + 9000).changed);
        assert!(flow.history.is_empty());
    }
    assert!(ended > 0);
}

#[test]
fn events_make_the_documents_that_they_made() {
    let made: String = flows().iter().map(|flow| serde_json::to_string(flow).unwrap() + "\n").collect();
    if std::env::var_os("WRITE_DOCUMENTS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents-without-ids.jsonl");
        std::fs::write(path, &made).unwrap();
        return;
    }
    assert_eq!(made.lines().count(), STORED_WITHOUT_IDS.lines().count());
    for (made, stored) in made.lines().zip(STORED_WITHOUT_IDS.lines()) {
        assert_eq!(made, stored);
    }
}

/// Reads a document whose flow has drawn ids, and returns the flow as if they followed from its own.
fn without_drawn_ids(document: &str) -> Flow {
    let mut flow: Flow = serde_json::from_str(document).expect("is read");
    for (at, message) in flow.state.messages.clone().iter().enumerate() {
        assert_eq!(message.drawn_id, Some(flow.message_id(at)));
        assert!(flow.has_id(flow.message_id(at)));
        for (place, part) in message.parts.iter().enumerate() {
            assert_eq!(part.drawn_id, Some(flow.part_id(at, place)));
            assert!(flow.has_id(flow.part_id(at, place)));
        }
    }
    for message in &mut flow.state.messages {
        message.drawn_id = None;
        message.parts.iter_mut().for_each(|part| part.drawn_id = None);
    }
    flow
}

#[test]
fn ids_are_all_that_documents_of_before_have_more_and_a_history_what_they_lack() {
    for ((mut made, stored), older) in
        flows().into_iter().zip(STORED_WITH_HISTORY.lines()).zip(STORED.lines())
    {
        let stored = without_drawn_ids(stored);
        made.id = stored.id;
        assert_eq!(made, stored);
        made.history = History::default();
        assert_eq!(made, without_drawn_ids(older));
    }
}

#[test]
fn a_message_has_fields_that_its_channel_lists() {
    for step in everything(id(1)).steps {
        let (rules, fields) = (step.channel().rules(), step.content.common().fields());
        assert!(fields.iter().all(|(name, _)| rules.fields.contains(name)), "{fields:?}");
        assert!(!fields.is_empty());
    }
}

#[test]
fn fields_are_what_a_message_shows_or_says() {
    let fields = |content: Content| {
        serde_json::Value::Object(
            content.common().fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        )
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(fields(full_sms()), json(r#"{"text": "\u0393EIA https://s.example/abc", "flash": true}"#));
    assert_eq!(fields(sample::sms("+306900000001", "hi")), json(r#"{"text": "hi"}"#));
    let body = r#"{"text": "hello", "image_url": "https://a.example/i.png", "button_caption": "Open",
        "button_url": "https://a.example/o", "file_name": "list.pdf", "file_type": "pdf",
        "file_url": "https://a.example/f", "video_url": "https://a.example/v.mp4",
        "video_thumbnail": "https://a.example/t.png", "video_size_mb": 1.5, "video_duration_s": 30}"#;
    assert_eq!(fields(full_viber(full_body())), json(body));
    let template = r#"{"template_id": "t1", "template_language": "el", "template_all_devices": true,
        "template_params": {"name": "Maria", "pin": "123"}}"#;
    assert_eq!(fields(full_viber(full_template())), json(template));
    let call = r#"{"verbs": [{"text": "Your code is 1", "language": "el-GR", "gender": "female", "repeat": 2},
        {"url": "https://a.example/x.wav", "repeat": 1}], "barge_in": true, "machine_strategy": "continue",
        "machine_event_url": "https://a.example/machine", "to_sip": "sip:x@example.com"}"#;
    assert_eq!(fields(full_voice(VoiceTarget::Sip("sip:x@example.com".into()))), json(call));
    let plain = r#"{"verbs": [{"url": "https://a.example/x.wav", "repeat": 1}]}"#;
    assert_eq!(fields(sample::voice("+306900000001")), json(plain));
}

#[test]
fn an_empty_message_is_from_whom_and_to_whom_it_is_told() {
    for channel in Channel::ALL {
        let content = Content::empty(channel, "acme".into(), "+306900000001".into(), some("spring"));
        assert_eq!(content.channel(), channel);
        let common = content.common();
        assert_eq!((common.sender(), common.recipient()), ("acme", "+306900000001"));
        assert_eq!(common.shown_sender(), "acme");
        assert_eq!(common.part_count(), 1);
    }
    let labelled = Content::empty(Channel::Viber, "acme".into(), "+306900000001".into(), some("spring"));
    assert_eq!(labelled.common().label(), Some("spring"));
    assert_eq!(full_viber(full_body()).common().shown_sender(), "Acme");
}
