//! What statistics can be grouped by.

/// What messages can be grouped by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dimension {
    /// The channel.
    Channel,
    /// The carrier that accepted it.
    Carrier,
    /// The recipient's country.
    Country,
    /// The recipient's network.
    Network,
    /// The message's status.
    Status,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Dimension; 5] =
        [Dimension::Channel, Dimension::Carrier, Dimension::Country, Dimension::Network, Dimension::Status];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::Channel => "channel",
            Dimension::Carrier => "carrier",
            Dimension::Country => "country",
            Dimension::Network => "network",
            Dimension::Status => "status",
        }
    }

    /// Reads a name in any case.
    pub fn parse(name: &str) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|dimension| dimension.name().eq_ignore_ascii_case(name))
    }
}
