//! A message as templates see it: its fields by name.

use crate::outgoing::Outgoing;
use flow::{Channel, FlowKind, Restrictions, Step};
use minijinja::{Value, context};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Fields by name.
pub(super) type Fields = BTreeMap<&'static str, Value>;

/// The fields of the flow's registration ids, of channels that have them.
const RESTRICTIONS: [&str; 2] = ["content_template_id", "principal_entity_id"];

/// The fields of all channels' content: each that a message has must have a place in the request.
pub(super) fn content_names() -> impl Iterator<Item = &'static str> {
    static NAMES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let fields = Channel::ALL.into_iter().flat_map(|channel| channel.rules().fields);
        fields.copied().chain(RESTRICTIONS).collect()
    });
    NAMES.iter().copied()
}

/// What a request's templates may use besides the content.
pub(super) const ADDRESS: [&str; 8] =
    ["to", "to_digits", "sender", "ttl_s", "message_id", "receipts_url", "transactional", "settings"];

/// The content of a step; a field that it lacks is `none`.
pub(super) fn content(step: &Step, restrictions: Option<&Restrictions>) -> Fields {
    let mut fields: Fields = content_names().map(|name| (name, Value::from(()))).collect();
    let given = step.content.common().fields();
    fields.extend(given.into_iter().map(|(name, value)| (name, Value::from_serialize(value))));
    if let Some(ids) = restrictions.filter(|_| step.channel().rules().has_restrictions) {
        let given = RESTRICTIONS.into_iter().zip([&ids.content_template_id, &ids.principal_entity_id]);
        fields.extend(given.filter_map(|(name, id)| Some((name, Value::from(id.as_deref()?)))));
    }
    fields
}

/// Sender, recipient, time to live, and what else is not content.
pub(super) fn address(outgoing: &Outgoing) -> Fields {
    let to = outgoing.step().to();
    Fields::from([
        ("to", Value::from(to)),
        ("to_digits", Value::from(to.trim_start_matches('+'))),
        ("sender", Value::from(&*outgoing.sender)),
        ("ttl_s", Value::from(outgoing.time_left.as_millis().div_ceil(1000).max(1) as u64)),
        ("message_id", Value::from(outgoing.part_id().to_string())),
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
