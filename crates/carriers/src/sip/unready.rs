//! Why a call is not ready.

use super::audio::AudioError;
use super::speech::SpeechError;
use crate::fetch::FetchError;

/// Why a call is not ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unready {
    /// Other calls take the room now; with why, for logs and metrics.
    #[error("{0}")]
    Busy(&'static str),
    /// It can't be made.
    #[error(transparent)]
    Never(#[from] PrepareError),
}

/// Why what a call is to say can't be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// The sounds together are longer than a call may have.
    #[error("the call has more than {0} s of sound (sound_max)")]
    TooLong(usize),
    /// A file that is to be played can't be had, or is no sound.
    #[error("PLAY {url}: {source}")]
    Play {
        /// Its URL.
        url: String,
        /// Why.
        source: SourceError,
    },
    /// A text can't be said.
    #[error("SAY: {0}")]
    Say(#[source] SourceError),
    /// Making everything took too long.
    #[error("what is to be heard is not ready in time")]
    TimedOut,
}

/// Why there is no sound from a source.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// Its file can't be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The speech engine makes none.
    #[error(transparent)]
    Speech(#[from] SpeechError),
    /// Its file can't be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The task that read its file ended without a result.
    #[error("the sound can't be read")]
    Task(#[from] tokio::task::JoinError),
}
