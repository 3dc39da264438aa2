//! Viber business messages.

use super::rules::{ChannelContent, ChannelRules, Charge};
use super::sandbox::{Play, PlayedReceipt, SandboxScript, thousandths};
use crate::detail::Detail;
use crate::limits::Limits;
use crate::rule::Rule;
use crate::status::Status::{Delivered, Expired, Failed, Queued, Seen, Undelivered, Unsent};
use crate::ttl::{Ttl, TtlRule};
use crate::violation::Violations;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) static RULES: ChannelRules = ChannelRules {
    name: "Viber",
    open_statuses: &[Queued, Delivered],
    final_statuses: &[Seen, Expired, Failed, Undelivered, Unsent],
    accepted: None,
    expired: (Expired, Detail::TTL_EXPIRED),
    failover_choices: &[Expired, Failed, Undelivered],
    failover_default: &[Expired, Failed, Undelivered],
    ttl: TtlRule {
        default: Ttl::minutes(10),
        min: Ttl { tenths: 5 },
        max: Ttl::minutes(1440),
        has_tenths: true,
    },
    charge: Charge::OnSuccess,
    has_duration: false,
    counts_parts: false,
    has_capital_statuses: true,
    fields: &[
        "text",
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
    ],
    has_restrictions: false,
    sandbox: SandboxScript {
        price: thousandths(20),
        later_reason: "unavailable",
        digits: &[
            (1, Play::Receipts(&[PlayedReceipt::because(Undelivered, Detail::NOT_VIBER_USER)])),
            (2, Play::Receipts(&[PlayedReceipt::because(Failed, Detail::MESSAGE_REJECTED)])),
            (3, Play::Receipts(&[])),
            (4, Play::Receipts(&[PlayedReceipt::late(Delivered)])),
            (
                6,
                Play::Receipts(&[
                    PlayedReceipt::of(Seen),
                    PlayedReceipt::of(Delivered),
                    PlayedReceipt::of(Seen),
                    PlayedReceipt::of(Delivered),
                ]),
            ),
            (7, Play::Receipts(&[PlayedReceipt::of(Delivered)])),
        ],
        success: Play::Receipts(&[PlayedReceipt::of(Delivered), PlayedReceipt::of(Seen)]),
    },
    part_octets: 712,
};

/// The file types that Viber carries (contract, section 2).
const FILE_TYPES: [&str; 21] = [
    "doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info", "pdf", "xps", "pdax", "eps",
    "xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx",
];
/// Largest video, megabytes.
const VIDEO_MB_MAX: f64 = 200.0;
/// Longest video, seconds.
const VIDEO_S_MAX: u32 = 600;

/// A Viber business message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Viber {
    /// The registered sender.
    pub sender: String,
    /// Its name, which trackings show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<String>,
    /// Recipient, E.164.
    pub to: String,
    /// Where the recipient's answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound_url: Option<String>,
    /// A message that is Delivered but not Seen when its ttl passes becomes Expired.
    #[serde(default)]
    pub expire_on_delivery: bool,
    /// The client's own mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What is shown.
    pub message: ViberMessage,
}

/// What a Viber message shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ViberMessage {
    /// Its own content.
    Body(ViberBody),
    /// A registered template (transactional flows).
    Template(ViberTemplate),
}

/// The content of a Viber message; at least one of text, image, file and video.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ViberBody {
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Image, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// File.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ViberFile>,
    /// Video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<ViberVideo>,
}

/// A button under a Viber message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// What the button says.
    pub caption: String,
    /// What it opens.
    pub target_url: String,
}

/// A file in a Viber message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ViberFile {
    /// Its name, at most 25 characters.
    pub name: String,
    /// Its type, one of the types that the contract lists.
    pub kind: String,
    /// Where it is, https.
    pub url: String,
}

/// A video in a Viber message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ViberVideo {
    /// Where it is, https.
    pub url: String,
    /// Its still, https.
    pub thumbnail: String,
    /// Megabytes.
    pub size_mb: f64,
    /// Seconds.
    pub duration_s: u32,
}

