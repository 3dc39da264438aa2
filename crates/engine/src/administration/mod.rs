//! What operators do with an installation, whatever door they come through: one subject a file. It works
//! over the store alone, beside a running server or without one; a running server follows within seconds.

mod applications;
pub mod audit;
mod balances;
mod callbacks;
mod carriers;
mod desk;
pub mod links;
mod masking;
mod one_time;
mod operator_name;
pub mod operators;
mod opt_outs;
mod passwords;
pub mod sessions;
#[cfg(test)]
mod test_place;

pub use applications::{
    ApplicationError, CreateError, Credentials, Name, NameError, RotateError, RotatedKey, change_limits,
    create, list, revoke, rotate_callback_key, rotate_secret,
};
pub use balances::{BalanceChange, BalanceError, balance, change_balance, read_amount};
pub use callbacks::{ReplayError, replay};
pub use carriers::{CarrierError, Carriers, Which};
pub use desk::Desk;
pub use masking::masked_number;
pub use operator_name::{OperatorName, OperatorNameError};
pub use opt_outs::{OptOutError, OptOuts, REASON_MAX};
pub use passwords::{HashError, LENGTH as PASSWORD_LENGTH, PasswordRule};
