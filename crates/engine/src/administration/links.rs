//! One-time links: how an operator sets a password, and how a demo lets its user in.

use super::audit::{Act, audited};
use super::desk::Desk;
use super::one_time;
use super::passwords::{self, HashError, PasswordRule};
use store::{Admin, LinkPurpose, OneTimeLink, StoreError};

/// How long a link for a password works, milliseconds.
pub const PASSWORD_LINK_MS: i64 = 24 * 3600 * 1000;
/// How long a link to sign in works, milliseconds.
pub const SIGN_IN_LINK_MS: i64 = 3600 * 1000;

/// A link that was made. Its code is stored nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// Whose it is.
    pub operator: String,
    /// What has to be shown, once: 43 characters of base64url.
    pub code: String,
    /// When it ends, Unix milliseconds.
    pub ends_ms: i64,
}

impl Invitation {
    /// Where the link leads to on the server.
    pub fn path(&self) -> String {
        format!("/console/welcome?code={}", self.code)
    }
}

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No operator has this name.
    #[error("there is no operator {0}")]
    Unknown(String),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Random(#[from] getrandom::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why no password was set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// The link is over, was used, or never was.
    #[error("this link does not work any more")]
    NoLink,
    /// It can't be one.
    #[error("the password {0}")]
    Rule(#[from] PasswordRule),
    /// It was not hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a link in place of the operator's previous one.
///
/// # Errors
/// [`LinkError`].
pub(super) async fn issue(
    admin: &dyn Admin,
    operator: &str,
    purpose: LinkPurpose,
    now_ms: i64,
) -> Result<Invitation, LinkError> {
    let life_ms = match purpose {
        LinkPurpose::Password => PASSWORD_LINK_MS,
        LinkPurpose::SignIn => SIGN_IN_LINK_MS,
    };
    let (code, ends_ms) = (one_time::draw()?, now_ms.saturating_add(life_ms));
    let operator = operator.to_owned();
    let link = OneTimeLink { hash: one_time::hash(&code), operator: operator.clone(), purpose, ends_ms };
    if !admin.add_link(&link).await? {
        return Err(LinkError::Unknown(operator));
    }
    Ok(Invitation { operator, code, ends_ms })
}

/// The link with this code, if it still works. It is not used by that.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn find(admin: &dyn Admin, code: &str, now_ms: i64) -> Result<Option<OneTimeLink>, StoreError> {
    let link = admin.link(&one_time::hash(code)).await?;
    Ok(link.filter(|link| now_ms < link.ends_ms))
}

/// Sets the password of the operator whose link has this code; returns the operator's name. The link is used
/// by that, and not by a password that is refused.
///
/// # Errors
/// [`SetPasswordError`].
pub async fn set_password(
    desk: &Desk,
    code: &str,
    password: String,
    now_ms: i64,
) -> Result<String, SetPasswordError> {
    let code = code.to_owned();
    let link = desk.run(async move |admin| find(admin, &code, now_ms).await).await?;
    let link = link.filter(|link| link.purpose == LinkPurpose::Password).ok_or(SetPasswordError::NoLink)?;
    passwords::check(&password, &link.operator)?;
    let password_hash = passwords::hash(password).await?;
    desk.run(async move |admin| {
        let OneTimeLink { hash, operator, .. } = link;
        let act = Act { operator: &operator, action: "operator.password", subject: &operator, detail: "" };
        audited(admin, act, now_ms, async {
            let used = admin.use_link(&hash, Some(&password_hash)).await?;
            if used { Ok(()) } else { Err(SetPasswordError::NoLink) }
        })
        .await?;
        Ok(operator)
    })
    .await
}
