//! Money: exact decimals in the currency of the installation.

/// An amount in the installation's currency; stored and summed exactly.
pub type Price = rust_decimal::Decimal;

/// What a carrier charges for a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rate {
    /// For an Sms part, a Viber message, or an interval of a call.
    pub price: Price,
    /// The seconds of such an interval; absent: a call is charged once.
    pub interval_s: Option<u32>,
    /// The network that the rate is for.
    pub operator: Option<String>,
}
