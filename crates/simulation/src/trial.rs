//! The kinds of runs.

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trial {
    /// Whatever the seed draws.
    #[default]
    Any,
    /// Nothing but this: for an hour, the carriers of Voice are down, and the target of every other flow's
    /// callbacks hangs.
    Outage,
    /// Nothing but this: another application sends hundreds of flows at once over the same slow carriers,
    /// with callbacks to as many hosts that hang, some of which can't be stored any more once they were
    /// accepted; and now and then the clock is wrong for some seconds, by hours or by years, with the
    /// carriers down.
    Hostile,
}
