//! Carriers that operators paused or drain.

use crate::error::Result;
use async_trait::async_trait;
use serde::Serialize;

/// Why a carrier is given nothing new.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Halt {
    /// For a while: it is to be resumed.
    Paused,
    /// For good: once nothing of it is under way, it can be taken out of the configuration.
    Draining,
}

impl Halt {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Halt::Paused => "paused",
            Halt::Draining => "draining",
        }
    }

    /// The halt with this word.
    pub(crate) fn parse(word: &str) -> Option<Halt> {
        [Halt::Paused, Halt::Draining].into_iter().find(|halt| halt.name() == word)
    }
}

/// A carrier that is given nothing new, since an operator wants it so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HaltedCarrier {
    /// The carrier's configured name.
    pub carrier: String,
    /// Why.
    pub halt: Halt,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Who asked for it.
    pub by: String,
}

/// What operators want of carriers. [`Admin`](crate::Admin) changes it.
#[async_trait]
pub trait Halts: Send + Sync {
    /// The carriers that are given nothing new, by name; also those that are not configured (any more).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>>;
}
