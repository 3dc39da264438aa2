//! What a send may contain, for the description: [`crate::read_step`] reads it, and answers show steps as
//! [`crate::step_view`] has them.
#![allow(dead_code)] // Only their schemas are used.

use crate::step_view::{ActionView, FileView, TargetView, VideoView};
use crate::words::{
    DeliveryScope, Gender, MachineStrategyWord, SmsFailoverStatus, SmsType, StrategyWord,
    ViberFailoverStatus, ViberType, VoiceFailoverStatus, VoiceType,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A flow to be sent.
#[derive(Serialize, ToSchema)]
pub struct SendRequest {
    /// The steps, at most 32; they run in ascending `order`.
    #[schema(min_items = 1, max_items = 32)]
    flow: Vec<StepRequest>,
    /// Where results go.
    #[schema(nullable = false)]
    callback: Option<CallbackRequest>,
    /// India: registration ids for the carrier; not in a transactional flow.
    #[schema(nullable = false)]
    restrictions: Option<RestrictionsRequest>,
}

/// Where results go, and when.
#[derive(Serialize, ToSchema)]
pub struct CallbackRequest {
    /// `OnChange` by default.
    #[schema(nullable = false)]
    strategy: Option<StrategyWord>,
    #[schema(pattern = "^https?://", max_length = 2000, example = "https://acme.example/results")]
    url: String,
}

/// Registration ids that Indian carriers ask for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestrictionsRequest {
    #[schema(nullable = false)]
    content_template_id: Option<String>,
    #[schema(nullable = false)]
    principal_entity_id: Option<String>,
}

/// A step of a send.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum StepRequest {
    /// A short message.
    Sms(SmsStepRequest),
    /// A Viber business message.
    Viber(Box<ViberStepRequest>),
    /// A call.
    Voice(VoiceStepRequest),
}

/// An Sms step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsStepRequest {
    #[serde(rename = "type")]
    channel: SmsType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// A number of at most 16 digits, or at most 11 alphanumeric characters.
    #[schema(example = "Acme")]
    from: String,
    /// 7 to 15 digits; the plus may be missing, and blanks, dashes, dots and parentheses between them are dropped.
    #[schema(example = "+306900000010", pattern = r"^\+?[1-9]\d{6,14}$")]
    to: String,
    /// Minutes, 1 to 1440; 1200 by default.
    #[schema(minimum = 1, maximum = 1440, nullable = false)]
    ttl: Option<u32>,
    /// The statuses that start the next step; both by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<SmsFailoverStatus>>,
    message: SmsMessageRequest,
    #[schema(nullable = false)]
    url_shortener: Option<UrlShortenerRequest>,
}

/// Replaces every link of the body by a short one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlShortenerRequest {
    /// How long the short links work, seconds; 2592000 by default.
    #[schema(minimum = 3600, maximum = 2_592_000, nullable = false)]
    url_validity: Option<u32>,
}

/// What an Sms says.
#[derive(Serialize, ToSchema)]
pub struct SmsMessageRequest {
    #[schema(min_length = 1, example = "Your parcel is here")]
    body: String,
    /// Show at once and do not store.
    #[schema(nullable = false)]
    flash: Option<bool>,
    #[schema(min_length = 1, max_length = 350, nullable = false)]
    label: Option<String>,
    /// Replace characters that the GSM alphabet lacks; by default as the application is set.
    #[schema(nullable = false)]
    transcode: Option<bool>,
}

