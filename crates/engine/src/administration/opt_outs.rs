//! Opt-outs: recipients who want no more messages of an application on a channel. Ours, beyond the contract.

use flow::{Channel, is_e164};
use store::{Admin, StoreError, Suppression};
use wire::typed_number::{NoNumber, typed_number};

/// Recipients that are stored at once.
const BATCH: usize = 10_000;

/// Characters of a reason, at most.
pub const REASON_MAX: usize = 200;

/// Why a list is not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum OptOutError {
    /// No application has this id.
    #[error("there is no application {0}")]
    Unknown(String),
    /// The recipient is none.
    #[error("\"{0}\" is not a phone number in E.164 form, such as +306900000001")]
    NoNumber(String),
    /// The reason is too long.
    #[error("a reason must have at most {REASON_MAX} characters")]
    LongReason,
    /// What a person typed is no number.
    #[error(transparent)]
    Typed(#[from] NoNumber),
    /// The recipient did not opt out.
    #[error("{0} is not on the list")]
    NotListed(String),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The opt-outs of an application that exists, on one channel.
pub struct OptOuts<'a> {
    admin: &'a dyn Admin,
    application: String,
    channel: Channel,
}

impl<'a> OptOuts<'a> {
    /// Those of an application.
    ///
    /// # Errors
    /// [`OptOutError::Unknown`]; [`OptOutError::Store`].
    pub async fn of(
        admin: &'a dyn Admin,
        application: &str,
        channel: Channel,
    ) -> Result<OptOuts<'a>, OptOutError> {
        let application = application.to_owned();
        match admin.application(&application).await? {
            Some(_) => Ok(OptOuts { admin, application, channel }),
            None => Err(OptOutError::Unknown(application)),
        }
    }

    /// Whose channel it is.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// A recipient who opted out.
    ///
    /// # Errors
    /// [`OptOutError::NoNumber`]; [`OptOutError::LongReason`].
    pub fn entry(&self, recipient: &str, reason: &str, now_ms: i64) -> Result<Suppression, OptOutError> {
        if !is_e164(recipient) {
            return Err(OptOutError::NoNumber(recipient.to_owned()));
        }
        if reason.chars().count() > REASON_MAX {
            return Err(OptOutError::LongReason);
        }
        let (recipient, reason) = (recipient.to_owned(), reason.to_owned());
        let (application, channel) = (self.application.clone(), self.channel);
        Ok(Suppression { application, channel, recipient, reason, since_ms: now_ms })
    }

    /// A recipient who opted out, as a person typed the number; `country` is that of numbers without one.
    ///
    /// # Errors
    /// [`OptOutError::Typed`].
    pub fn typed_entry(
        &self,
        typed: &str,
        country: Option<&str>,
        reason: &str,
        now_ms: i64,
    ) -> Result<Suppression, OptOutError> {
        self.entry(&typed_number(typed, country)?, reason, now_ms)
    }

    /// Remembers recipients.
    ///
    /// # Errors
    /// [`OptOutError::Store`]: the first of very many may be remembered then.
    pub async fn add(&self, entries: &[Suppression]) -> Result<(), OptOutError> {
        for batch in entries.chunks(BATCH) {
            self.admin.suppress(batch).await?;
        }
        Ok(())
    }

    /// Forgets that a recipient opted out.
    ///
    /// # Errors
    /// [`OptOutError::NotListed`]; [`OptOutError::Store`].
    pub async fn remove(&self, recipient: &str) -> Result<(), OptOutError> {
        match self.admin.unsuppress(&self.application, self.channel, recipient).await? {
            true => Ok(()),
            false => Err(OptOutError::NotListed(recipient.to_owned())),
        }
    }

    /// At most `limit` recipients, by number, behind the number `after`.
    ///
    /// # Errors
    /// [`OptOutError::Store`].
    pub async fn page(&self, after: &str, limit: usize) -> Result<Vec<Suppression>, OptOutError> {
        Ok(self.admin.suppressions(&self.application, self.channel, after, limit).await?)
    }
}
