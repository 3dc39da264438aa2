//! Who calls: the bearer token, its application, and what it may do.

use super::body::{BODY_MAX, SMALL_BODY, content_length};
use super::gate::Identity;
use super::peer::peer_of;
use super::scope::{Grant, Grants, Right, Sends};
use crate::error::ApiError;
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use flow::{Channel, ChannelSet};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use store::Application;

/// Who calls, with the right that the endpoint asks for.
pub struct Caller<R: Right> {
    /// Its application.
    pub application: Arc<Application>,
    grants: Grants,
    right: PhantomData<R>,
}

impl Caller<Sends> {
    /// The channels that the token may send over.
    pub fn channels(&self) -> ChannelSet {
        let granted =
            Channel::ALL.into_iter().filter(|channel| self.grants.include(Sends::channel(*channel)));
        granted.fold(ChannelSet::default(), ChannelSet::with)
    }
}

fn require(grants: Grants, grant: Grant) -> Result<(), ApiError> {
    if grants.include(grant) { Ok(()) } else { Err(ApiError::Forbidden(grant.role())) }
}

/// The token of an `Authorization` header.
pub(crate) fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// As how many requests one counts: a large body costs as many small ones.
fn count_of(headers: &HeaderMap) -> NonZeroU32 {
    // A length that is not told is at most this; a larger one is refused.
    let unknown = if headers.contains_key(TRANSFER_ENCODING) { BODY_MAX } else { 0 };
    let octets = content_length(headers).unwrap_or(unknown).min(BODY_MAX);
    NonZeroU32::new(octets.div_ceil(SMALL_BODY) as u32).unwrap_or(NonZeroU32::MIN)
}

impl<R: Right> FromRequestParts<Arc<Api>> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Caller<R>, ApiError> {
        let token = parts.headers.get(AUTHORIZATION).and_then(bearer);
        let token = token.ok_or(ApiError::Unauthorized("an Authorization: Bearer header is required"))?;
        let peer = peer_of(parts, &api.settings.trusted_proxies);
        let admitted = api.gate.admit(&api.service, token, peer, count_of(&parts.headers)).await;
        let Identity { application, grants } = admitted?;
        require(grants, R::GRANT)?;
        Ok(Caller { application, grants, right: PhantomData })
    }
}
