//! `POST /oauth/token` (contract, section 1; RFC 6749, 4.4 and 5).

use super::Api;
use super::error::ApiError;
use super::peer::Peer;
use super::scope::Scope;
use crate::clock::now_ms;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;
use store::Token;
use utoipa::{IntoParams, ToSchema};

/// What a client asks for, in the body or the query.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct TokenRequest {
    /// `client_credentials`
    grant_type: Option<String>,
    /// What to narrow the token to, between blanks or commas: `sms`, `viber`, `voice`, `failover`, `failover:read` or
    /// `all`, in any case, or `MT_ROLE_SMS` and so on. Words that are unknown are ignored as long as one is known.
    scope: Option<String>,
    /// The application's id, where there is no `Authorization: Basic` (RFC 6749, 2.3.1); in the body alone.
    client_id: Option<String>,
    /// Its secret.
    client_secret: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenResponse {
    access_token: String,
    /// `bearer`
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    /// What it is narrowed to, in words with blanks between them.
    scope: String,
    /// The roles.
    permissions: Vec<&'static str>,
}

/// Why there is no token (RFC 6749, 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenError {
    /// `invalid_client`, `invalid_request`, `unsupported_grant_type`, `invalid_scope`
    error: &'static str,
    error_description: &'static str,
}

fn refuse(status: StatusCode, error: &'static str, error_description: &'static str) -> Response {
    let mut response = (status, Json(TokenError { error, error_description })).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Basic realm=\"switchback\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A token for an application's id and secret.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "takeToken",
    tag = "authentication",
    params(TokenRequest),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse, description = "A token."),
        (status = 400, body = TokenError, description = "`invalid_request`, \
            `unsupported_grant_type` or `invalid_scope`."),
        (status = 401, body = TokenError, description = "`invalid_client`."),
        (status = 413, body = super::error::ErrorBody, description = "The body has more than 256 KiB."),
        (status = 415, body = super::error::ErrorBody, description = "The body has a Content-Encoding."),
        (status = 429, body = super::error::ErrorBody, description = "Too many wrong secrets."),
        (status = 503, body = super::error::ErrorBody, description = "The store fails, or has too much to do."),
    ),
    security(("application" = []))
)]
pub async fn post(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    peer: Peer,
    headers: HeaderMap,
    body: super::Body,
) -> Result<Response, ApiError> {
    let invalid =
        || refuse(StatusCode::UNAUTHORIZED, "invalid_client", "the application's id or secret is wrong");
    // An address pays for what is wrong, and not for whom it shares it with: behind one may be many.
    super::check_encoding(&headers)?;
    let form = read_form(&body.0);
    let Some((id, secret)) = credentials(&headers, form.as_ref()) else {
        api.gate.admit_address(peer)?;
        return Ok(invalid());
    };
    let guesser = api.failures.guesser(peer.0, &id);
    let wait_ms = api.failures.wait_ms(guesser, now_ms());
    if wait_ms > 0 {
        return Err(ApiError::TooManyRequests { retry_after_s: wait_ms.unsigned_abs().div_ceil(1000) });
    }
    let application = api.store.application(id).await?;
    let key = api.store.secret_key();
    let Some(application) = application.filter(|a| a.has_secret(key, &secret) && a.revoked_ms.is_none())
    else {
        metrics::counter!("switchback_logins_refused_total").increment(1);
        api.gate.admit_address(peer)?;
        api.failures.note(guesser, now_ms());
        return Ok(invalid());
    };
    api.gate.admit_application(&application, NonZeroU32::MIN)?;

    let scope = match form.and_then(|form| read(form, query.as_deref().unwrap_or_default())) {
        Ok(scope) => scope,
        Err((error, why)) => return Ok(refuse(StatusCode::BAD_REQUEST, error, why)),
    };
    let permissions: Vec<&'static str> = scope.grants.roles().collect();

    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the system has no randomness");
        ApiError::Store
    })?;
    let access_token = URL_SAFE_NO_PAD.encode(random);
    let expires_in = application.settings.token_ttl.seconds();
    let token = Token {
        hash: Token::hash_of(&access_token),
        application: application.id.clone(),
        expires_ms: now_ms() + i64::from(expires_in) * 1000,
        scope: permissions.join(" "),
    };
    let tokens_max = application.settings.limits.tokens_max.map_or(api.tokens_max, |own| own.get() as usize);
    api.store.add_token(token, tokens_max).await?;
    let scope = scope.words();
    let response = TokenResponse { access_token, token_type: "bearer", expires_in, scope, permissions };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(response)).into_response())
}

/// Octets that credentials can have in base64; ours have at most 120. What is longer is nobody's, and is not even looked
/// up.
const CREDENTIALS_BYTES_MAX: usize = 256;

/// The name of an error of RFC 6749, 5.2, and why.
type Refused = (&'static str, &'static str);

/// Reads the body. RFC 6749, 3.2 allows each parameter once; what stands behind the last one, such as the end of a line,
/// belongs to none.
fn read_form(body: &[u8]) -> Result<TokenRequest, Refused> {
    let form = serde_urlencoded::from_bytes(body.trim_ascii_end());
    form.map_err(|_| ("invalid_request", "the body must be a form with each parameter once"))
}

/// Reads what is asked for. What would widen a token unseen (a scope that is given twice, or in a body that can't be read)
/// is refused.
fn read(form: TokenRequest, query: &str) -> Result<Scope, Refused> {
    let query: Result<TokenRequest, _> = serde_urlencoded::from_str(query);
    let query = query.map_err(|_| ("invalid_request", "the query must have each parameter once"))?;
    // A parameter without a value counts as absent (RFC 6749, 3.2).
    let given = |text: &String| !text.trim().is_empty();
    let grant = form.grant_type.filter(given).or(query.grant_type.filter(given));
    let grant = grant.ok_or(("invalid_request", "grant_type is required: client_credentials"))?;
    if grant != "client_credentials" {
        return Err(("unsupported_grant_type", "grant_type must be client_credentials"));
    }
    let (in_form, in_query) = (form.scope.filter(given), query.scope.filter(given));
    let asked = match (in_form, in_query) {
        (Some(form), Some(query)) if form != query => {
            return Err(("invalid_request", "scope is given twice, in the body and in the query"));
        }
        (form, query) => form.or(query).unwrap_or_default(),
    };
    let choices = "scope must name at least one of sms, viber, voice, failover, failover:read and all";
    Scope::parse(&asked).ok_or(("invalid_scope", choices))
}

/// Base64 with or without its padding.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The application's id and secret: of `Authorization: Basic` (RFC 7617), or without that header of the body (RFC 6749,
/// 2.3.1).
fn credentials(headers: &HeaderMap, form: Result<&TokenRequest, &Refused>) -> Option<(String, String)> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        let TokenRequest { client_id, client_secret, .. } = form.ok()?;
        let given = client_id.clone().zip(client_secret.clone());
        return given.filter(|(id, secret)| id.len() + secret.len() < CREDENTIALS_BYTES_MAX);
    };
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if encoded.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    let decoded = BASIC.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
