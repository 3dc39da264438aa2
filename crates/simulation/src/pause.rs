//! Pauses of carriers.

/// A carrier that was paused, milliseconds of the simulation.
#[derive(Clone, Debug)]
pub struct Pause {
    pub carrier: String,
    pub from_ms: i64,
    /// None while it is paused.
    pub to_ms: Option<i64>,
}
