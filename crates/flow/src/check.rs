//! The limits of the contract's section 2, checked on a whole step.

use crate::{
    Channel, Content, Limits, Rule, SipAddress, Sms, Step, Ttl, Verb, Viber, ViberBody, ViberMessage, Voice,
    VoiceTarget, is_e164,
};

/// Longest label, in characters.
const LABEL_MAX: usize = 350;
/// Longest URL, in characters.
const URL_MAX: usize = 1000;
/// Most parts of one Sms: the concatenation header counts them in an octet.
const PARTS_MAX: usize = 255;
/// The file types that Viber carries.
const VIBER_FILE_TYPES: [&str; 21] = [
    "doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info", "pdf", "xps", "pdax", "eps",
    "xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx",
];

/// A rule that a step breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The member of the wire form, relative to the step: `message.text`.
    pub field: String,
    /// Which one.
    pub rule: Rule,
    /// The rule in words.
    pub message: String,
}

struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, field: &str, rule: Rule, message: impl Into<String>) {
        self.0.push(Violation { field: field.into(), rule, message: message.into() });
    }

    fn length(&mut self, field: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            self.add(field, Rule::Length, format!("must have {min} to {max} characters; it has {length}"));
        }
    }

    fn url(&mut self, field: &str, value: &str, https: bool) {
        let scheme_fits = value.starts_with("https://") || (!https && value.starts_with("http://"));
        let host =
            value.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
        if !scheme_fits || !host || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let wanted = if https { "https" } else { "http or https" };
            self.add(field, Rule::Format, format!("must be an {wanted} URL"));
        }
        if value.chars().count() > URL_MAX {
            self.add(field, Rule::Length, format!("must have at most {URL_MAX} characters"));
        }
    }

    fn phone(&mut self, field: &str, value: &str) {
        if !is_e164(value) {
            self.add(field, Rule::Format, "must be an E.164 number: + and 7 to 15 digits, the first not 0");
        }
    }

    fn label(&mut self, field: &str, label: Option<&String>) {
        if let Some(label) = label {
            self.length(field, label, 1, LABEL_MAX);
        }
    }
}

/// Whether `value` can be the sender of an Sms: a number of at most 16 digits (a short code is one), or at most
/// 11 printable ASCII characters.
fn is_sender_id(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return (1..=16).contains(&digits.len());
    }
    value.len() <= 11 && value.bytes().all(|b| (0x20..0x7f).contains(&b)) && value.trim() == value
}

impl Step {
    /// Every rule of the contract's section 2 that this step breaks.
    pub fn violations(&self, limits: &Limits) -> Vec<Violation> {
        let mut found = Violations(Vec::new());
        check_ttl(self.channel(), self.ttl, &mut found);
        match &self.content {
            Content::Sms(sms) => check_sms(sms, &mut found),
            Content::Viber(viber) => check_viber(viber, limits, &mut found),
            Content::Voice(voice) => check_voice(voice, limits, &mut found),
        }
        found.0
    }
}

fn check_ttl(channel: Channel, ttl: Ttl, found: &mut Violations) {
    match channel {
        Channel::Viber => {
            if !(5..=14400).contains(&ttl.tenths) {
                found.add(
                    "ttl",
                    Rule::Range,
                    "must be 0.5 to 1440.0 minutes, with at most one decimal place",
                );
            }
        }
        Channel::Sms | Channel::Voice => {
            if !ttl.tenths.is_multiple_of(10) || !(10..=14400).contains(&ttl.tenths) {
                found.add("ttl", Rule::Range, "must be a whole number of minutes, 1 to 1440");
            }
        }
    }
}

fn check_sms(sms: &Sms, found: &mut Violations) {
    if !is_sender_id(&sms.from) {
        found.add(
            "from",
            Rule::Format,
            "must be a number of at most 16 digits or at most 11 printable ASCII characters",
        );
    }
    found.phone("to", &sms.to);
    found.label("message.label", sms.label.as_ref());
    let parts = sms.parts().len();
    if parts > PARTS_MAX {
        found.add("message.body", Rule::Length, format!("must fit into {PARTS_MAX} parts; it makes {parts}"));
    }
}

