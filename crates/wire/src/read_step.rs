//! Reads a step from a request (contract, section 2).

use crate::broken::BrokenRules;
use crate::country::country;
use crate::problems::Problems;
use crate::reader::Reader;
use crate::written::Written;
use flow::{
    Action, Channel, Content, FlowKind, Limits, MachineDetection, MachineStrategy, Rule, ShortLink,
    Shortened, SipAddress, Sms, Status, Step, Ttl, Verb, Viber, ViberBody, ViberFile, ViberMessage,
    ViberTemplate, ViberVideo, Voice, VoiceTarget,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What reading a step depends on.
pub struct StepContext<'a> {
    /// Plain or transactional.
    pub kind: FlowKind,
    /// What `transcode` is for an Sms step that does not say.
    pub transcode: bool,
    /// What short links start with, where there are any.
    pub short_base: Option<&'a str>,
    /// What a step may have at most.
    pub limits: &'a Limits,
    /// The numbers in templates.
    pub written: &'a Written,
    /// Draws a code for a short link; `None` if the system has no randomness.
    pub new_code: &'a dyn Fn() -> Option<String>,
}

/// Members of the other channels' steps, by channel; `message` has its own lists.
const SMS_ONLY: [&str; 1] = ["urlShortener"];
const VIBER_ONLY: [&str; 9] = [
    "senderInfoTrackingId",
    "inboundUrl",
    "expireOnDelivery",
    "label",
    "templateId",
    "templateLang",
    "templateParams",
    "deliveryScope",
    "seq",
];
const VOICE_ONLY: [&str; 4] = ["dialPlan", "dialplan", "dialPlans", "machineDetection"];
const SMS_MESSAGE: [&str; 4] = ["body", "flash", "label", "transcode"];
const VIBER_MESSAGE: [&str; 7] =
    ["text", "imageUrl", "imageURL", "action", "viberAction", "viberFile", "viberVideo"];

/// Members that would change when something is sent, without marks between their words (contract, section 2). Without
/// them it would be sent at another time than was asked for.
pub const OTHER_TIME: [&str; 24] = [
    "scheduledDate",
    "scheduleDate",
    "scheduledAt",
    "scheduleAt",
    "scheduledTime",
    "scheduleTime",
    "scheduledFor",
    "schedule",
    "sendAt",
    "sendAfter",
    "sendDate",
    "sendTime",
    "deliverAt",
    "deliverAfter",
    "deliveryDate",
    "deliveryTime",
    "notBefore",
    "delay",
    "delaySeconds",
    "respectQuietHours",
    "quietHours",
    "validity",
    "validityPeriod",
    "validUntil",
];
/// Why they are refused.
pub const AT_ONCE: &str = "is not available: this server sends at once, and ends a step by its ttl";

/// How long a short link works (contract, section 2), seconds.
const URL_VALIDITY_MIN_S: u32 = 3600;
const URL_VALIDITY_MAX_S: u32 = 2_592_000;

/// Reads the step at a place of the flow, from 1; what it breaks is noted in `problems`. A broken `order` is 0.
pub fn read_step(
    value: &Value,
    place: u32,
    path: &str,
    context: &StepContext<'_>,
    problems: &Problems,
) -> Option<Step> {
    let reader = Reader::of(value, path, problems)?;
    reader.refuse_unavailable(&OTHER_TIME, AT_ONCE);
    let name = reader.required_text("type");
    let Some(channel) = Channel::parse(&name) else {
        if !name.is_empty() {
            reader.refuse("type", Rule::Choice, "must be Sms, Viber or Voice");
        }
        return None;
    };
    let order = read_order(&reader, place);
    let content = match channel {
        Channel::Sms => Content::Sms(read_sms(&reader, context)),
        Channel::Viber => Content::Viber(Box::new(read_viber(&reader, place, context))),
        Channel::Voice => Content::Voice(read_voice(&reader, context.limits)?),
    };
    let failover_on = read_failover_on(&reader, channel);
    let ttl = read_ttl(&reader, channel);
    let mut step = Step { order, failover_on, ttl, content, country: None };
    step.country = country(step.to());
    Some(step)
}

/// Notes the rules of section 2 that a step breaks, unless reading it said so already.
pub fn check_step(step: &Step, path: &str, limits: &Limits, problems: &Problems) {
    for violation in step.violations(limits) {
        if problems.is_over() {
            return;
        }
        let field = format!("{path}.{}", violation.field);
        if !problems.says(&field) {
            problems.add(field, violation.rule, violation.message);
        }
    }
}

