//! Money: exact decimals in the currency of the installation.

/// An amount in the installation's currency; stored and summed exactly.
pub type Price = rust_decimal::Decimal;
