//! Who calls: the bearer token, its application, and how often it may call.

use super::error::ApiError;
use super::peer::{Peer, peer_of};
use super::scope::{Grant, Grants, Right, Sends};
use super::throttle::Throttle;
use super::{Api, BODY_MAX, SMALL_BODY, content_length};
use crate::clock::now_ms;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, TRANSFER_ENCODING};
use axum::http::request::Parts;
use flow::Channel;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use store::{Application, Store, Token};
use tokio::time::Instant;

/// How long a token is believed before the store is asked again, so that a revocation is felt soon.
const BELIEVED: Duration = Duration::from_secs(3);
/// Most tokens remembered; beyond it all are forgotten, and the store is asked again.
const REMEMBERED_MAX: usize = 10_000;
/// Octets that a token can have; ours have 43. What is longer is none, and is not even hashed.
const TOKEN_BYTES_MAX: usize = 128;

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
    /// By the monotonic clock: a revocation is felt whatever the wall clock does.
    asked: Instant,
}

/// Knows tokens and limits.
pub struct Gate {
    believed: RwLock<HashMap<[u8; 32], Believed>>,
    /// Requests a second of an application that has no limit of its own, and of an address; 0 for no limit.
    requests_per_second: u32,
    applications: Throttle<String>,
    addresses: Throttle<IpAddr>,
}

impl Gate {
    /// `requests_per_second` for each application without a limit of its own, and for each address that asks before it
    /// is known as whom; 0 for no limit.
    pub fn new(requests_per_second: u32) -> Gate {
        Gate {
            believed: RwLock::default(),
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

    async fn admit(
        &self,
        store: &dyn Store,
        token: &str,
        peer: Peer,
        count: NonZeroU32,
    ) -> Result<Identity, ApiError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(UNKNOWN_TOKEN);
        }
        let caller = self.identify(store, Token::hash_of(token), peer).await?;
        self.admit_application(&caller.application, count)?;
        Ok(caller)
    }

    async fn identify(&self, store: &dyn Store, hash: [u8; 32], peer: Peer) -> Result<Identity, ApiError> {
        let now_ms = now_ms();
        if let Some(known) = self.believed.read().get(&hash)
            && now_ms < known.expires_ms
            && known.asked.elapsed() < BELIEVED
        {
            return Ok(Identity { application: Arc::clone(&known.application), grants: known.grants });
        }
        let found = store.token(hash).await?;
        let valid = found
            .filter(|(token, application)| now_ms < token.expires_ms && application.revoked_ms.is_none());
        let Some((token, application)) = valid else {
            self.believed.write().remove(&hash);
            // An address pays for what is no token, and not for whom it shares it with: behind one may be many.
            self.admit_address(peer)?;
            return Err(UNKNOWN_TOKEN);
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
            asked: Instant::now(),
        };
        believed.insert(hash, known);
        Ok(Identity { application, grants })
    }
}

/// As how many requests one counts: a large body costs as many small ones.
fn count_of(headers: &HeaderMap) -> NonZeroU32 {
    // A length that is not told is at most this; a larger one is refused.
    let unknown = if headers.contains_key(TRANSFER_ENCODING) { BODY_MAX } else { 0 };
    let octets = content_length(headers).unwrap_or(unknown).min(BODY_MAX);
    NonZeroU32::new(octets.div_ceil(SMALL_BODY) as u32).unwrap_or(NonZeroU32::MIN)
}

const UNKNOWN_TOKEN: ApiError = ApiError::Unauthorized("the token is unknown, expired or revoked");

fn too_many(wait: Duration) -> ApiError {
    ApiError::TooManyRequests { retry_after_s: wait.as_secs().max(1) }
}

impl<R: Right> FromRequestParts<Arc<Api>> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Caller<R>, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let header = header.ok_or(ApiError::Unauthorized("an Authorization: Bearer header is required"))?;
        let Identity { application, grants } = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                let peer = peer_of(parts, &api.trusted_proxies);
                api.gate.admit(&*api.store, token.trim(), peer, count_of(&parts.headers)).await?
            }
            _ => return Err(ApiError::Unauthorized("an Authorization: Bearer header is required")),
        };
        require(grants, R::GRANT)?;
        Ok(Caller { application, grants, right: PhantomData })
    }
}
