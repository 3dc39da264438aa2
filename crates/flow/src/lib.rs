//! What a failover flow is and how it changes.
//!
//! A [`Flow`] is a value, an [`Event`] happens to it, and [`Flow::apply`] is the only place that decides what
//! follows. What is owed next is a function of the state: [`Flow::tasks`]. Nothing here does I/O, reads a
//! clock or draws random numbers: times (milliseconds since the Unix epoch) and a flow's id come in as
//! arguments.
//!
//! A flow of two steps. Its first message expires, so the second one starts and is delivered:
//!
//! ```
//! # use flow::*;
//! # let id = uuid::Uuid::nil();
//! # let start_ms = 1_700_000_000_000;
//! let viber = sample::step(1, sample::viber("+306900000001", false));
//! let sms = sample::step(2, sample::sms("+306900000001", "hi"));
//! let mut flow = sample::flow(vec![viber, sms], None, start_ms, id);
//!
//! // It owes a hand-over to a carrier now, and an end of the message's time to live later.
//! let submit = TaskKind::Submit { channel: Channel::Viber, message: 0, part: 0 };
//! let expires_ms = start_ms + 600_000;
//! let expire = Task { kind: TaskKind::Expire { message: 0 }, due_ms: expires_ms };
//! assert_eq!(flow.tasks(), [Task { kind: submit, due_ms: start_ms }, expire]);
//!
//! // No carrier delivers it in time.
//! let applied = flow.apply(&Event::Expire { message: 0 }, expires_ms);
//! assert_eq!(applied.notes, [Note::Failover]);
//!
//! // The Sms is accepted by a carrier, and delivered.
//! flow.apply(&sample::submitted(1, 0, "main", "id-1"), expires_ms + 10);
//! let receipt = Receipt::new(Status::Delivered, Detail::DELIVERED);
//! flow.apply(&Event::Receipt { message: 1, part: 0, receipt }, expires_ms + 900);
//! assert_eq!(flow.state.status, FlowStatus::Succeeded);
//! assert_eq!(flow.state.termination, Some(Channel::Sms));
//! assert_eq!(flow.tasks(), []);
//! ```
//!
//! What is of one channel alone is in its file of [`channel`], whose table lists the channels.

mod callbacks;
pub mod channel;
mod channel_set;
mod detail;
mod event;
mod facets;
mod flow;
mod flow_status;
mod history;
mod ids;
mod limits;
pub mod links;
mod machine;
mod number;
mod occurrence;
mod part;
mod price;
mod receipt;
mod rule;
#[cfg(feature = "sample")]
pub mod sample;
mod sip;
mod size;
mod state;
pub mod statistics;
mod status;
mod step;
mod task;
pub mod text;
mod texts;
mod ttl;
mod violation;

pub use callbacks::{Callbacks, Change, ChangeKind, FlowBefore, PartBefore, PendingCallback};
pub use channel::rules::{ChannelContent, ChannelRules, Charge};
pub use channel::sandbox::{Play, PlayedReceipt, SandboxScript};
pub use channel::sms::{ShortLink, Shortened, Sms};
pub use channel::viber::{Action, Viber, ViberBody, ViberFile, ViberMessage, ViberTemplate, ViberVideo};
pub use channel::voice::{MachineDetection, MachineStrategy, Verb, Voice, VoiceTarget};
pub use channel::{Channel, Content};
pub use channel_set::ChannelSet;
pub use detail::Detail;
pub use event::{Applied, Attempt, Event, LateRefusal, Note};
pub use facets::Facets;
pub use flow::{CALLBACK_BYTES, Callback, CallbackStrategy, Flow, NewFlow};
pub use flow_status::{FlowKind, FlowStatus, StatusCode};
pub use history::History;
pub use ids::flow_of;
pub use limits::Limits;
pub use number::{is_e164, number_piece, number_start, read_number};
pub use occurrence::{Because, CallbackResult, Occurrence};
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
