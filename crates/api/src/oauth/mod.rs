//! `POST /oauth/token` (contract, section 1; RFC 6749, 4.4 and 5).

use crate::error::ApiError;
use crate::request::body::{Body, check_encoding};
use crate::request::peer::Peer;
use crate::request::scope::{Grant, Scope};
use crate::state::Api;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use engine::clock::now_ms;
use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use wire::token::{TokenError, TokenRequest, TokenResponse};

/// Its routes.
pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new().route("/oauth/token", post(issue))
}

fn refuse(
    status: StatusCode,
    error: &'static str,
    error_description: impl Into<Cow<'static, str>>,
) -> Response {
    let mut response =
        (status, Json(TokenError { error: error.into(), error_description: error_description.into() }))
            .into_response();
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
        (status = 413, body = wire::error_body::ErrorBody, description = "The body has more than 256 KiB."),
        (status = 415, body = wire::error_body::ErrorBody, description = "The body has a Content-Encoding."),
        (status = 429, body = wire::error_body::ErrorBody, description = "Too many wrong secrets."),
        (status = 503, body = wire::error_body::ErrorBody, description = "The store fails, or has too much to do."),
    ),
    security(("application" = []))
)]
pub async fn issue(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let invalid =
        || refuse(StatusCode::UNAUTHORIZED, "invalid_client", "the application's id or secret is wrong");
    // An address pays for what is wrong, and not for whom it shares it with: behind one may be many.
    check_encoding(&headers)?;
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
    let Some(application) = api.service.authenticate(id, &secret).await? else {
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

    let issued = api.service.issue_token(&application, permissions.join(" ")).await?;
    let (access_token, expires_in) = (issued.text, issued.expires_in_s);
    let scope = scope.words();
    let permissions = permissions.into_iter().map(Cow::from).collect();
    let token_type = "bearer".into();
    let response = TokenResponse { access_token, token_type, expires_in, scope, permissions };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(response)).into_response())
}

/// Octets that credentials can have in base64; ours have at most 120. What is longer is nobody's, and is not
/// even looked up.
const CREDENTIALS_BYTES_MAX: usize = 256;

/// The name of an error of RFC 6749, 5.2, and why.
type Refused = (&'static str, Cow<'static, str>);

/// Reads the body. RFC 6749, 3.2 allows each parameter once; what stands behind the last one, such as the end
/// of a line, belongs to none.
fn read_form(body: &[u8]) -> Result<TokenRequest, Refused> {
    let form = serde_urlencoded::from_bytes(body.trim_ascii_end());
    form.map_err(|_| ("invalid_request", "the body must be a form with each parameter once".into()))
}

/// Reads what is asked for. What would widen a token unseen (a scope that is given twice, or in a body that
/// can't be read) is refused.
fn read(form: TokenRequest, query: &str) -> Result<Scope, Refused> {
    let query: Result<TokenRequest, _> = serde_urlencoded::from_str(query);
    let query = query.map_err(|_| ("invalid_request", "the query must have each parameter once".into()))?;
    // A parameter without a value counts as absent (RFC 6749, 3.2).
    let given = |text: &String| !text.trim().is_empty();
    let grant = form.grant_type.filter(given).or(query.grant_type.filter(given));
    let grant =
        grant.ok_or_else(|| ("invalid_request", "grant_type is required: client_credentials".into()))?;
    if grant != "client_credentials" {
        return Err(("unsupported_grant_type", "grant_type must be client_credentials".into()));
    }
    let (in_form, in_query) = (form.scope.filter(given), query.scope.filter(given));
    let asked = match (in_form, in_query) {
        (Some(form), Some(query)) if form != query => {
            return Err(("invalid_request", "scope is given twice, in the body and in the query".into()));
        }
        (form, query) => form.or(query).unwrap_or_default(),
    };
    Scope::parse(&asked).ok_or_else(|| {
        let words: Vec<&str> = Grant::all().map(Grant::word).collect();
        let choices = format!("scope must name at least one of {} and all", words.join(", "));
        ("invalid_scope", choices.into())
    })
}

/// Base64 with or without its padding.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The application's id and secret: of `Authorization: Basic` (RFC 7617), or without that header of the body
/// (RFC 6749, 2.3.1).
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
