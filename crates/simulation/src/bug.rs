//! Bugs that are planted in the store to be found.

use crate::trial::Trial;

/// A bug that the simulation has to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Bug {
    /// A flow is acknowledged before it is on disk.
    AnswerBeforeCommit,
    /// Some messages' times to live never end.
    ForgetExpiry,
    /// Receipts of a message's later parts are taken for receipts of its first one.
    WrongPart,
    /// A carrier is told that its receipt is safe before it is.
    AcknowledgeBeforeStore,
    /// That a part is about to be handed to a carrier that must not get it twice is not written down.
    ForgetHandOver,
    /// That a hand-over had an outcome that nobody knows is not written down.
    ForgetUnknown,
    /// An answer of an SMSC that comes late is thrown away.
    ForgetLateAnswer,
    /// Idempotency keys are not looked at.
    IgnoreKeys,
    /// A callback that failed is not made again.
    ForgetCallback,
    /// Some commits do not reach the search index.
    SkipIndex,
    /// An index is taken for the database's own, whichever database it was written for.
    TrustIndex,
    /// What one application owes stands before what others owe.
    NoTurns,
    /// Things are deleted by their age whatever the clock shows.
    BelieveClock,
    /// What was put off by a clock that was ahead stays so when the clock is back.
    ForgetClock,
}

impl Bug {
    /// The trial that can find it.
    pub fn trial(self) -> Trial {
        match self {
            Bug::NoTurns | Bug::BelieveClock | Bug::ForgetClock => Trial::Hostile,
            _ => Trial::Any,
        }
    }
}
