//! Calls over SIP (RFC 3261): out through trunks, with prompts that are made ready before anybody is called.

mod audio;
mod call;
mod carrier;
mod changes;
mod config;
mod destination;
mod detect;
mod dial;
mod dialog;
mod digest;
mod early;
mod error;
mod g711;
mod guard;
mod keys;
mod line;
mod media;
mod names;
mod pacing;
mod prepare;
mod reach;
#[cfg(test)]
mod reaches;
mod register;
mod room;
mod rtp;
mod sdp;
mod sounds;
mod speech;
mod stack;
mod trace;
mod trial;
mod trunk;
mod turns;
mod unready;
mod wav;
mod wire;

#[cfg(feature = "fuzzing")]
pub(crate) use audio::fuzz as fuzz_audio;
#[cfg(feature = "fuzzing")]
pub(crate) use call::fuzz as fuzz_answer;
pub use carrier::Sip;
pub use config::SipConfig;
pub use error::{BindError, NotAHost, SipError, TrunkError};
pub use trace::Trace;
