//! `Host`: required of HTTP/1.1, once (RFC 9112, 3.2).

use crate::error::ApiError;
use axum::extract::Request;
use axum::http::{Version, header, uri::Authority};
use flow::Rule;

/// Refuses a request that does not say whom it is for.
///
/// # Errors
/// [`ApiError::Invalid`].
pub fn require_host(request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_host = |octets: &[u8]| octets.is_empty() || Authority::try_from(octets).is_ok();
    let is_right = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host.as_bytes()),
        (None, _) => request.version() != Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    let rule = "is required, once: a host name and perhaps a port";
    if is_right { Ok(()) } else { Err(ApiError::field("Host", Rule::Required, rule)) }
}
