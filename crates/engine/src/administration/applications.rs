//! Applications: made, listed, limited, given other secrets, revoked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::{
    Admin, Application, ApplicationLimits, ApplicationSettings, CallbackKey, NewApplication, StoreError,
    callback_secret,
};

/// A new application's credentials. The secret is stored nowhere.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The key of its callbacks' signatures, in the form that Standard Webhooks libraries take.
    pub callback_secret: String,
}

/// Characters of an application's name, at most.
const NAME_MAX: usize = 200;

/// What people call an application: neither empty nor long nor with control characters.
#[derive(Clone, Debug)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// It is empty, or blanks.
    #[error("must not be empty")]
    Empty,
    /// It is too long.
    #[error("must have at most {NAME_MAX} characters")]
    Long,
    /// It has control characters.
    #[error("must not have control characters")]
    ControlCharacters,
}

impl Name {
    /// Takes a text as a name.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn of(text: String) -> Result<Name, NameError> {
        if text.trim().is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > NAME_MAX {
            return Err(NameError::Long);
        }
        if text.contains(char::is_control) {
            return Err(NameError::ControlCharacters);
        }
        Ok(Name(text))
    }
}

/// Why an application can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The system has no random numbers.
    #[error("there are no random numbers for a secret")]
    Random(#[from] getrandom::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing was done for an application.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// No application has this id.
    #[error("there is no application {0}")]
    Unknown(String),
    /// No application has this id and rights that could be taken.
    #[error("there is no application {0} to revoke")]
    NothingToRevoke(String),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an application got no other secret.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// It does not exist, or it was revoked.
    #[error("there is no application {0} that could have a secret")]
    NoSecret(String),
    /// It does not exist, or it was revoked.
    #[error("there is no application {0} that could have a callback secret")]
    NoCallbackSecret(String),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key of an application's callbacks' signatures, in the form that Standard Webhooks libraries take.
/// `key` is the installation's ([`Admin::secret_key`]).
fn webhook_secret(key: &[u8; 32], application: &str, of: CallbackKey) -> String {
    format!("whsec_{}", STANDARD.encode(callback_secret(key, application, of.generation)))
}

/// Makes an application.
///
/// # Errors
/// [`CreateError`].
pub async fn create(
    admin: &dyn Admin,
    Name(name): Name,
    settings: ApplicationSettings,
    now_ms: i64,
) -> Result<Credentials, CreateError> {
    let key = admin.secret_key().await?;
    let new = NewApplication::draw(name, settings, &key, now_ms)?;
    admin.add_application(&new).await?;
    let id = new.application.id;
    let callback_secret = webhook_secret(&key, &id, CallbackKey::default());
    Ok(Credentials { id, secret: new.secret, callback_secret })
}

/// Every application, the oldest first, each with the key of its callbacks' signatures in the form that
/// Standard Webhooks libraries take.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(admin: &dyn Admin) -> Result<Vec<(Application, String)>, StoreError> {
    let key = admin.secret_key().await?;
    let with_key = |application: Application| {
        let secret = webhook_secret(&key, &application.id, application.settings.callback_key);
        (application, secret)
    };
    Ok(admin.applications().await?.into_iter().map(with_key).collect())
}

/// Sets those limits of an application that are given, over those that it has, or over none with `reset`;
/// returns all that it has then.
///
/// # Errors
/// [`ApplicationError::Unknown`]; [`ApplicationError::Store`].
pub async fn change_limits(
    admin: &dyn Admin,
    id: &str,
    given: ApplicationLimits,
    reset: bool,
) -> Result<ApplicationLimits, ApplicationError> {
    let known = admin.application(id).await?.ok_or_else(|| ApplicationError::Unknown(id.to_owned()))?;
    let known = known.settings.limits;
    let base = if reset { ApplicationLimits::default() } else { known };
    let limits = ApplicationLimits {
        requests_per_second: given.requests_per_second.or(base.requests_per_second),
        searches_max: given.searches_max.or(base.searches_max),
        tokens_max: given.tokens_max.or(base.tokens_max),
    };
    if limits != known {
        admin.set_limits(id, limits).await?;
    }
    Ok(limits)
}

/// Gives an application another secret and ends its tokens; returns the secret.
///
/// # Errors
/// [`RotateError::NoSecret`]; [`RotateError::Store`].
pub async fn rotate_secret(admin: &dyn Admin, id: &str) -> Result<String, RotateError> {
    admin.rotate_secret(id).await?.ok_or_else(|| RotateError::NoSecret(id.to_owned()))
}

/// Another key of callbacks' signatures.
#[derive(Clone, Debug)]
pub struct RotatedKey {
    /// In the form that Standard Webhooks libraries take.
    pub secret: String,
    /// Until when the key of before signs beside it, Unix milliseconds.
    pub previous_until_ms: i64,
}

/// Gives an application another key for its callbacks' signatures.
///
/// # Errors
/// [`RotateError::NoCallbackSecret`]; [`RotateError::Store`].
pub async fn rotate_callback_key(
    admin: &dyn Admin,
    id: &str,
    now_ms: i64,
) -> Result<RotatedKey, RotateError> {
    let key = admin.rotate_callback_key(id, now_ms).await?;
    let key = key.ok_or_else(|| RotateError::NoCallbackSecret(id.to_owned()))?;
    let secret = webhook_secret(&admin.secret_key().await?, id, key);
    Ok(RotatedKey { secret, previous_until_ms: key.changed_ms.saturating_add(CallbackKey::GRACE_MS) })
}

/// Takes all rights from an application; its flows stay, and those under way go on.
///
/// # Errors
/// [`ApplicationError::NothingToRevoke`]; [`ApplicationError::Store`].
pub async fn revoke(admin: &dyn Admin, id: &str, now_ms: i64) -> Result<(), ApplicationError> {
    let revoked = admin.revoke_application(id, now_ms).await?;
    if revoked { Ok(()) } else { Err(ApplicationError::NothingToRevoke(id.to_owned())) }
}