fn read_order(reader: &Reader<'_>, place: u32) -> u32 {
    if !reader.has("order") {
        return place;
    }
    let Some(order) = reader.integer("order") else { return 0 };
    match u32::try_from(order) {
        Ok(order) if order >= 1 => order,
        _ => {
            reader.refuse("order", Rule::Range, "must be 1 or more");
            0
        }
    }
}

fn read_ttl(reader: &Reader<'_>, channel: Channel) -> Ttl {
    let Some(minutes) = reader.number("ttl") else { return Ttl::default_for(channel) };
    let tenths = minutes * 10.0;
    // 0.3 has no exact binary form: a tenth counts as one where it is closest to one.
    if (tenths - tenths.round()).abs() > 1e-6 || !(0.0..1e6).contains(&tenths) {
        // Out of every channel's range, so that the check says what is right.
        return Ttl { tenths: 0 };
    }
    Ttl { tenths: tenths.round() as u32 }
}

fn read_failover_on(reader: &Reader<'_>, channel: Channel) -> Vec<Status> {
    let Some(names) = reader.list("failoverOnStatuses") else {
        return Status::failover_default(channel).to_vec();
    };
    let choices = Status::failover_choices(channel);
    let mut statuses = Vec::new();
    for name in names {
        match choices.iter().find(|status| status.name().eq_ignore_ascii_case(&name)) {
            Some(status) if statuses.contains(status) => {}
            Some(status) => statuses.push(*status),
            None => {
                let choices: Vec<_> = choices.iter().map(|status| status.name()).collect();
                let message = format!("must be among {} for a {channel} step", choices.join(", "));
                reader.refuse("failoverOnStatuses", Rule::Choice, message);
                break;
            }
        }
    }
    statuses
}

fn read_sms(reader: &Reader<'_>, context: &StepContext<'_>) -> Sms {
    reader.refuse_foreign(&VIBER_ONLY, "belongs to a Viber step");
    reader.refuse_foreign(&VOICE_ONLY, "belongs to a Voice step");
    let message = required_object(reader, "message");
    let mut sms = Sms {
        from: reader.required_text("from"),
        to: full_number(reader.required_text("to")),
        body: String::new(),
        flash: false,
        label: None,
        transcode: context.transcode,
        shortened: None,
    };
    if let Some(message) = message {
        message.refuse_foreign(&VIBER_MESSAGE, "belongs to a Viber step");
        message.refuse_unavailable(&OTHER_TIME, AT_ONCE);
        sms.body = message.required_text("body");
        sms.flash = message.boolean("flash").unwrap_or(false);
        sms.label = message.text("label");
        sms.transcode = message.boolean("transcode").unwrap_or(context.transcode);
    }
    if let Some(shortener) = reader.object(&["urlShortener"]) {
        match context.short_base {
            Some(base) => shorten(&mut sms, &shortener, base, context.new_code),
            None => reader.refuse("urlShortener", Rule::Unavailable, "this server has no shortener.base_url"),
        }
    }
    sms
}

/// Replaces the links of an Sms by short ones.
fn shorten(sms: &mut Sms, shortener: &Reader<'_>, base: &str, new_code: &dyn Fn() -> Option<String>) {
    let validity_s = shortener.integer("urlValidity").unwrap_or(URL_VALIDITY_MAX_S.into());
    let validity_s = match u32::try_from(validity_s) {
        Ok(seconds) if (URL_VALIDITY_MIN_S..=URL_VALIDITY_MAX_S).contains(&seconds) => seconds,
        _ => {
            shortener.refuse("urlValidity", Rule::Range, "must be 3600 to 2592000 seconds");
            return;
        }
    };
    let mut links = Vec::new();
    let mut drawn = true;
    sms.body = flow::links::replace(&sms.body, |url| {
        let Some(code) = new_code() else {
            drawn = false;
            return url.to_owned();
        };
        let short = format!("{}/{code}", base.trim_end_matches('/'));
        links.push(ShortLink { code, url: url.to_owned() });
        short
    });
    if !drawn {
        shortener.refuse(
            "urlValidity",
            Rule::Unavailable,
            "the system has no randomness to make short links of",
        );
    }
    sms.shortened = Some(Shortened { validity_s, links });
}

