//! A step as it is shown: with its defaults filled in (contract, section 2).

use crate::words::{
    DeliveryScope, Gender, MachineStrategyWord, SmsFailoverStatus, SmsType, ViberFailoverStatus, ViberType,
    VoiceFailoverStatus, VoiceType,
};
use flow::{
    Action, Content, MachineStrategy, Step, Verb, ViberBody, ViberFile, ViberMessage, ViberTemplate,
    ViberVideo, VoiceTarget,
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A step as accepted, with every default filled in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StepView {
    /// A short message.
    Sms(SmsStep),
    /// A Viber business message.
    Viber(Box<ViberStep>),
    /// A call.
    Voice(VoiceStep),
}

/// An Sms step.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsStep {
    #[serde(rename = "type")]
    channel: SmsType,
    order: u32,
    /// A number, or at most 11 alphanumeric characters.
    #[schema(example = "Acme")]
    from: String,
    /// E.164.
    #[schema(example = "+306900000010", pattern = r"^\+[1-9]\d{6,14}$")]
    to: String,
    /// Minutes, 1 to 1440.
    #[schema(minimum = 1, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<SmsFailoverStatus>)]
    failover_on_statuses: Vec<&'static str>,
    message: SmsMessage,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url_shortener: Option<UrlShortenerView>,
}

/// Replaces every link of the body by a short one.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlShortenerView {
    /// How long the short links work, seconds.
    #[schema(minimum = 3600, maximum = 2_592_000)]
    url_validity: u32,
}

/// What an Sms says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SmsMessage {
    #[schema(min_length = 1, example = "Your parcel is here")]
    body: String,
    /// Show at once and do not store.
    flash: bool,
    #[schema(min_length = 1, max_length = 350)]
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Replace characters that the GSM alphabet lacks.
    transcode: bool,
}

/// A Viber step: with a `message`, or with a template in a transactional flow.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberStep {
    #[serde(rename = "type")]
    channel: ViberType,
    order: u32,
    /// The registered sender.
    #[schema(min_length = 1, max_length = 255)]
    sender_info_tracking_id: String,
    /// E.164.
    #[schema(example = "+306900000010", pattern = r"^\+[1-9]\d{6,14}$")]
    to: String,
    /// Minutes with one decimal place, 0.5 to 1440.
    #[schema(minimum = 0.5, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<ViberFailoverStatus>)]
    failover_on_statuses: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbound_url: Option<String>,
    expire_on_delivery: bool,
    #[schema(min_length = 1, max_length = 350)]
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ViberBodyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_lang: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_params: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeliveryScope>, nullable = false)]
    delivery_scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

/// What a Viber message shows; at least one of text, imageUrl, viberFile and viberVideo.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberBodyView {
    #[schema(min_length = 1, max_length = 1000, example = "Your parcel is here")]
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[schema(max_length = 1000, pattern = "^https://")]
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber_file: Option<FileView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber_video: Option<VideoView>,
}

/// A button under a Viber message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    #[schema(min_length = 1, max_length = 30)]
    caption: String,
    #[schema(pattern = "^https?://")]
    target_url: String,
}

/// A file in a Viber message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    #[schema(min_length = 1, max_length = 25)]
    file_name: String,
    file_type: String,
    #[schema(max_length = 1000, pattern = "^https://")]
    file_url: String,
}

/// A video in a Viber message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoView {
    #[schema(max_length = 1000, pattern = "^https://")]
    video_url: String,
    #[schema(max_length = 1000, pattern = "^https://")]
    video_thumbnail: String,
    /// Megabytes.
    #[schema(exclusive_minimum = 0, maximum = 200)]
    file_size: f64,
    /// Seconds.
    #[schema(minimum = 1, maximum = 600)]
    duration: u32,
}

/// A Voice step.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceStep {
    #[serde(rename = "type")]
    channel: VoiceType,
    order: u32,
    /// The caller id.
    #[schema(min_length = 1, max_length = 64)]
    from: String,
    to: TargetView,
    /// Minutes, 1 to 1440.
    #[schema(minimum = 1, maximum = 1440)]
    #[serde(serialize_with = "whole")]
    ttl: f64,
    #[schema(value_type = Vec<VoiceFailoverStatus>)]
    failover_on_statuses: Vec<&'static str>,
    dial_plan: DialPlanView,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_detection: Option<MachineDetectionView>,
}

/// Whom a call reaches; exactly one of them.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct TargetView {
    #[schema(example = "+306900000010")]
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    viber: Option<String>,
}

/// What a call says and plays.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DialPlanView {
    #[schema(min_items = 1)]
    verbs: Vec<VerbView>,
}

/// One thing that a call does.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum VerbView {
    /// Speak a text.
    Say {
        #[schema(minimum = 1, maximum = 100)]
        repeat: u32,
        #[serde(rename = "bargeIn")]
        barge_in: bool,
        message: SayView,
    },
    /// Play a file.
    Play {
        #[schema(minimum = 1, maximum = 100)]
        repeat: u32,
        #[serde(rename = "bargeIn")]
        barge_in: bool,
        #[serde(rename = "fileURL")]
        file_url: String,
    },
}

/// What is said, and how.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SayView {
    language: String,
    #[schema(value_type = Gender)]
    gender: String,
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
}

