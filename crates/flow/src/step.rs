//! A step: what to send over which channel, with every default filled in (contract, section 2).

use crate::{Channel, Status, text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One step of a flow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its priority: 1-based, ascending within the flow.
    pub order: u32,
    /// The statuses that start the next step.
    pub failover_on: Vec<Status>,
    /// How long it may take.
    pub ttl: Ttl,
    /// What to send, and to whom.
    pub content: Content,
    /// ISO 3166-1 alpha-2 country of the recipient's number, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What a step sends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Content {
    /// A short message.
    Sms(Sms),
    /// A Viber business message.
    Viber(Box<Viber>),
    /// A call.
    Voice(Voice),
}

/// A time to live in tenths of a minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl {
    /// Tenths of a minute.
    pub tenths: u32,
}

impl Ttl {
    /// A whole number of minutes.
    pub const fn minutes(minutes: u32) -> Ttl {
        Ttl { tenths: minutes.saturating_mul(10) }
    }

    /// The ttl of a step that does not say.
    pub const fn default_for(channel: Channel) -> Ttl {
        match channel {
            Channel::Sms => Ttl::minutes(1200),
            Channel::Viber | Channel::Voice => Ttl::minutes(10),
        }
    }

    /// Its length in milliseconds when a minute lasts `minute_ms`.
    pub const fn millis(self, minute_ms: u64) -> u64 {
        self.tenths as u64 * minute_ms / 10
    }
}

/// A short message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sms {
    /// Sender id: a number, a short code, or at most 11 alphanumeric characters.
    pub from: String,
    /// Recipient, E.164.
    pub to: String,
    /// The text, with short links where that was asked for.
    pub body: String,
    /// Show at once and do not store (class 0).
    #[serde(default)]
    pub flash: bool,
    /// The client's own mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Send in the GSM alphabet by replacing characters that it lacks.
    #[serde(default)]
    pub transcode: bool,
    /// Its links were replaced by short ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortened: Option<Shortened>,
}

/// The short links in an Sms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shortened {
    /// How long they work, seconds.
    pub validity_s: u32,
    /// What they stand for.
    pub links: Vec<ShortLink>,
}

/// A short link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShortLink {
    /// What comes after the shortener's base URL.
    pub code: String,
    /// Where it leads.
    pub url: String,
}

impl Sms {
    /// The text as it is sent: the body, transcoded where asked.
    pub fn sent_text(&self) -> std::borrow::Cow<'_, str> {
        if self.transcode { text::transcode(&self.body).into() } else { (&*self.body).into() }
    }

    /// The texts of its parts, in order; at least one.
    pub fn parts(&self) -> Vec<String> {
        text::split(&self.sent_text())
    }
}

/// Ids that Indian carriers ask for (contract, section 2: `restrictions`).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Restrictions {
    /// Registered content template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_template_id: Option<String>,
    /// Registered principal entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_entity_id: Option<String>,
}

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

/// A call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Voice {
    /// Caller id.
    pub from: String,
    /// Who is called.
    pub to: VoiceTarget,
    /// What is said and played, in order; not empty.
    pub verbs: Vec<Verb>,
    /// What to do when a machine answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_detection: Option<MachineDetection>,
}

/// Whom a call reaches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VoiceTarget {
    /// A phone number, E.164.
    Phone(String),
    /// A SIP address: [`crate::SipAddress`].
    Sip(String),
    /// A Viber number.
    Viber(String),
}

impl VoiceTarget {
    /// The address, whatever its kind.
    pub fn address(&self) -> &str {
        match self {
            VoiceTarget::Phone(to) | VoiceTarget::Sip(to) | VoiceTarget::Viber(to) => to,
        }
    }
}

/// One thing that a call does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Verb {
    /// Speak a text.
    Say {
        /// BCP 47 tag.
        language: String,
        /// Voice, `female` or `male`.
        gender: String,
        /// What is said.
        text: String,
        /// How often.
        repeat: u32,
        /// A key press stops it.
        barge_in: bool,
    },
    /// Play a file.
    Play {
        /// Where it is.
        url: String,
        /// How often.
        repeat: u32,
        /// A key press stops it.
        barge_in: bool,
    },
}

/// What to do when a machine answers the call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineDetection {
    /// What to do.
    pub strategy: MachineStrategy,
    /// Where the dial plan for machines is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_url: Option<String>,
}

/// What to do when a machine answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MachineStrategy {
    /// End the call.
    Hangup,
    /// Go on.
    Continue,
}

impl Step {
    /// The channel that it uses.
    pub const fn channel(&self) -> Channel {
        match self.content {
            Content::Sms(_) => Channel::Sms,
            Content::Viber(_) => Channel::Viber,
            Content::Voice(_) => Channel::Voice,
        }
    }

    /// The recipient.
    pub fn to(&self) -> &str {
        match &self.content {
            Content::Sms(sms) => &sms.to,
            Content::Viber(viber) => &viber.to,
            Content::Voice(voice) => voice.to.address(),
        }
    }

    /// How many messages a carrier sees: the parts of an Sms, else one.
    pub fn part_count(&self) -> usize {
        match &self.content {
            Content::Sms(sms) => sms.parts().len(),
            Content::Viber(_) | Content::Voice(_) => 1,
        }
    }

    /// Whether a Viber step asks to expire after delivery.
    pub const fn expire_on_delivery(&self) -> bool {
        matches!(&self.content, Content::Viber(viber) if viber.expire_on_delivery)
    }
}
