//! Who a token belongs to, and how often it may be used.

use super::peer::Peer;
use super::scope::Grants;
use super::throttle::Throttle;
use crate::error::ApiError;
use engine::clock::now_ms;
use engine::service::Service;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use store::{Application, Token};
use tokio::time::Instant;

/// How long the store is not asked again about a token: the longest that a revoked token still works.
const TOKEN_CACHE_TTL: Duration = Duration::from_secs(3);
/// Most tokens in the cache; beyond it all are forgotten, and the store is asked again.
const TOKEN_CACHE_MAX: usize = 10_000;
/// Octets that a token can have; ours have 43. What is longer is none, and is not even hashed.
const TOKEN_BYTES_MAX: usize = 128;

/// The application of a token, and what the token may do.
pub(crate) struct Identity {
    pub(crate) application: Arc<Application>,
    pub(crate) grants: Grants,
}

struct CachedToken {
    application: Arc<Application>,
    grants: Grants,
    expires_ms: i64,
    /// By the monotonic clock: a revocation is felt whatever the wall clock does.
    asked: Instant,
}

/// Knows tokens and limits.
pub struct Gate {
    cached: RwLock<HashMap<[u8; 32], CachedToken>>,
    /// Requests a second of an application that has no limit of its own, and of an address; 0 for no limit.
    requests_per_second: u32,
    applications: Throttle<String>,
    addresses: Throttle<IpAddr>,
}

impl Gate {
    /// `requests_per_second` for each application without a limit of its own, and for each address that asks
    /// before it is known as whom; 0 for no limit.
    pub fn new(requests_per_second: u32) -> Gate {
        Gate {
            cached: RwLock::default(),
            requests_per_second,
            applications: Throttle::default(),
            addresses: Throttle::default(),
        }
    }

    /// Lets an application do one more thing, that counts as so many.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`].
    pub fn admit_application(&self, application: &Application, count: NonZeroU32) -> Result<(), ApiError> {
        let own = application.settings.limits.requests_per_second;
        let per_second = own.unwrap_or(self.requests_per_second);
        self.applications.take_several(application.id.clone(), per_second, count).map_err(too_many)
    }

    /// Lets an address do one more thing that is not known to be an application's.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`].
    pub fn admit_address(&self, peer: Peer) -> Result<(), ApiError> {
        let Peer(Some(address)) = peer else { return Ok(()) };
        self.addresses.take(address, self.requests_per_second).map_err(too_many)
    }

    /// The application of a token, if it may do one more thing, which counts as so many.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`], [`ApiError::TooManyRequests`], [`ApiError::Store`].
    pub(crate) async fn admit(
        &self,
        service: &Service,
        token: &str,
        peer: Peer,
        count: NonZeroU32,
    ) -> Result<Identity, ApiError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(UNKNOWN_TOKEN);
        }
        let caller = self.identify(service, Token::hash_of(token), peer).await?;
        self.admit_application(&caller.application, count)?;
        Ok(caller)
    }

    /// The application of a token that was used a short time ago.
    pub(crate) fn recent(&self, token: &str) -> Option<Arc<Application>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        self.cached.read().get(&Token::hash_of(token)).map(|known| Arc::clone(&known.application))
    }

    async fn identify(&self, service: &Service, hash: [u8; 32], peer: Peer) -> Result<Identity, ApiError> {
        let now_ms = now_ms();
        if let Some(known) = self.cached.read().get(&hash)
            && now_ms < known.expires_ms
            && known.asked.elapsed() < TOKEN_CACHE_TTL
        {
            return Ok(Identity { application: Arc::clone(&known.application), grants: known.grants });
        }
        let Some((token, application)) = service.token(hash).await? else {
            self.cached.write().remove(&hash);
            // An address pays for what is no token, and not for whom it shares it with: behind one may be
            // many.
            self.admit_address(peer)?;
            return Err(UNKNOWN_TOKEN);
        };
        let (application, grants) = (Arc::new(application), Grants::of_roles(&token.scope));
        let mut cached = self.cached.write();
        if cached.len() >= TOKEN_CACHE_MAX {
            cached.clear();
        }
        let known = CachedToken {
            application: Arc::clone(&application),
            grants,
            expires_ms: token.expires_ms,
            asked: Instant::now(),
        };
        cached.insert(hash, known);
        Ok(Identity { application, grants })
    }
}

const UNKNOWN_TOKEN: ApiError = ApiError::Unauthorized("the token is unknown, expired or revoked");

fn too_many(wait: Duration) -> ApiError {
    ApiError::TooManyRequests { retry_after_s: wait.as_secs().max(1) }
}