/// What to do when a machine answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineDetectionView {
    #[schema(value_type = MachineStrategyWord)]
    strategy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_url: Option<String>,
}

/// Minutes: whole ones without a decimal place.
pub fn whole<S: serde::Serializer>(minutes: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if minutes.fract() == 0.0 {
        serializer.serialize_u64(*minutes as u64)
    } else {
        serializer.serialize_f64(*minutes)
    }
}

/// A ttl in minutes.
pub fn ttl_minutes(step: &Step) -> f64 {
    f64::from(step.ttl.tenths) / 10.0
}

/// The spellings of a step's failover statuses.
pub fn failover_names(step: &Step) -> Vec<&'static str> {
    step.failover_on.iter().map(|status| status.name()).collect()
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> StepView {
        let (order, ttl, failover_on_statuses) = (step.order, ttl_minutes(step), failover_names(step));
        match &step.content {
            Content::Sms(sms) => StepView::Sms(SmsStep {
                channel: SmsType::Sms,
                order,
                from: sms.from.clone(),
                to: sms.to.clone(),
                ttl,
                failover_on_statuses,
                message: SmsMessage {
                    body: sms.body.clone(),
                    flash: sms.flash,
                    label: sms.label.clone(),
                    transcode: sms.transcode,
                },
                url_shortener: sms
                    .shortened
                    .as_ref()
                    .map(|shortened| UrlShortenerView { url_validity: shortened.validity_s }),
            }),
            Content::Viber(viber) => {
                let (message, template) = match &viber.message {
                    ViberMessage::Body(body) => (Some(ViberBodyView::from(body)), None),
                    ViberMessage::Template(template) => (None, Some(template)),
                };
                let scope = |t: &ViberTemplate| if t.all_devices { "ALL_DEVICES" } else { "PRIMARY_DEVICE" };
                StepView::Viber(Box::new(ViberStep {
                    channel: ViberType::Viber,
                    order,
                    sender_info_tracking_id: viber.sender.clone(),
                    to: viber.to.clone(),
                    ttl,
                    failover_on_statuses,
                    inbound_url: viber.inbound_url.clone(),
                    expire_on_delivery: viber.expire_on_delivery,
                    label: viber.label.clone(),
                    message,
                    template_id: template.map(|t| t.id.clone()),
                    template_lang: template.map(|t| t.language.clone()),
                    template_params: template.map(|t| t.params.clone()),
                    delivery_scope: template.map(scope),
                    seq: template.map(|t| t.seq),
                }))
            }
            Content::Voice(voice) => StepView::Voice(VoiceStep {
                channel: VoiceType::Voice,
                order,
                from: voice.from.clone(),
                to: TargetView::from(&voice.to),
                ttl,
                failover_on_statuses,
                dial_plan: DialPlanView { verbs: voice.verbs.iter().map(VerbView::from).collect() },
                machine_detection: voice.machine_detection.as_ref().map(|detection| MachineDetectionView {
                    strategy: match detection.strategy {
                        MachineStrategy::Hangup => "Hangup",
                        MachineStrategy::Continue => "Continue",
                    },
                    event_url: detection.event_url.clone(),
                }),
            }),
        }
    }
}

impl From<&ViberBody> for ViberBodyView {
    fn from(body: &ViberBody) -> ViberBodyView {
        let action = |action: &Action| ActionView {
            caption: action.caption.clone(),
            target_url: action.target_url.clone(),
        };
        let file = |file: &ViberFile| FileView {
            file_name: file.name.clone(),
            file_type: file.kind.clone(),
            file_url: file.url.clone(),
        };
        let video = |video: &ViberVideo| VideoView {
            video_url: video.url.clone(),
            video_thumbnail: video.thumbnail.clone(),
            file_size: video.size_mb,
            duration: video.duration_s,
        };
        ViberBodyView {
            text: body.text.clone(),
            image_url: body.image_url.clone(),
            action: body.action.as_ref().map(action),
            viber_file: body.file.as_ref().map(file),
            viber_video: body.video.as_ref().map(video),
        }
    }
}

impl TargetView {
    /// The address, whatever its kind.
    pub fn address(&self) -> &str {
        self.phone.as_ref().or(self.sip.as_ref()).or(self.viber.as_ref()).map_or("", |address| address)
    }
}

impl From<&VoiceTarget> for TargetView {
    fn from(to: &VoiceTarget) -> TargetView {
        let mut view = TargetView::default();
        match to {
            VoiceTarget::Phone(to) => view.phone = Some(to.clone()),
            VoiceTarget::Sip(to) => view.sip = Some(to.clone()),
            VoiceTarget::Viber(to) => view.viber = Some(to.clone()),
        }
        view
    }
}

impl From<&Verb> for VerbView {
    fn from(verb: &Verb) -> VerbView {
        match verb {
            Verb::Say { language, gender, text, repeat, barge_in } => VerbView::Say {
                repeat: *repeat,
                barge_in: *barge_in,
                message: SayView { language: language.clone(), gender: gender.clone(), text: text.clone() },
            },
            Verb::Play { url, repeat, barge_in } => {
                VerbView::Play { repeat: *repeat, barge_in: *barge_in, file_url: url.clone() }
            }
        }
    }
}