/// A registered Viber template and what fills it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ViberTemplate {
    /// The template.
    pub id: String,
    /// Its language.
    pub language: String,
    /// What fills it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Whether all the recipient's devices get it (`ALL_DEVICES`), not just the primary one.
    #[serde(default)]
    pub all_devices: bool,
    /// The client's own sequence number, echoed.
    pub seq: i64,
}

pub(super) fn empty(from: String, to: String, label: Option<String>) -> Viber {
    Viber {
        sender: from,
        sender_name: None,
        to,
        inbound_url: None,
        expire_on_delivery: false,
        label,
        message: ViberMessage::Body(ViberBody::default()),
    }
}

impl ChannelContent for Viber {
    fn sender(&self) -> &str {
        &self.sender
    }

    fn shown_sender(&self) -> &str {
        self.sender_name.as_ref().unwrap_or(&self.sender)
    }

    fn recipient(&self) -> &str {
        &self.to
    }

    fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    fn expires_unseen(&self) -> bool {
        self.expire_on_delivery
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        match &self.message {
            ViberMessage::Body(body) => body.fields(),
            ViberMessage::Template(template) => template.fields(),
        }
    }

    fn check(&self, limits: &Limits, found: &mut Violations) {
        found.length("senderInfoTrackingId", &self.sender, 1, 255);
        found.phone("to", &self.to);
        found.label("label", self.label.as_ref());
        if let Some(url) = &self.inbound_url {
            found.url("inboundUrl", url, false);
        }
        match &self.message {
            ViberMessage::Body(body) => body.check(found),
            ViberMessage::Template(template) => template.check(limits, found),
        }
    }
}

impl ViberTemplate {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let params = self.params.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        let mut fields = vec![
            ("template_id", self.id.clone().into()),
            ("template_language", self.language.clone().into()),
            ("template_params", Value::Object(params.collect())),
        ];
        if self.all_devices {
            fields.push(("template_all_devices", true.into()));
        }
        fields
    }

    fn check(&self, limits: &Limits, found: &mut Violations) {
        found.length("templateId", &self.id, 1, 255);
        found.length("templateLang", &self.language, 1, 35);
        let (count, most) = (self.params.len(), limits.template_params_max);
        if count > most {
            let rule = format!("must have at most {most} members; it has {count}");
            found.add("templateParams", Rule::Length, rule);
        }
        let octets: usize = self.params.iter().map(|(name, value)| name.len() + value.len()).sum();
        let most = limits.template_params_bytes_max;
        if octets > most {
            let rule =
                format!("names and values must have at most {most} octets together; they have {octets}");
            found.add("templateParams", Rule::Length, rule);
        }
    }
}

impl ViberBody {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = Vec::new();
        let mut add = |name, value: Option<Value>| fields.extend(value.map(|value| (name, value)));
        let text = |text: &String| Value::from(text.as_str());
        add("text", self.text.as_ref().map(text));
        add("image_url", self.image_url.as_ref().map(text));
        if let Some(action) = &self.action {
            add("button_caption", Some(text(&action.caption)));
            add("button_url", Some(text(&action.target_url)));
        }
        if let Some(file) = &self.file {
            add("file_name", Some(text(&file.name)));
            add("file_type", Some(text(&file.kind)));
            add("file_url", Some(text(&file.url)));
        }
        if let Some(video) = &self.video {
            add("video_url", Some(text(&video.url)));
            add("video_thumbnail", Some(text(&video.thumbnail)));
            add("video_size_mb", Some(video.size_mb.into()));
            add("video_duration_s", Some(video.duration_s.into()));
        }
        fields
    }

    fn check(&self, found: &mut Violations) {
        if self.text.is_none() && self.image_url.is_none() && self.file.is_none() && self.video.is_none() {
            let rule = "must have at least one of text, imageUrl, viberFile and viberVideo";
            found.add("message", Rule::Required, rule);
        }
        if let Some(text) = &self.text {
            found.length("message.text", text, 1, 1000);
        }
        if let Some(url) = &self.image_url {
            found.url("message.imageUrl", url, true);
        }
        if let Some(action) = &self.action {
            found.length("message.action.caption", &action.caption, 1, 30);
            found.url("message.action.targetUrl", &action.target_url, false);
        }
        if let Some(file) = &self.file {
            file.check(found);
        }
        if let Some(video) = &self.video {
            video.check(found);
        }
    }
}

