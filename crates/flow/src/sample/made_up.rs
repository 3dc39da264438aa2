//! Flows as an installation has them, made up: of all channels, with all ends and any number of events. The
//! store's dictionaries are trained with them, never with what users wrote: a dictionary can't be erased.

use super::small::{sms, step, viber, voice};
use crate::channel::viber::{Action, ViberBody, ViberMessage, ViberTemplate};
use crate::channel::voice::Verb;
use crate::channel::{Channel, Content};
use crate::detail::Detail;
use crate::event::{Attempt, Event};
use crate::flow::{CALLBACK_BYTES, Callback, CallbackStrategy, Flow, NewFlow};
use crate::flow_status::FlowKind;
use crate::ids::flow_of;
use crate::part::{CarrierRef, Covers, Submit};
use crate::price::{Price, Rate};
use crate::receipt::Receipt;
use crate::step::{Restrictions, Step};
use uuid::Uuid;

/// Words of messages, in some languages.
const WORDS: &str = "your code is the order has been shipped on Monday appointment with Dr. at confirm \
    reply STOP to end Hello dear customer payment of EUR received card ending in expires delivery today \
    between and Track it: https://shop.example/t/ Please do not share this for minutes valid Ihr Termin am \
    um Uhr Code lautet Sie haben Bestellung Καλημέρα σας ο κωδικός είναι η παραγγελία Votre commande est \
    arrivée le rendez-vous Su pedido cita código de verificación";
/// Countries, with how their mobile numbers begin and how many digits follow.
const COUNTRIES: [(&str, &str, usize); 10] = [
    ("GR", "+3069", 8),
    ("DE", "+49151", 8),
    ("GB", "+447", 9),
    ("FR", "+336", 8),
    ("ES", "+346", 8),
    ("IT", "+393", 9),
    ("US", "+1212", 7),
    ("IN", "+9198", 8),
    ("BR", "+55119", 8),
    ("NG", "+23480", 8),
];
const SENDERS: [&str; 6] = ["Acme", "Clinic", "Bank", "INFO", "+302100000000", "Shop"];
const URLS: [&str; 4] = [
    "https://api.example.com/callbacks/messages",
    "https://example.com/webhooks/switchback",
    "https://hooks.example.org/v1/failover",
    "http://localhost:8080/callback",
];
/// Why carriers do not take a message yet.
const REASONS: [&str; 4] = ["throttled", "not bound", "queue full", "not connected"];
/// Draws a number below another one.
type Draw<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Events of a flow, at most.
const EVENTS_MAX: usize = 16;

fn one<'a, T>(random: Draw<'_>, of: &'a [T]) -> &'a T {
    &of[random(of.len())]
}

fn digits(random: Draw<'_>, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + random(10) as u8)).collect()
}

/// A UUIDv7 of a time, Unix milliseconds.
fn id(random: Draw<'_>, at_ms: i64) -> Uuid {
    let rest = std::array::from_fn(|_| random(256) as u8);
    uuid::Builder::from_unix_timestamp_millis(at_ms.unsigned_abs(), &rest).into_uuid()
}

fn text(random: Draw<'_>) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let count = 4 + random(24);
    let word = |random: Draw<'_>| match random(6) {
        0 => (10 + random(1_000_000)).to_string(),
        _ => (*one(random, &words)).to_owned(),
    };
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

fn content(random: Draw<'_>, channel: Channel, to: &str) -> Content {
    let sender = *one(random, &SENDERS);
    let label = (random(2) == 0).then(|| format!("campaign-{}", random(1 << 16)));
    match channel {
        Channel::Viber => {
            let Content::Viber(mut viber) = viber(to, random(2) == 0) else { unreachable!("it is one") };
            viber.sender = format!("viber-{}", random(1 << 16));
            viber.label = label;
            viber.message = match random(4) {
                0 => ViberMessage::Template(ViberTemplate {
                    id: id(random, 1_760_000_000_000).to_string(),
                    language: (*one(random, &["en", "el", "de"])).to_owned(),
                    params: [("name", text(random)), ("code", digits(random, 6))]
                        .map(|(name, value)| (name.to_owned(), value))
                        .into(),
                    all_devices: random(2) == 0,
                    seq: random(1_000_000) as i64,
                }),
                1 => ViberMessage::Body(ViberBody {
                    text: Some(text(random)),
                    image_url: Some("https://cdn.example.com/images/offer.jpg".into()),
                    action: Some(Action {
                        caption: "Open".into(),
                        target_url: "https://shop.example/offers".into(),
                    }),
                    ..ViberBody::default()
                }),
                _ => ViberMessage::Body(ViberBody { text: Some(text(random)), ..ViberBody::default() }),
            };
            Content::Viber(viber)
        }
        Channel::Voice => {
            let Content::Voice(mut voice) = voice(to) else { unreachable!("it is one") };
            if random(2) == 0 {
                let (language, gender) = ("en-US".to_owned(), "female".to_owned());
                let text = text(random);
                voice.verbs.push(Verb::Say { language, gender, text, repeat: 1, barge_in: false });
            }
            Content::Voice(voice)
        }
        _ => {
            let Content::Sms(mut sms) = sms(to, &text(random)) else { unreachable!("it is one") };
            sms.from = sender.to_owned();
            sms.label = label;
            Content::Sms(sms)
        }
    }
}