fn read_viber(reader: &Reader<'_>, place: u32, context: &StepContext<'_>) -> Viber {
    reader.refuse_foreign(&["from"], "belongs to an Sms or a Voice step; the sender is senderInfoTrackingId");
    reader.refuse_foreign(&SMS_ONLY, "belongs to an Sms step");
    reader.refuse_foreign(&VOICE_ONLY, "belongs to a Voice step");
    let message = match context.kind {
        FlowKind::Plain => {
            let why = "belongs to a transactional flow: POST /failover/transactional";
            reader.refuse_foreign(
                &["templateId", "templateLang", "templateParams", "deliveryScope", "seq"],
                why,
            );
            ViberMessage::Body(
                required_object(reader, "message").map(|m| read_viber_body(&m)).unwrap_or_default(),
            )
        }
        FlowKind::Transactional => {
            reader.refuse_foreign(&["message"], "has no place beside the template of a transactional step");
            reader.refuse_foreign(&["label"], "has no place in a transactional step");
            ViberMessage::Template(read_template(reader, |name| context.written.number(place, name)))
        }
    };
    Viber {
        sender: reader.required_text("senderInfoTrackingId"),
        sender_name: None,
        to: full_number(reader.required_text("to")),
        inbound_url: reader.text("inboundUrl"),
        expire_on_delivery: reader.boolean("expireOnDelivery").unwrap_or(false),
        label: reader.text("label"),
        message,
    }
}

fn read_viber_body(message: &Reader<'_>) -> ViberBody {
    message.refuse_foreign(&SMS_MESSAGE, "belongs to an Sms step");
    message.refuse_unavailable(&OTHER_TIME, AT_ONCE);
    ViberBody {
        text: message.text("text"),
        image_url: message.text("imageUrl").or_else(|| message.text("imageURL")),
        action: message.object(&["action", "viberAction"]).map(|action| Action {
            caption: action.required_text("caption"),
            target_url: action.required_text("targetUrl"),
        }),
        file: message.object(&["viberFile"]).map(|file| {
            let kind = file.required_text("fileType");
            // With its dot, as the reference writes it.
            let kind = kind.strip_prefix('.').unwrap_or(&kind).to_owned();
            let url = file.required_text(file.spelling(&["fileUrl", "fileURL"]));
            ViberFile { name: file.required_text("fileName"), kind, url }
        }),
        video: message.object(&["viberVideo"]).map(|video| ViberVideo {
            url: video.required_text(video.spelling(&["videoUrl", "videoURL"])),
            thumbnail: video.required_text("videoThumbnail"),
            size_mb: video.number("fileSize").unwrap_or(0.0),
            duration_s: video.integer("duration").and_then(|s| u32::try_from(s).ok()).unwrap_or(0),
        }),
    }
}

