//! The channels' JSON: each has a file with its steps in requests and answers, and its messages in trackings.
//! The table below lists them.

#[cfg(feature = "fourth-channel")]
#[allow(missing_docs)] // It is of tests alone.
pub mod push;
pub mod rules;
#[allow(missing_docs)] // Its members are the contract's.
pub mod sms;
mod started;
#[allow(missing_docs)] // Its members are the contract's.
pub mod viber;
#[allow(missing_docs)] // Its members are the contract's.
pub mod voice;

use crate::reader::Reader;
use crate::step_reader::{StepContext, StepReader};
use crate::views::StatusView;
use flow::{Channel, Content, Step};
use rules::{ChannelWire, MessageFields};
use serde::{Deserialize, Serialize};
pub use started::Started;
use utoipa::ToSchema;

/// Makes the enums and their readers from the table: the channel's name, its file, and the types of a step in
/// a request, of a step in an answer, and of a message in a tracking, with its description.
macro_rules! channels {
    ($(
        #[doc = $doc:tt]
        $(#[cfg($($cfg:tt)*)])?
        $name:ident: $file:ident, $request:ident, $step:ident, $message:ident $about:tt;
    )*) => {
        /// A step of a send.
        #[derive(Serialize, ToSchema)]
        #[serde(untagged)]
        pub enum StepRequest {
            $(#[doc = $doc] $(#[cfg($($cfg)*)])? $name(Box<$file::$request>),)*
        }

        /// A step as accepted, with every default filled in.
        #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(untagged)]
        pub enum StepView {
            $(#[doc = $doc] $(#[cfg($($cfg)*)])? $name(Box<$file::$step>),)*
        }

        /// What became of a started step, or of a part of it.
        #[derive(Debug, Serialize, Deserialize, ToSchema)]
        #[serde(untagged)]
        pub enum MessageView {
            $(#[doc = $about] $(#[cfg($($cfg)*)])? $name(Box<$file::$message>),)*
        }

        /// What is of one channel in requests.
        pub fn wire_of(channel: Channel) -> &'static ChannelWire {
            match channel {
                $($(#[cfg($($cfg)*)])? Channel::$name => &$file::WIRE,)*
            }
        }

        fn read_content(channel: Channel, step: &StepReader<'_>) -> Option<Content> {
            Some(match channel {
                $($(#[cfg($($cfg)*)])? Channel::$name => Content::$name($file::read(step)?.into()),)*
            })
        }

        impl From<&Step> for StepView {
            fn from(step: &Step) -> StepView {
                match &step.content {
                    $($(#[cfg($($cfg)*)])?
                    Content::$name(content) => StepView::$name(Box::new($file::step_view(step, content))),)*
                }
            }
        }

        impl MessageView {
            /// What became of a step, part by part.
            pub fn all_of(started: Started<'_>) -> Vec<MessageView> {
                match &started.step.content {
                    $($(#[cfg($($cfg)*)])?
                    Content::$name(content) => $file::message_views(started, content)
                        .into_iter()
                        .map(|view| MessageView::$name(Box::new(view)))
                        .collect(),)*
                }
            }

            fn channel_and_fields(&self) -> (Channel, &dyn MessageFields) {
                match self {
                    $($(#[cfg($($cfg)*)])? MessageView::$name(view) => (Channel::$name, &**view),)*
                }
            }
        }
    };
}

channels! {
    /// A short message.
    Sms: sms, SmsStepRequest, SmsStep, SmsView "A part of a short message.";
    /// A Viber business message.
    Viber: viber, ViberStepRequest, ViberStep, ViberView "A Viber message.";
    /// A call.
    Voice: voice, VoiceStepRequest, VoiceStep, VoiceView "A call.";
    /// A notification.
    #[cfg(feature = "fourth-channel")]
    Push: push, PushStep, PushStep, PushView "A notification.";
}

impl MessageView {
    /// The recipient.
    pub fn to(&self) -> &str {
        self.channel_and_fields().1.to()
    }

    /// The channel that it went over.
    pub fn channel(&self) -> Channel {
        self.channel_and_fields().0
    }

    /// Its status, why, and since when.
    pub fn status(&self) -> &StatusView {
        self.channel_and_fields().1.status()
    }

    /// What it costs, in the installation's currency.
    pub fn price(&self) -> f64 {
        self.channel_and_fields().1.price()
    }

    /// Its channel and status: `Sms Delivered`.
    pub fn summary(&self) -> String {
        format!("{} {}", self.channel(), self.status().name)
    }
}

/// Reads what a step sends over a channel.
pub fn read(channel: Channel, reader: Reader<'_>, place: u32, context: &StepContext<'_>) -> Option<Content> {
    let others = Channel::ALL.into_iter().filter(|other| *other != channel);
    let foreign = others.map(|other| &wire_of(other).members).collect();
    let own = &wire_of(channel).members;
    read_content(channel, &StepReader { reader, place, context, own, foreign })
}
