//! Moments of a simulation.

/// A moment, as the checker compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Moments are numbered.
    pub number: u64,
    /// How long the simulation has run, milliseconds.
    pub elapsed_ms: i64,
    /// The latest time that the server's clock has shown so far, Unix milliseconds.
    pub latest_ms: i64,
    /// How often the server had been started.
    pub life: u32,
}
