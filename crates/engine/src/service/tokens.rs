//! Tokens: who an application is, and what it may do (contract, section 1).

use super::core::Service;
use crate::clock::now_ms;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{Application, StoreError, Token};

/// A token that was issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// What its holder shows.
    pub text: String,
    /// How long it works, seconds.
    pub expires_in_s: u32,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The system has no randomness.
    #[error("the system has no randomness")]
    NoRandomness(#[source] getrandom::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Service {
    /// The application with this id and secret, unless it is revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn authenticate(&self, id: String, secret: &str) -> Result<Option<Application>, StoreError> {
        let application = self.store().application(id).await?;
        let key = self.store().secret_key();
        Ok(application.filter(|known| known.has_secret(key, secret) && known.revoked_ms.is_none()))
    }

    /// Issues a token to an application for roles, with blanks between them. Where the application has as
    /// many as it may, the one goes that would end first.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue_token(
        &self,
        application: &Application,
        roles: String,
    ) -> Result<IssuedToken, IssueError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(IssueError::NoRandomness)?;
        let text = URL_SAFE_NO_PAD.encode(random);
        let expires_in_s = application.settings.token_ttl.seconds();
        let token = Token {
            hash: Token::hash_of(&text),
            application: application.id.clone(),
            expires_ms: now_ms() + i64::from(expires_in_s) * 1000,
            scope: roles,
        };
        let own = application.settings.limits.tokens_max;
        let most = own.map_or(self.tokens_max, |own| own.get() as usize);
        self.store().add_token(token, most).await?;
        Ok(IssuedToken { text, expires_in_s })
    }

    /// The token with this SHA-256 and its application, if it still works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>, StoreError> {
        let found = self.store().token(hash).await?;
        let now_ms = now_ms();
        Ok(found.filter(|(token, application)| now_ms < token.expires_ms && application.revoked_ms.is_none()))
    }
}