fn steps(random: Draw<'_>) -> Vec<Step> {
    let (country, start, rest) = *one(random, &COUNTRIES);
    let to = format!("{start}{}", digits(random, rest));
    // Most flows have one step, and most end in an Sms.
    let count = *one(random, &[1, 1, 1, 2, 2, 3]);
    let step_of = |order: u32| {
        let channel = if order == count { Channel::Sms } else { *one(random, &Channel::ALL) };
        Step { country: Some(country.to_owned()), ..step(order, content(random, channel, &to)) }
    };
    (1..=count).map(step_of).collect()
}

/// What may happen to the newest message of a flow.
fn event(random: Draw<'_>, flow: &Flow, now_ms: i64) -> Event {
    let message = flow.state.messages.len() as u16 - 1;
    let parts = &flow.state.messages[usize::from(message)].parts;
    let part = random(parts.len()) as u16;
    let carrier = *one(random, &["smsc", "smsc-2", "viber", "trunk", "vonage", "twilio"]);
    if let Some(callback) = flow.callbacks.first().filter(|_| random(2) == 0) {
        let (number, took_ms) = (callback.number, random(200) as u32);
        return match random(6) {
            0 => {
                let (at_ms, error) = (Some(now_ms + 1000), "the target answered 503".into());
                let attempt = Attempt { status: Some(503), took_ms };
                Event::CallbackFailed { number, at_ms, error, attempt }
            }
            _ => Event::CallbackDone { number, attempt: Attempt { status: Some(200), took_ms } },
        };
    }
    match parts[usize::from(part)].submit {
        // Most carriers may be handed a part again.
        Submit::Owed { .. } if random(4) == 0 => {
            Event::Handed { message, part, carrier: carrier.into(), covers: Covers::Part }
        }
        Submit::Owed { .. } if random(12) == 0 => {
            let (at_ms, reason) = (now_ms + 1 + random(60_000) as i64, *one(random, &REASONS));
            let (carrier, unknown) = (carrier.into(), random(8) == 0);
            Event::Deferred { message, part, at_ms, unknown, carrier, reason }
        }
        Submit::Owed { .. } | Submit::Handed { .. } if random(8) == 0 => {
            let (carrier, description) = (Some(carrier.into()), Some("Invalid Dest Addr (0x0b)".to_owned()));
            Event::Refused { message, part, carrier, detail: Detail::FAILED, description }
        }
        Submit::Owed { .. } | Submit::Handed { .. } => {
            let reference = match random(3) {
                0 => id(random, now_ms).to_string(),
                1 => digits(random, 10),
                _ => format!("{:016x}", random(usize::MAX)),
            };
            let price = Price::new(1 + random(900) as i64, 4);
            let operator =
                (random(2) == 0).then(|| (*one(random, &["Cosmote", "Vodafone", "T-Mobile"])).into());
            let rate = Rate { price, interval_s: None, operator };
            let carrier = CarrierRef::new(carrier, reference);
            Event::Submitted { message, part, carrier, rate: Some(rate), covers: Covers::Part }
        }
        Submit::Done if random(12) == 0 => Event::Expire { message },
        Submit::Done => {
            let rules = flow.steps[usize::from(message)].channel().rules();
            let statuses: Vec<_> = rules.statuses().collect();
            let successes: Vec<_> = rules.statuses().filter(|status| status.is_success()).collect();
            let status = if random(2) == 0 { *one(random, &statuses) } else { *one(random, &successes) };
            let (description, error) = match random(3) {
                0 if status.is_success() => (Some("stat DELIVRD, err 000".to_owned()), Some("000".into())),
                0 => (Some("stat UNDELIV, err 011".to_owned()), Some("011".into())),
                _ => (None, None),
            };
            let receipt = Receipt::new(status, Detail::plain(status));
            let receipt = Receipt { at_ms: Some(now_ms), description, error, ..receipt };
            Event::Receipt { message, part, receipt }
        }
    }
}

/// A flow that nobody sent. `random` draws a number below the one that it gets.
pub fn made_up(random: Draw<'_>) -> Flow {
    let created_ms = 1_760_000_000_000 + random(100_000_000_000) as i64;
    let strategy = *one(random, &[CallbackStrategy::OnChange, CallbackStrategy::OnCompletion]);
    let url = *one(random, &URLS);
    let restrictions = (random(16) == 0).then(|| Restrictions {
        content_template_id: Some(digits(random, 19)),
        principal_entity_id: Some(digits(random, 19)),
    });
    let new = NewFlow {
        id: flow_of(id(random, created_ms)),
        application: id(random, 1_760_000_000_000).to_string(),
        kind: FlowKind::Plain,
        minute_ms: 60_000,
        steps: steps(random),
        callback: (random(4) > 0).then(|| Callback { strategy, url: url.into() }),
        restrictions,
        callback_bytes_max: CALLBACK_BYTES,
    };
    let mut flow = Flow::accept(new, created_ms);
    let mut now_ms = created_ms;
    for _ in 0..random(EVENTS_MAX + 1) {
        now_ms += 1 + random(20_000) as i64;
        let event = event(random, &flow, now_ms);
        flow.apply(&event, now_ms);
    }
    flow
}
