//! A message as templates see it: its fields by name.

use crate::outgoing::Outgoing;
use flow::{Content, FlowKind, MachineStrategy, Restrictions, Step, Verb, ViberMessage, VoiceTarget};
use minijinja::{Value, context};
use std::collections::BTreeMap;

/// Fields by name.
pub(super) type Fields = BTreeMap<&'static str, Value>;

/// What describes a message's content: each that a message has must have a place in the request.
pub(super) const CONTENT: [&str; 24] = [
    "text",
    "flash",
    "content_template_id",
    "principal_entity_id",
    "image_url",
    "button_caption",
    "button_url",
    "file_name",
    "file_type",
    "file_url",
    "video_url",
    "video_thumbnail",
    "video_size_mb",
    "video_duration_s",
    "template_id",
    "template_language",
    "template_params",
    "template_all_devices",
    "verbs",
    "barge_in",
    "to_sip",
    "to_viber",
    "machine_strategy",
    "machine_event_url",
];

/// What a request's templates may use besides the content.
pub(super) const ADDRESS: [&str; 8] =
    ["to", "to_digits", "sender", "ttl_s", "message_id", "receipts_url", "transactional", "settings"];

/// The content of a step; a field that it lacks is `none`.
pub(super) fn content(step: &Step, restrictions: Option<&Restrictions>) -> Fields {
    let mut fields: Fields = CONTENT.into_iter().map(|name| (name, Value::from(()))).collect();
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let given: Vec<(&'static str, Option<Value>)> = match &step.content {
        Content::Sms(sms) => vec![
            ("text", Some(Value::from(&*sms.sent_text()))),
            ("flash", sms.flash.then(|| Value::from(true))),
            ("content_template_id", restrictions.and_then(|ids| text(&ids.content_template_id))),
            ("principal_entity_id", restrictions.and_then(|ids| text(&ids.principal_entity_id))),
        ],
        Content::Viber(viber) => match &viber.message {
            ViberMessage::Body(body) => vec![
                ("text", text(&body.text)),
                ("image_url", text(&body.image_url)),
                ("button_caption", body.action.as_ref().map(|action| Value::from(&*action.caption))),
                ("button_url", body.action.as_ref().map(|action| Value::from(&*action.target_url))),
                ("file_name", body.file.as_ref().map(|file| Value::from(&*file.name))),
                ("file_type", body.file.as_ref().map(|file| Value::from(&*file.kind))),
                ("file_url", body.file.as_ref().map(|file| Value::from(&*file.url))),
                ("video_url", body.video.as_ref().map(|video| Value::from(&*video.url))),
                ("video_thumbnail", body.video.as_ref().map(|video| Value::from(&*video.thumbnail))),
                ("video_size_mb", body.video.as_ref().map(|video| Value::from(video.size_mb))),
                ("video_duration_s", body.video.as_ref().map(|video| Value::from(video.duration_s))),
            ],
            ViberMessage::Template(template) => vec![
                ("template_id", Some(Value::from(&*template.id))),
                ("template_language", Some(Value::from(&*template.language))),
                ("template_params", Some(Value::from_serialize(&template.params))),
                ("template_all_devices", template.all_devices.then(|| Value::from(true))),
            ],
        },
        Content::Voice(voice) => {
            let barge_in = voice.verbs.iter().any(|verb| match verb {
                Verb::Say { barge_in, .. } | Verb::Play { barge_in, .. } => *barge_in,
            });
            let (sip, viber) = match &voice.to {
                VoiceTarget::Phone(_) => (None, None),
                VoiceTarget::Sip(to) => (Some(Value::from(&**to)), None),
                VoiceTarget::Viber(to) => (None, Some(Value::from(&**to))),
            };
            let machine = voice.machine_detection.as_ref();
            let strategy = machine.map(|machine| match machine.strategy {
                MachineStrategy::Hangup => Value::from("hangup"),
                MachineStrategy::Continue => Value::from("continue"),
            });
            vec![
                ("verbs", Some(voice.verbs.iter().map(verb).collect())),
                ("barge_in", barge_in.then(|| Value::from(true))),
                ("to_sip", sip),
                ("to_viber", viber),
                ("machine_strategy", strategy),
                ("machine_event_url", machine.and_then(|machine| text(&machine.event_url))),
            ]
        }
    };
    fields.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields
}

fn verb(verb: &Verb) -> Value {
    match verb {
        Verb::Say { language, gender, text, repeat, .. } => {
            context! { text => text, language => language, gender => gender, repeat => repeat }
        }
        Verb::Play { url, repeat, .. } => context! { url => url, repeat => repeat },
    }
}

/// Sender, recipient, time to live, and what else is not content.
pub(super) fn address(outgoing: &Outgoing) -> Fields {
    let to = outgoing.step().to();
    Fields::from([
        ("to", Value::from(to)),
        ("to_digits", Value::from(to.trim_start_matches('+'))),
        ("sender", Value::from(&*outgoing.sender)),
        ("ttl_s", Value::from(outgoing.time_left.as_millis().div_ceil(1000).max(1) as u64)),
        ("message_id", Value::from(outgoing.part().id.to_string())),
        ("transactional", Value::from(outgoing.flow.kind == FlowKind::Transactional)),
    ])
}

/// A value for each field, to try templates with.
pub(super) fn sample(name: &str) -> Value {
    match name {
        "flash" | "template_all_devices" | "transactional" | "barge_in" => Value::from(true),
        "video_size_mb" => Value::from(1.5),
        "video_duration_s" | "ttl_s" => Value::from(60),
        "verbs" => Value::from_iter([
            context! { text => "a <b>", language => "en-US", gender => "male", repeat => 1 },
        ]),
        "template_params" => Value::from_serialize(BTreeMap::from([("pin", "1234")])),
        _ => Value::from(format!("a \"quoted\" {name}")),
    }
}
