//! What happened in a run in which every promise was kept.

/// What happened in a run in which every promise was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Flows that were acknowledged.
    pub acknowledged: usize,
    /// Times that the server was killed.
    pub crashes: u32,
    /// Parts that reached a carrier.
    pub submissions: usize,
    /// Receipts that carriers had for us.
    pub receipts: usize,
    /// Callbacks that reached their target.
    pub callbacks: usize,
    /// Parts that reached carriers twice, as the guarantees allow it.
    pub doubles: usize,
    /// The longest that a first step over another channel than Voice waited for its carrier, milliseconds.
    pub slowest_hand_over_ms: i64,
    /// The longest that the first callback to a target waited that does not hang, milliseconds after the
    /// change.
    pub slowest_callback_ms: i64,
    /// A number that stands for the whole course: equal for equal courses.
    pub fingerprint: u64,
}

impl Summary {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Summary) {
        self.acknowledged += other.acknowledged;
        self.crashes += other.crashes;
        self.submissions += other.submissions;
        self.receipts += other.receipts;
        self.callbacks += other.callbacks;
        self.doubles += other.doubles;
    }
}
