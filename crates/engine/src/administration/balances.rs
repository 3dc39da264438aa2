//! What applications may still spend.

use flow::Price;
use store::{Admin, StoreError};

/// The most that a balance is set to or changed by: sums of such amounts are exact.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// What is to become of a balance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BalanceChange {
    /// It becomes this.
    Set(Price),
    /// So much is added; what is negative is taken.
    Add(Price),
    /// Nobody counts any more: the application may spend what it likes.
    Forget,
}

/// Why a balance is not known or changed.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError {
    /// No application has this id.
    #[error("there is no application {0}")]
    Unknown(String),
    /// It has none, so that nothing can be added.
    #[error("application {0} has no balance to add to")]
    None(String),
    /// An amount is no decimal number of at most 10^15.
    #[error("must be a decimal number, such as 10.50, of at most {AMOUNT_MAX}")]
    Amount,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads an amount of money.
///
/// # Errors
/// [`BalanceError::Amount`].
pub fn read_amount(text: &str) -> Result<Price, BalanceError> {
    let most = Price::from(AMOUNT_MAX);
    let amount = text.parse::<Price>().ok().filter(|amount| (-most..=most).contains(amount));
    amount.ok_or(BalanceError::Amount)
}

/// What an application may still spend; `None` where nobody counts.
///
/// # Errors
/// [`BalanceError::Unknown`]; [`BalanceError::Store`].
pub async fn balance(admin: &dyn Admin, id: &str) -> Result<Option<Price>, BalanceError> {
    if admin.application(id).await?.is_none() {
        return Err(BalanceError::Unknown(id.to_owned()));
    }
    Ok(admin.balance(id).await?)
}

/// Changes what an application may still spend; returns what it is then.
///
/// # Errors
/// [`BalanceError::Unknown`]; [`BalanceError::None`]; [`BalanceError::Store`].
pub async fn change_balance(
    admin: &dyn Admin,
    id: &str,
    change: BalanceChange,
) -> Result<Option<Price>, BalanceError> {
    if admin.application(id).await?.is_none() {
        return Err(BalanceError::Unknown(id.to_owned()));
    }
    match change {
        BalanceChange::Set(amount) => admin.set_balance(id, Some(amount)).await?,
        BalanceChange::Forget => admin.set_balance(id, None).await?,
        BalanceChange::Add(amount) => {
            let added = admin.add_balance(id, amount).await?;
            return added.map(Some).ok_or_else(|| BalanceError::None(id.to_owned()));
        }
    };
    Ok(admin.balance(id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_bounds() {
        assert_eq!(read_amount("-10.50").unwrap(), Price::new(-1050, 2));
        assert_eq!(read_amount("1000000000000000").unwrap(), Price::from(AMOUNT_MAX));
        for wrong in ["", "ten", "1e3000", "1000000000000000.01", "-1000000000000001"] {
            assert!(matches!(read_amount(wrong), Err(BalanceError::Amount)), "{wrong}");
        }
    }
}
