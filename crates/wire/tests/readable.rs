//! What the API answers can be read again, by clients that are older or newer than the server as well.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::{
    Action, CallbackStrategy, Content, Detail, Event, Flow, MachineDetection, MachineStrategy, Ttl, Verb,
    ViberMessage, ViberVideo, sample,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::broken::FieldError;
use wire::channel::MessageView;
use wire::error_body::ErrorBody;
use wire::search::{FieldName, FilterRequest, Operator, PageView};
use wire::send_view::SendResponse;
use wire::token::TokenResponse;
use wire::tracking::TrackingView;

const TO: &str = "+306900000010";

fn viber() -> Content {
    let mut content = sample::viber(TO, true);
    if let Content::Viber(viber) = &mut content {
        (viber.label, viber.inbound_url) = (Some("label".into()), Some("https://acme.example/in".into()));
        if let ViberMessage::Body(body) = &mut viber.message {
            let (caption, target_url) = ("Track".into(), "https://acme.example/t".into());
            body.action = Some(Action { caption, target_url });
            let (url, thumbnail) = ("https://acme.example/v".into(), "https://acme.example/n".into());
            body.video = Some(ViberVideo { url, thumbnail, size_mb: 1.5, duration_s: 9 });
        }
    }
    content
}

fn voice() -> Content {
    let mut content = sample::voice(TO);
    if let Content::Voice(voice) = &mut content {
        let (language, gender, text) = ("en-US".into(), "female".into(), "hi".into());
        voice.verbs.push(Verb::Say { language, gender, text, repeat: 2, barge_in: true });
        let event_url = Some("https://acme.example/plan".into());
        voice.machine_detection = Some(MachineDetection { strategy: MachineStrategy::Hangup, event_url });
    }
    content
}

/// A flow whose messages went over every channel.
fn flow() -> Flow {
    let mut first = sample::step(1, viber());
    first.ttl = Ttl { tenths: 15 };
    let sms = sample::step(2, sample::sms(TO, &"word ".repeat(60)));
    let steps = vec![first, sms, sample::step(3, voice())];
    let mut flow = sample::flow(steps, Some(CallbackStrategy::OnChange), 1_800_000_000_000, Uuid::nil());
    let refused = |message, part| {
        let description = Some("refused".to_owned());
        Event::Refused { message, part, carrier: None, detail: Detail::FAILED, description }
    };
    let submitted = |message| sample::submitted(message, 0, "eager", &format!("reference {message}"));
    for event in [refused(0, 0), submitted(1), refused(1, 1), submitted(2)] {
        flow.apply(&event, 1_800_000_001_000);
    }
    flow
}

/// Reads what was written, with a member that nobody knows, and checks that it is written alike again.
fn read_again<T: Serialize + DeserializeOwned>(view: &T) -> T {
    let text = serde_json::to_string(view).unwrap();
    assert_eq!(serde_json::to_string(&serde_json::from_str::<T>(&text).unwrap()).unwrap(), text);
    let mut newer: Value = serde_json::from_str(&text).unwrap();
    newer["memberOfANewerServer"] = json!({"any": ["thing"]});
    let read: T = serde_json::from_value(newer).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    read
}

#[test]
fn trackings_and_sends_are_read_as_they_were_written() {
    let flow = flow();
    let tracking = read_again(&TrackingView::of(&flow, &flow.state));
    let shown: Vec<_> = tracking.messages.iter().map(MessageView::summary).collect();
    assert_eq!(shown, ["Viber FAILED", "Sms Sent", "Sms Failed", "Voice Initiated"]);
    assert!(tracking.messages.iter().all(|message| message.to() == TO));
    assert_eq!(read_again(&SendResponse::from(&flow)).tracking_id, flow.id);
}

#[test]
fn a_message_is_read_by_its_type_alone() {
    let flow = flow();
    for message in TrackingView::of(&flow, &flow.state).messages {
        let mut json = serde_json::to_value(&message).unwrap();
        let read: MessageView = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(json["type"], read.channel().name());
        for other in
            ["Sms", "Viber", "Voice", "Fax"].into_iter().filter(|name| *name != read.channel().name())
        {
            json["type"] = other.into();
            assert!(serde_json::from_value::<MessageView>(json.clone()).is_err(), "{json}");
        }
    }
}

#[test]
fn a_page_in_pieces_is_the_page() {
    let flow = flow();
    let mut page = PageView::empty(7, 1, 3);
    page.content = (0..2).map(|_| TrackingView::of(&flow, &flow.state)).collect();
    page.number_of_elements = 2;
    let trackings: Vec<_> = page.content.iter().map(|view| serde_json::to_string(view).unwrap()).collect();
    let pieces = format!("{}{}{}", PageView::OPENING, trackings.join(","), page.closing().unwrap());
    assert_eq!(pieces, serde_json::to_string(&page).unwrap());
    let read = read_again(&page);
    assert_eq!((read.total_elements, read.total_pages, read.content.len()), (7, 3, 2));
    assert!(!read.first && !read.last);
}

#[test]
fn a_page_says_where_it_stands() {
    for (total, number, pages, first, last) in
        [(0, 0, 0, true, true), (0, 4, 0, true, true), (10, 0, 1, true, true), (11, 0, 2, true, false)]
    {
        let page = PageView::empty(total, number, 10);
        assert_eq!((page.total_pages, page.first, page.last), (pages, first, last), "{total} {number}");
    }
}

#[test]
fn errors_tokens_and_filters_are_read_as_they_were_written() {
    let error = FieldError::new("flow[0].to", flow::Rule::Format, "must be a number");
    let body = ErrorBody {
        code: "400022001".into(),
        developer_message: "flow[0].to must be a number".into(),
        entity: Some("Failover".into()),
        properties: [("flow[0].to".to_owned(), "must be a number".to_owned())].into(),
        errors: vec![error],
        request_id: "1".into(),
    };
    assert_eq!(read_again(&body).errors, body.errors);
    let bare = json!({"code": "404022001", "developerMessage": "no such flow", "requestId": "2"});
    assert!(serde_json::from_value::<ErrorBody>(bare).unwrap().errors.is_empty());
    let token = TokenResponse {
        access_token: "secret".into(),
        token_type: "bearer".into(),
        expires_in: 3600,
        scope: "sms".into(),
        permissions: vec!["MT_ROLE_SMS".into()],
    };
    assert_eq!(read_again(&token).expires_in, 3600);
    read_again(&FilterRequest::by(FieldName::TerminationChannel, Operator::IsNot, "Sms"));
    let filter = serde_json::to_string(&FilterRequest::is(FieldName::To, "10")).unwrap();
    assert_eq!(filter, r#"{"fieldName":"to","searchTerm":"10"}"#);
}
