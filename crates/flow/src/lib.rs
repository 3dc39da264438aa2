//! What a failover flow is and how it changes.
//!
//! A [`Flow`] is a value, an [`Event`] happens to it, and [`Flow::apply`] is the only place that decides what
//! follows. What is owed next is a function of the state: [`Flow::tasks`]. Nothing here does I/O, reads a
//! clock or draws random numbers: times (milliseconds since the Unix epoch) and ids come in as arguments.

mod callbacks;
mod channel;
mod check;
mod facets;
mod limits;
pub mod links;
mod machine;
mod model;
mod number;
mod price;
mod receipt;
mod rule;
#[cfg(feature = "sample")]
pub mod sample;
mod sip;
mod size;
mod status;
mod step;
mod task;
pub mod text;

pub use callbacks::{Callbacks, Change, ChangeKind, FlowBefore, PartBefore, PendingCallback};
pub use channel::{Channel, ChannelSet};
pub use check::Violation;
pub use facets::Facets;
pub use limits::Limits;
pub use machine::{Applied, Event, LateRefusal, Note};
pub use model::{
    CALLBACK_BYTES, Callback, CallbackStrategy, CarrierRef, Covers, Flow, FlowKind, FlowStatus, Message,
    NewFlow, Part, State, StatusCode, StatusRecord, Submit,
};
pub use number::{is_e164, number_piece, number_start, read_number};
pub use price::{Price, Rate};
pub use receipt::Receipt;
pub use rule::Rule;
pub use sip::{SipAddress, SipHost};
pub use size::{CARRIER_MAX, REFERENCE_MAX};
pub use status::{Detail, Status};
pub use step::{
    Action, Content, MachineDetection, MachineStrategy, Restrictions, ShortLink, Shortened, Sms, Step, Ttl,
    Verb, Viber, ViberBody, ViberFile, ViberMessage, ViberTemplate, ViberVideo, Voice, VoiceTarget,
};
pub use task::{Task, TaskKind};
