//! Small flows.

use crate::channel::Content;
use crate::channel::sms::Sms;
use crate::channel::viber::{Viber, ViberBody, ViberMessage};
use crate::channel::voice::{Verb, Voice, VoiceTarget};
use crate::event::Event;
use crate::flow::{CALLBACK_BYTES, Callback, CallbackStrategy, Flow, NewFlow};
use crate::flow_status::FlowKind;
use crate::part::{CarrierRef, Covers};
use crate::price::{Price, Rate};
use crate::step::Step;
use crate::ttl::Ttl;
use uuid::Uuid;

/// An Sms to `to`.
pub fn sms(to: &str, body: &str) -> Content {
    Content::Sms(Sms {
        from: "Acme".into(),
        to: to.into(),
        body: body.into(),
        flash: false,
        label: None,
        transcode: false,
        shortened: None,
    })
}

/// A Viber text to `to`.
pub fn viber(to: &str, expire_on_delivery: bool) -> Content {
    let body = ViberBody { text: Some("hello".into()), ..ViberBody::default() };
    Content::Viber(Box::new(Viber {
        sender: "acme".into(),
        sender_name: None,
        to: to.into(),
        inbound_url: None,
        expire_on_delivery,
        label: None,
        message: ViberMessage::Body(body),
    }))
}

/// A call to `to`.
pub fn voice(to: &str) -> Content {
    Content::Voice(Voice {
        from: "+302100000000".into(),
        to: VoiceTarget::Phone(to.into()),
        verbs: vec![Verb::Play { url: "https://a.example/x.wav".into(), repeat: 1, barge_in: false }],
        machine_detection: None,
    })
}

/// A step with the defaults of its channel and a ttl of 10 minutes.
pub fn step(order: u32, content: Content) -> Step {
    let failover_on = content.channel().rules().failover_default.to_vec();
    Step { order, failover_on, ttl: Ttl::minutes(10), content, country: None }
}

/// A flow of the application `app`, accepted at `now_ms`, with minutes of 60 s.
pub fn flow(steps: Vec<Step>, strategy: Option<CallbackStrategy>, now_ms: i64, id: Uuid) -> Flow {
    let new = NewFlow {
        id,
        application: "app".into(),
        kind: FlowKind::Plain,
        minute_ms: 60_000,
        steps,
        callback: strategy.map(|strategy| Callback { strategy, url: "https://a.example/cb".into() }),
        restrictions: None,
        callback_bytes_max: CALLBACK_BYTES,
    };
    Flow::accept(new, now_ms)
}

/// `carrier` took part `part` of message `message` and calls it `reference`.
pub fn submitted(message: u16, part: u16, carrier: &str, reference: &str) -> Event {
    let carrier = CarrierRef::new(carrier, reference);
    let rate = Rate { price: Price::new(5, 2), interval_s: None, operator: None };
    Event::Submitted { message, part, carrier, rate: Some(rate), covers: Covers::Part }
}
