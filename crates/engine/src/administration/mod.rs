//! What operators do with an installation, whatever door they come through: one subject a file. It works
//! over the store alone, beside a running server or without one; a running server follows within seconds.

mod applications;
mod balances;
mod callbacks;
mod opt_outs;

pub use applications::{
    ApplicationError, CreateError, Credentials, Name, NameError, RotateError, RotatedKey, change_limits,
    create, list, revoke, rotate_callback_key, rotate_secret,
};
pub use balances::{BalanceChange, BalanceError, balance, change_balance, read_amount};
pub use callbacks::{ReplayError, replay};
pub use opt_outs::{OptOutError, OptOuts};
