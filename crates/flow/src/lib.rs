//! What a failover flow is and how it changes.
//!
//! A [`Flow`] is a value, an [`Event`] happens to it, and [`Flow::apply`] is the only place that decides what
//! follows. What is owed next is a function of the state: [`Flow::tasks`]. Nothing here does I/O, reads a
//! clock or draws random numbers: times (milliseconds since the Unix epoch) and ids come in as arguments.

mod callbacks;
pub mod channel;
mod channel_set;
mod compat;
mod detail;
mod event;
mod facets;
mod flow;
mod flow_status;
mod limits;
pub mod links;
mod machine;
mod number;
mod part;
mod price;
mod receipt;
mod rule;
#[cfg(feature = "sample")]
pub mod sample;
mod sip;
mod size;
mod state;
mod status;
mod step;
mod task;
pub mod text;
mod texts;
mod ttl;
mod violation;

pub use callbacks::{Callbacks, Change, ChangeKind, FlowBefore, PartBefore, PendingCallback};
pub use channel::rules::{ChannelContent, ChannelRules, Charge};
pub use channel::sms::{ShortLink, Shortened, Sms};
pub use channel::viber::{Action, Viber, ViberBody, ViberFile, ViberMessage, ViberTemplate, ViberVideo};
pub use channel::voice::{MachineDetection, MachineStrategy, Verb, Voice, VoiceTarget};
pub use channel::{Channel, Content};
pub use channel_set::ChannelSet;
pub use detail::Detail;
pub use event::{Applied, Event, LateRefusal, Note};
pub use facets::Facets;
pub use flow::{CALLBACK_BYTES, Callback, CallbackStrategy, Flow, NewFlow};
pub use flow_status::{FlowKind, FlowStatus, StatusCode};
pub use limits::Limits;
pub use number::{is_e164, number_piece, number_start, read_number};
pub use part::{CarrierRef, Covers, Part, StatusRecord, Submit};
pub use price::{Price, Rate};
pub use receipt::Receipt;
pub use rule::Rule;
pub use sip::{SipAddress, SipAddressError, SipHost};
pub use state::{Message, State};
pub use status::Status;
pub use step::{Restrictions, Step};
pub use task::{Task, TaskKind};
pub use texts::{CARRIER_MAX, REFERENCE_MAX};
pub use ttl::{Ttl, TtlRule};
pub use violation::{Violation, Violations};
