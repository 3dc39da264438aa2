//! A request's client, as an argument of its endpoint.

use super::peer::{Peer, peer_of};
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

impl FromRequestParts<Arc<Api>> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Peer, Infallible> {
        Ok(peer_of(parts, &api.settings.trusted_proxies))
    }
}