fn check_viber(viber: &Viber, limits: &Limits, found: &mut Violations) {
    found.length("senderInfoTrackingId", &viber.sender, 1, 255);
    found.phone("to", &viber.to);
    found.label("label", viber.label.as_ref());
    if let Some(url) = &viber.inbound_url {
        found.url("inboundUrl", url, false);
    }
    match &viber.message {
        ViberMessage::Body(body) => check_viber_body(body, found),
        ViberMessage::Template(template) => {
            found.length("templateId", &template.id, 1, 255);
            found.length("templateLang", &template.language, 1, 35);
            let (count, most) = (template.params.len(), limits.template_params_max);
            if count > most {
                found.add(
                    "templateParams",
                    Rule::Length,
                    format!("must have at most {most} members; it has {count}"),
                );
            }
            let octets: usize = template.params.iter().map(|(name, value)| name.len() + value.len()).sum();
            let most = limits.template_params_bytes_max;
            if octets > most {
                let rule =
                    format!("names and values must have at most {most} octets together; they have {octets}");
                found.add("templateParams", Rule::Length, rule);
            }
        }
    }
}

fn check_viber_body(body: &ViberBody, found: &mut Violations) {
    if body.text.is_none() && body.image_url.is_none() && body.file.is_none() && body.video.is_none() {
        found.add(
            "message",
            Rule::Required,
            "must have at least one of text, imageUrl, viberFile and viberVideo",
        );
    }
    if let Some(text) = &body.text {
        found.length("message.text", text, 1, 1000);
    }
    if let Some(url) = &body.image_url {
        found.url("message.imageUrl", url, true);
    }
    if let Some(action) = &body.action {
        found.length("message.action.caption", &action.caption, 1, 30);
        found.url("message.action.targetUrl", &action.target_url, false);
    }
    if let Some(file) = &body.file {
        found.length("message.viberFile.fileName", &file.name, 1, 25);
        found.url("message.viberFile.fileUrl", &file.url, true);
        if !VIBER_FILE_TYPES.contains(&file.kind.to_ascii_lowercase().as_str()) {
            let types = VIBER_FILE_TYPES.join(", ");
            found.add("message.viberFile.fileType", Rule::Choice, format!("must be one of {types}"));
        }
    }
    if let Some(video) = &body.video {
        found.url("message.viberVideo.videoUrl", &video.url, true);
        found.url("message.viberVideo.videoThumbnail", &video.thumbnail, true);
        if !(video.size_mb > 0.0 && video.size_mb <= 200.0) {
            found.add(
                "message.viberVideo.fileSize",
                Rule::Range,
                "must be above 0 and at most 200 (megabytes)",
            );
        }
        if !(1..=600).contains(&video.duration_s) {
            found.add(
                "message.viberVideo.duration",
                Rule::Range,
                "must be above 0 and at most 600 (seconds)",
            );
        }
    }
}

fn check_voice(voice: &Voice, limits: &Limits, found: &mut Violations) {
    found.length("from", &voice.from, 1, 64);
    match &voice.to {
        VoiceTarget::Phone(to) => found.phone("to.phone", to),
        VoiceTarget::Viber(to) => found.phone("to.viber", to),
        VoiceTarget::Sip(to) => {
            if let Err(why) = SipAddress::parse(to) {
                found.add("to.sip", Rule::Format, why);
            }
        }
    }
    if voice.verbs.is_empty() {
        found.add("dialPlan.verbs", Rule::Required, "must have at least one verb");
    }
    let (count, most) = (voice.verbs.len(), limits.verbs_max);
    if count > most {
        found.add("dialPlan.verbs", Rule::Length, format!("must have at most {most} verbs; it has {count}"));
    }
    for (i, verb) in voice.verbs.iter().take(most).enumerate() {
        let repeat = match verb {
            Verb::Say { text, repeat, gender, language, .. } => {
                found.length(&format!("dialPlan.verbs[{i}].message.text"), text, 1, 4000);
                found.length(&format!("dialPlan.verbs[{i}].message.language"), language, 2, 35);
                if !matches!(gender.as_str(), "female" | "male") {
                    found.add(
                        &format!("dialPlan.verbs[{i}].message.gender"),
                        Rule::Choice,
                        "must be female or male",
                    );
                }
                *repeat
            }
            Verb::Play { url, repeat, .. } => {
                found.url(&format!("dialPlan.verbs[{i}].fileURL"), url, false);
                *repeat
            }
        };
        if !(1..=100).contains(&repeat) {
            found.add(&format!("dialPlan.verbs[{i}].repeat"), Rule::Range, "must be 1 to 100");
        }
    }
    if let Some(url) = voice.machine_detection.as_ref().and_then(|detection| detection.event_url.as_ref()) {
        found.url("machineDetection.eventUrl", url, false);
    }
}