/// `written` answers how a parameter was written that is a number.
fn read_template<'a>(reader: &Reader<'_>, written: impl Fn(&str) -> Option<&'a str>) -> ViberTemplate {
    let mut params = BTreeMap::new();
    if let Some(Value::Object(given)) = reader.raw("templateParams") {
        for (name, value) in given.iter().take_while(|_| !reader.problems().is_over()) {
            match value {
                Value::Null => {}
                Value::String(text) => drop(params.insert(name.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => {
                    let text = written(name).map_or_else(|| value.to_string(), str::to_owned);
                    params.insert(name.clone(), text);
                }
                _ => reader.refuse(&format!("templateParams.{name}"), Rule::Type, "must be a string"),
            }
        }
    } else if reader.has("templateParams") {
        reader.refuse("templateParams", Rule::Type, "must be an object");
    }
    let scope = reader.text("deliveryScope").unwrap_or_else(|| "PRIMARY_DEVICE".into());
    let all_devices = scope.eq_ignore_ascii_case("ALL_DEVICES");
    if !all_devices && !scope.eq_ignore_ascii_case("PRIMARY_DEVICE") {
        reader.refuse("deliveryScope", Rule::Choice, "must be PRIMARY_DEVICE or ALL_DEVICES");
    }
    ViberTemplate {
        id: reader.required_text("templateId"),
        language: reader.required_text("templateLang"),
        params,
        all_devices,
        seq: reader.integer("seq").unwrap_or(0),
    }
}

fn read_voice(reader: &Reader<'_>, limits: &Limits) -> Option<Voice> {
    reader.refuse_foreign(&VIBER_ONLY, "belongs to a Viber step");
    reader.refuse_foreign(&SMS_ONLY, "belongs to an Sms step");
    reader.refuse_foreign(&["message"], "belongs to an Sms or a Viber step; what is said is in dialPlan");
    let from = reader.required_text("from");
    let to = read_target(reader);
    let verbs = read_verbs(reader, limits);
    let machine_detection = reader.object(&["machineDetection"]).and_then(|detection| {
        let strategy = match detection.required_text("strategy").to_ascii_lowercase().as_str() {
            "hangup" => MachineStrategy::Hangup,
            "continue" => MachineStrategy::Continue,
            // Noted as required already.
            "" => return None,
            _ => {
                detection.refuse("strategy", Rule::Choice, "must be Hangup or Continue");
                return None;
            }
        };
        Some(MachineDetection { strategy, event_url: detection.text("eventUrl") })
    });
    Some(Voice { from, to: to?, verbs, machine_detection })
}

fn read_target(reader: &Reader<'_>) -> Option<VoiceTarget> {
    match reader.raw("to") {
        None => reader.refuse("to", Rule::Required, "is required"),
        Some(Value::String(phone)) => return Some(VoiceTarget::Phone(full_number(phone.clone()))),
        Some(_) => {
            let to = reader.object(&["to"])?;
            let given = [
                to.text("phone").map(full_number).map(VoiceTarget::Phone),
                to.text("sip").map(|address| VoiceTarget::Sip(full_sip_address(address))),
                to.text("viber").map(full_number).map(VoiceTarget::Viber),
            ];
            let mut given = given.into_iter().flatten();
            match (given.next(), given.next()) {
                (Some(target), None) => return Some(target),
                _ => reader.refuse("to", Rule::Required, "must have exactly one of phone, sip and viber"),
            }
        }
    }
    None
}

/// A number with its plus; what is none stays as it is, for the check.
fn full_number(text: String) -> String {
    flow::read_number(&text).unwrap_or(text)
}

/// An address with its scheme; one that breaks the rules stays as it is, for the check.
fn full_sip_address(address: String) -> String {
    SipAddress::parse(&address).map_or(address, |address| address.to_string())
}

fn read_verbs(reader: &Reader<'_>, limits: &Limits) -> Vec<Verb> {
    let Some(plan) = reader.object(&["dialPlan", "dialplan", "dialPlans"]) else {
        if !["dialPlan", "dialplan", "dialPlans"].iter().any(|name| reader.has(name)) {
            reader.refuse("dialPlan", Rule::Required, "is required");
        }
        return Vec::new();
    };
    verbs_of(&plan, limits)
}

fn verbs_of(plan: &Reader<'_>, limits: &Limits) -> Vec<Verb> {
    let verbs = plan.array("verbs", limits.verbs_max, "verbs").unwrap_or_default();
    let verbs = verbs.into_iter().take_while(|_| !plan.problems().is_over());
    verbs.filter_map(|(path, value)| read_verb(plan, &path, value)).collect()
}

/// Why a dial plan that stands alone can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is no JSON.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// It breaks a rule of a Voice step.
    #[error(transparent)]
    Broken(#[from] BrokenRules),
}

/// Reads a dial plan that stands alone, `{"verbs": [...]}`, by the rules of a Voice step.
///
/// # Errors
/// [`PlanError`].
pub fn read_dial_plan(octets: &[u8], limits: &Limits) -> Result<Vec<Verb>, PlanError> {
    let value = &serde_json::from_slice(octets)?;
    let problems = Problems::new(1);
    let verbs = Reader::of(value, "", &problems).map(|plan| verbs_of(&plan, limits)).unwrap_or_default();
    let to = VoiceTarget::Phone("+306900000000".into());
    let voice = Voice { from: "+306900000000".into(), to, verbs: verbs.clone(), machine_detection: None };
    let (ttl, content) = (Ttl::default_for(Channel::Voice), Content::Voice(voice));
    let step = Step { order: 1, failover_on: vec![], ttl, content, country: None };
    check_step(&step, "step", limits, &problems);
    problems.finish()?;
    Ok(verbs)
}

fn read_verb(plan: &Reader<'_>, path: &str, value: &Value) -> Option<Verb> {
    let verb = Reader::of(value, path, plan.problems())?;
    let repeat = verb.integer("repeat").unwrap_or(1);
    // Out of range, so that the check says what is right.
    let repeat = u32::try_from(repeat).unwrap_or(0);
    let barge_in = verb.boolean("bargeIn").unwrap_or(false);
    match verb.required_text("type").to_ascii_uppercase().as_str() {
        "SAY" => {
            let message = required_object(&verb, "message")?;
            Some(Verb::Say {
                language: message.text("language").unwrap_or_else(|| "en-US".into()),
                gender: message.text("gender").unwrap_or_else(|| "female".into()).to_ascii_lowercase(),
                text: message.required_text("text"),
                repeat,
                barge_in,
            })
        }
        "PLAY" => {
            let url = verb.required_text(verb.spelling(&["fileURL", "fileUrl"]));
            Some(Verb::Play { url, repeat, barge_in })
        }
        "" => None,
        _ => {
            verb.refuse("type", Rule::Choice, "must be SAY or PLAY");
            None
        }
    }
}

fn required_object<'a>(reader: &Reader<'a>, name: &str) -> Option<Reader<'a>> {
    if !reader.has(name) {
        reader.refuse(name, Rule::Required, "is required");
    }
    reader.object(&[name])
}
