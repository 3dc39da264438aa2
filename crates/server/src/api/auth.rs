//! Who calls: the bearer token, its application, and how often it may call.

use super::Api;
use super::error::ApiError;
use super::scope::{Grant, Grants, Right, Sends};
use crate::clock::now_ms;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use flow::Channel;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use store::{Application, Store, Token};

/// How long a token is believed before the store is asked again, so that a revocation is felt soon.
const BELIEVED_MS: i64 = 3000;
/// Most tokens remembered; beyond it all are forgotten, and the store is asked again.
const REMEMBERED_MAX: usize = 10_000;

/// Who calls, with the right that the endpoint asks for.
pub struct Caller<R: Right> {
    /// Its application.
    pub application: Arc<Application>,
    grants: Grants,
    right: PhantomData<R>,
}

impl Caller<Sends> {
    /// Checks that the token may send steps over a channel.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn require(&self, channel: Channel) -> Result<(), ApiError> {
        require(self.grants, Sends::channel(channel))
    }
}

fn require(grants: Grants, grant: Grant) -> Result<(), ApiError> {
    if grants.include(grant) { Ok(()) } else { Err(ApiError::Forbidden(grant.role())) }
}

/// The application of a token, and what the token may do.
struct Identity {
    application: Arc<Application>,
    grants: Grants,
}

struct Believed {
    application: Arc<Application>,
    grants: Grants,
    expires_ms: i64,
    asked_ms: i64,
}

/// Knows tokens and limits.
pub struct Gate {
    believed: RwLock<HashMap<[u8; 32], Believed>>,
    limiter: Option<DefaultKeyedRateLimiter<String>>,
}

impl Gate {
    /// `requests_per_second` per application; 0 for no limit.
    pub fn new(requests_per_second: u32) -> Gate {
        let quota = NonZeroU32::new(requests_per_second).map(Quota::per_second);
        Gate { believed: RwLock::default(), limiter: quota.map(RateLimiter::keyed) }
    }

    async fn admit(&self, store: &dyn Store, token: &str) -> Result<Identity, ApiError> {
        let caller = self.identify(store, Token::hash_of(token)).await?;
        if let Some(limiter) = &self.limiter
            && let Err(not_until) = limiter.check_key(&caller.application.id)
        {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            return Err(ApiError::TooManyRequests { retry_after_s: wait.as_secs().max(1) });
        }
        Ok(caller)
    }

    async fn identify(&self, store: &dyn Store, hash: [u8; 32]) -> Result<Identity, ApiError> {
        let now_ms = now_ms();
        if let Some(known) = self.believed.read().get(&hash)
            && now_ms < known.expires_ms
            && now_ms - known.asked_ms < BELIEVED_MS
        {
            return Ok(Identity { application: Arc::clone(&known.application), grants: known.grants });
        }
        let found = store.token(hash).await?;
        let valid = found
            .filter(|(token, application)| now_ms < token.expires_ms && application.revoked_ms.is_none());
        let Some((token, application)) = valid else {
            self.believed.write().remove(&hash);
            return Err(ApiError::Unauthorized("the token is unknown, expired or revoked"));
        };
        let (application, grants) = (Arc::new(application), Grants::of_roles(&token.scope));
        let mut believed = self.believed.write();
        if believed.len() >= REMEMBERED_MAX {
            believed.clear();
        }
        let known = Believed {
            application: Arc::clone(&application),
            grants,
            expires_ms: token.expires_ms,
            asked_ms: now_ms,
        };
        believed.insert(hash, known);
        Ok(Identity { application, grants })
    }
}

impl<R: Right> FromRequestParts<Arc<Api>> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Caller<R>, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let header = header.ok_or(ApiError::Unauthorized("an Authorization: Bearer header is required"))?;
        let Identity { application, grants } = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                api.gate.admit(&*api.store, token.trim()).await?
            }
            _ => return Err(ApiError::Unauthorized("an Authorization: Bearer header is required")),
        };
        require(grants, R::GRANT)?;
        Ok(Caller { application, grants, right: PhantomData })
    }
}
