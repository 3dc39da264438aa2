//! From where a request comes.

use crate::state::Console;
use api::request::peer::{Peer, peer_of};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

/// The network that a client has to itself, if the request came over one.
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl FromRequestParts<Arc<Console>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Arc<Console>,
    ) -> Result<ClientAddress, Infallible> {
        let Peer(address) = peer_of(parts, &console.settings.trusted_proxies);
        Ok(ClientAddress(address))
    }
}
