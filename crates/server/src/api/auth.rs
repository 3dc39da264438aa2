//! Who calls: the bearer token, its application, and how often it may call.

use super::Api;
use super::error::ApiError;
use crate::clock::now_ms;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use flow::Channel;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use store::{Application, Store, Token};
use tokio::time::Instant;

/// The role that every flow needs (contract, section 1).
pub const FAILOVER_ROLE: &str = "MT_ROLE_FAILOVER";
/// What a token has that was not narrowed: the role of each channel, and that of flows.
pub const ROLES: [&str; 4] =
    [role_of(Channel::Sms), role_of(Channel::Viber), role_of(Channel::Voice), FAILOVER_ROLE];

/// How long a token is believed before the store is asked again, so that a revocation is felt soon.
const BELIEVED: Duration = Duration::from_secs(3);
/// Most tokens remembered; beyond it all are forgotten, and the store is asked again.
const REMEMBERED_MAX: usize = 10_000;

/// The role of a channel.
pub const fn role_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "MT_ROLE_SMS",
        Channel::Viber => "MT_ROLE_VIBER",
        Channel::Voice => "MT_ROLE_VOICE",
    }
}

/// Who calls.
pub struct Caller {
    /// Its application.
    pub application: Arc<Application>,
    scope: Arc<str>,
}

impl Caller {
    /// Checks that the token carries a role.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn require(&self, role: &str) -> Result<(), ApiError> {
        if self.scope.split(' ').any(|held| held == role) {
            Ok(())
        } else {
            Err(ApiError::Forbidden(role.into()))
        }
    }
}

struct Believed {
    application: Arc<Application>,
    scope: Arc<str>,
    expires_ms: i64,
    /// By the monotonic clock: a revocation is felt whatever the wall clock does.
    asked: Instant,
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

    async fn admit(&self, store: &dyn Store, token: &str) -> Result<Caller, ApiError> {
        let caller = self.identify(store, Token::hash_of(token)).await?;
        if let Some(limiter) = &self.limiter
            && let Err(not_until) = limiter.check_key(&caller.application.id)
        {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            return Err(ApiError::TooManyRequests { retry_after_s: wait.as_secs().max(1) });
        }
        Ok(caller)
    }

    async fn identify(&self, store: &dyn Store, hash: [u8; 32]) -> Result<Caller, ApiError> {
        let now_ms = now_ms();
        if let Some(known) = self.believed.read().get(&hash)
            && now_ms < known.expires_ms
            && known.asked.elapsed() < BELIEVED
        {
            return Ok(Caller {
                application: Arc::clone(&known.application),
                scope: Arc::clone(&known.scope),
            });
        }
        let found = store.token(hash).await?;
        let valid = found
            .filter(|(token, application)| now_ms < token.expires_ms && application.revoked_ms.is_none());
        let Some((token, application)) = valid else {
            self.believed.write().remove(&hash);
            return Err(ApiError::Unauthorized("the token is unknown, expired or revoked"));
        };
        let (application, scope): (_, Arc<str>) = (Arc::new(application), token.scope.into());
        let mut believed = self.believed.write();
        if believed.len() >= REMEMBERED_MAX {
            believed.clear();
        }
        let known = Believed {
            application: Arc::clone(&application),
            scope: Arc::clone(&scope),
            expires_ms: token.expires_ms,
            asked: Instant::now(),
        };
        believed.insert(hash, known);
        Ok(Caller { application, scope })
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Caller, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let header = header.ok_or(ApiError::Unauthorized("an Authorization: Bearer header is required"))?;
        match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                api.gate.admit(&*api.store, token.trim()).await
            }
            _ => Err(ApiError::Unauthorized("an Authorization: Bearer header is required")),
        }
    }
}