impl ViberFile {
    fn check(&self, found: &mut Violations) {
        found.length("message.viberFile.fileName", &self.name, 1, 25);
        found.url("message.viberFile.fileUrl", &self.url, true);
        if !FILE_TYPES.contains(&self.kind.to_ascii_lowercase().as_str()) {
            let types = FILE_TYPES.join(", ");
            found.add("message.viberFile.fileType", Rule::Choice, format!("must be one of {types}"));
        }
    }
}

impl ViberVideo {
    fn check(&self, found: &mut Violations) {
        found.url("message.viberVideo.videoUrl", &self.url, true);
        found.url("message.viberVideo.videoThumbnail", &self.thumbnail, true);
        if !(self.size_mb > 0.0 && self.size_mb <= VIDEO_MB_MAX) {
            let rule = format!("must be above 0 and at most {VIDEO_MB_MAX} (megabytes)");
            found.add("message.viberVideo.fileSize", Rule::Range, rule);
        }
        if !(1..=VIDEO_S_MAX).contains(&self.duration_s) {
            let rule = format!("must be above 0 and at most {VIDEO_S_MAX} (seconds)");
            found.add("message.viberVideo.duration", Rule::Range, rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Violation;

    fn viber(message: ViberMessage) -> Viber {
        Viber { message, ..empty("acme".into(), "+306900000001".into(), None) }
    }

    fn body(change: impl FnOnce(&mut ViberBody)) -> Viber {
        let mut body = ViberBody { text: Some("hello".into()), ..ViberBody::default() };
        change(&mut body);
        viber(ViberMessage::Body(body))
    }

    fn template(change: impl FnOnce(&mut ViberTemplate)) -> Viber {
        let mut template = ViberTemplate {
            id: "t".into(),
            language: "el".into(),
            params: BTreeMap::new(),
            all_devices: false,
            seq: 0,
        };
        change(&mut template);
        viber(ViberMessage::Template(template))
    }

    /// The members that break a rule, and which.
    fn broken(viber: &Viber, limits: &Limits) -> Vec<(String, Rule)> {
        let mut found = Violations::default();
        viber.check(limits, &mut found);
        found.into_vec().into_iter().map(|Violation { field, rule, .. }| (field, rule)).collect()
    }

    fn breaks(viber: &Viber) -> Vec<(String, Rule)> {
        broken(viber, &Limits::default())
    }

    fn one(field: &str, rule: Rule) -> Vec<(String, Rule)> {
        vec![(field.into(), rule)]
    }

    fn text(characters: usize) -> String {
        "字".repeat(characters)
    }

    #[test]
    fn what_every_message_has_is_checked_at_its_boundary() {
        let good = body(|_| {});
        assert_eq!(breaks(&good), []);
        for (characters, is_allowed) in [(0, false), (1, true), (255, true), (256, false)] {
            let found = breaks(&Viber { sender: text(characters), ..good.clone() });
            assert_eq!(found.is_empty(), is_allowed, "{characters}: {found:?}");
        }
        let url = Some("ftp://a.example".into());
        let found = breaks(&Viber { inbound_url: url, ..good.clone() });
        assert_eq!(found, one("inboundUrl", Rule::Format));
        let plain = Some("http://a.example/in".into());
        assert_eq!(breaks(&Viber { inbound_url: plain, ..good.clone() }), []);
        assert_eq!(breaks(&Viber { to: "1".into(), ..good.clone() }), one("to", Rule::Format));
        let label = Some(text(351));
        assert_eq!(breaks(&Viber { label, ..good }), one("label", Rule::Length));
    }

    #[test]
    fn a_body_has_something_to_show() {
        let nothing = breaks(&body(|body| body.text = None));
        assert_eq!(nothing, one("message", Rule::Required));
        let only_a_button = body(|body| {
            body.text = None;
            body.action = Some(Action { caption: "Open".into(), target_url: "http://a.example".into() });
        });
        assert_eq!(breaks(&only_a_button), one("message", Rule::Required));
        let image = |url: &str| {
            let url = url.to_owned();
            body(|body| (body.text, body.image_url) = (None, Some(url)))
        };
        assert_eq!(breaks(&image("https://a.example/i.png")), []);
        assert_eq!(breaks(&image("http://a.example/i.png")), one("message.imageUrl", Rule::Format));
    }

    #[test]
    fn a_body_is_checked_at_its_boundaries() {
        for (characters, is_allowed) in [(0, false), (1, true), (1000, true), (1001, false)] {
            let found = breaks(&body(|body| body.text = Some(text(characters))));
            assert_eq!(found.is_empty(), is_allowed, "{characters}: {found:?}");
        }
        let button = |characters, url: &str| {
            let action = Action { caption: text(characters), target_url: url.into() };
            breaks(&body(|body| body.action = Some(action)))
        };
        for (characters, is_allowed) in [(0, false), (1, true), (30, true), (31, false)] {
            assert_eq!(button(characters, "http://a.example").is_empty(), is_allowed, "{characters}");
        }
        assert_eq!(button(1, "tel:1"), one("message.action.targetUrl", Rule::Format));
    }

    #[test]
    fn files_are_of_a_known_type_and_reached_over_https() {
        let file = |characters, kind: &str, url: &str| {
            let file = ViberFile { name: text(characters), kind: kind.into(), url: url.into() };
            breaks(&body(|body| (body.text, body.file) = (None, Some(file))))
        };
        let url = "https://a.example/f";
        for (characters, is_allowed) in [(0, false), (1, true), (25, true), (26, false)] {
            assert_eq!(file(characters, "pdf", url).is_empty(), is_allowed, "{characters}");
        }
        assert_eq!(file(1, "XLSX", url), []);
        assert_eq!(file(1, "exe", url), one("message.viberFile.fileType", Rule::Choice));
        assert_eq!(file(1, "pdf", "http://a.example/f"), one("message.viberFile.fileUrl", Rule::Format));
    }

    #[test]
    fn videos_are_checked_at_their_boundaries() {
        let video = |size_mb, duration_s, url: &str, thumbnail: &str| {
            let video = ViberVideo { url: url.into(), thumbnail: thumbnail.into(), size_mb, duration_s };
            breaks(&body(|body| (body.text, body.video) = (None, Some(video))))
        };
        let url = "https://a.example/v";
        for (size_mb, is_allowed) in
            [(0.0, false), (0.1, true), (200.0, true), (200.1, false), (f64::NAN, false)]
        {
            let found = video(size_mb, 1, url, url);
            assert_eq!(found.is_empty(), is_allowed, "{size_mb}: {found:?}");
        }
        for (duration_s, is_allowed) in [(0, false), (1, true), (600, true), (601, false)] {
            assert_eq!(video(1.0, duration_s, url, url).is_empty(), is_allowed, "{duration_s}");
        }
        let plain = "http://a.example/v";
        assert_eq!(video(1.0, 1, plain, url), one("message.viberVideo.videoUrl", Rule::Format));
        assert_eq!(video(1.0, 1, url, plain), one("message.viberVideo.videoThumbnail", Rule::Format));
    }

    #[test]
    fn templates_are_checked_at_their_boundaries() {
        assert_eq!(breaks(&template(|_| {})), []);
        for (characters, is_allowed) in [(0, false), (1, true), (255, true), (256, false)] {
            let found = breaks(&template(|template| template.id = text(characters)));
            assert_eq!(found.is_empty(), is_allowed, "{characters}");
        }
        for (characters, is_allowed) in [(0, false), (1, true), (35, true), (36, false)] {
            let found = breaks(&template(|template| template.language = text(characters)));
            assert_eq!(found.is_empty(), is_allowed, "{characters}");
        }
        let limits = Limits { template_params_max: 2, template_params_bytes_max: 8, ..Limits::default() };
        let params = |params: &[(&str, &str)]| {
            let params = params.iter().map(|&(name, value)| (name.into(), value.into())).collect();
            broken(&template(|template| template.params = params), &limits)
        };
        assert_eq!(params(&[("a", "123"), ("b", "123")]), []);
        assert_eq!(params(&[("a", "1234"), ("b", "123")]), one("templateParams", Rule::Length));
        assert_eq!(params(&[("a", ""), ("b", ""), ("c", "")]), one("templateParams", Rule::Length));
    }
}