/// A Viber step: with a `message`, or with a template in a transactional flow.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberStepRequest {
    #[serde(rename = "type")]
    channel: ViberType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// The registered sender.
    #[schema(min_length = 1, max_length = 255, example = "acme")]
    sender_info_tracking_id: String,
    /// 7 to 15 digits; the plus may be missing, and blanks, dashes, dots and parentheses between them are dropped.
    #[schema(example = "+306900000010", pattern = r"^\+?[1-9]\d{6,14}$")]
    to: String,
    /// Minutes with one decimal place, 0.5 to 1440; 10 by default.
    #[schema(minimum = 0.5, maximum = 1440, nullable = false)]
    ttl: Option<f64>,
    /// The statuses that start the next step; all three by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<ViberFailoverStatus>>,
    /// Where what the recipient writes goes.
    #[schema(pattern = "^https?://", max_length = 1000, nullable = false)]
    inbound_url: Option<String>,
    /// A message that is delivered but not seen when the ttl passes becomes Expired.
    #[schema(nullable = false)]
    expire_on_delivery: Option<bool>,
    /// Not in a transactional flow.
    #[schema(min_length = 1, max_length = 350, nullable = false)]
    label: Option<String>,
    /// Required, but in a transactional flow.
    #[schema(nullable = false)]
    message: Option<ViberMessageRequest>,
    /// Required in a transactional flow, and only there.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    template_id: Option<String>,
    /// The same.
    #[schema(min_length = 1, max_length = 35, nullable = false)]
    template_lang: Option<String>,
    /// Strings, numbers or booleans; a number keeps the digits that it was written with. In a transactional flow only.
    #[schema(nullable = false)]
    template_params: Option<BTreeMap<String, Value>>,
    /// `PRIMARY_DEVICE` by default. In a transactional flow only.
    #[schema(nullable = false)]
    delivery_scope: Option<DeliveryScope>,
    /// The client's own number, echoed. In a transactional flow only.
    #[schema(nullable = false)]
    seq: Option<i64>,
}

/// What a Viber message shows; at least one of text, imageUrl, viberFile and viberVideo.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViberMessageRequest {
    #[schema(min_length = 1, max_length = 1000, example = "Your parcel is here", nullable = false)]
    text: Option<String>,
    #[schema(max_length = 1000, pattern = "^https://", nullable = false)]
    image_url: Option<String>,
    #[schema(nullable = false)]
    action: Option<ActionView>,
    #[schema(nullable = false)]
    viber_file: Option<FileView>,
    #[schema(nullable = false)]
    viber_video: Option<VideoView>,
}

/// A Voice step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceStepRequest {
    #[serde(rename = "type")]
    channel: VoiceType,
    /// Its priority; absent: its place in the array. Steps of the same order run as the array has them.
    #[schema(minimum = 1, nullable = false)]
    order: Option<u32>,
    /// The caller id.
    #[schema(min_length = 1, max_length = 64, example = "+302100000000")]
    from: String,
    to: TargetView,
    /// Minutes, 1 to 1440; 10 by default.
    #[schema(minimum = 1, maximum = 1440, nullable = false)]
    ttl: Option<u32>,
    /// The statuses that start the next step; `Busy` and `NoAnswer` by default.
    #[schema(nullable = false)]
    failover_on_statuses: Option<Vec<VoiceFailoverStatus>>,
    dial_plan: DialPlanRequest,
    #[schema(nullable = false)]
    machine_detection: Option<MachineDetectionRequest>,
}

/// What a call says and plays.
#[derive(Serialize, ToSchema)]
pub struct DialPlanRequest {
    #[schema(min_items = 1, max_items = 100)]
    verbs: Vec<VerbRequest>,
}

/// One thing that a call does.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum VerbRequest {
    /// Speak a text.
    Say {
        /// Once by default.
        #[schema(minimum = 1, maximum = 100, nullable = false)]
        repeat: Option<u32>,
        /// A key press stops it.
        #[serde(rename = "bargeIn")]
        #[schema(nullable = false)]
        barge_in: Option<bool>,
        message: SayRequest,
    },
    /// Play a file.
    Play {
        /// Once by default.
        #[schema(minimum = 1, maximum = 100, nullable = false)]
        repeat: Option<u32>,
        /// A key press stops it.
        #[serde(rename = "bargeIn")]
        #[schema(nullable = false)]
        barge_in: Option<bool>,
        #[serde(rename = "fileURL")]
        #[schema(pattern = "^https?://", max_length = 1000)]
        file_url: String,
    },
}

/// What is said, and how.
#[derive(Serialize, ToSchema)]
pub struct SayRequest {
    /// A BCP 47 tag; `en-US` by default.
    #[schema(min_length = 2, max_length = 35, nullable = false)]
    language: Option<String>,
    /// `female` by default.
    #[schema(nullable = false)]
    gender: Option<Gender>,
    #[schema(min_length = 1, max_length = 4000, example = "Your parcel is here")]
    text: String,
}

/// What to do when a machine answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineDetectionRequest {
    strategy: MachineStrategyWord,
    /// Where the dial plan for machines is fetched.
    #[schema(pattern = "^https?://", max_length = 1000, nullable = false)]
    event_url: Option<String>,
}
