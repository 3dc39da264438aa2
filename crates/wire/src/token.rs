//! The request and the answers of `POST /oauth/token` (contract, section 1; RFC 6749, 4.4 and 5).

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::{IntoParams, ToSchema};

/// What a client asks for, in the body or the query.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct TokenRequest {
    /// `client_credentials`
    pub grant_type: Option<String>,
    /// What to narrow the token to, between blanks or commas: `sms`, `viber`, `voice`, `failover`,
    /// `failover:read` or `all`, in any case, or `MT_ROLE_SMS` and so on. Words that are unknown are ignored
    /// as long as one is known.
    pub scope: Option<String>,
    /// The application's id, where there is no `Authorization: Basic` (RFC 6749, 2.3.1); in the body alone.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenResponse {
    pub access_token: String,
    /// `bearer`
    pub token_type: Cow<'static, str>,
    /// Seconds.
    pub expires_in: u32,
    /// What it is narrowed to, in words with blanks between them.
    pub scope: String,
    /// The roles.
    pub permissions: Vec<Cow<'static, str>>,
}

/// Why there is no token (RFC 6749, 5.2).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenError {
    /// `invalid_client`, `invalid_request`, `unsupported_grant_type`, `invalid_scope`
    pub error: Cow<'static, str>,
    pub error_description: Cow<'static, str>,
}
