//! The address of this site, as the visitor's browser has it.

use crate::state::Console;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

/// The address of this site, for links that are sent to others.
pub(crate) struct Site(String);

impl Site {
    /// The whole address of a path.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromRequestParts<Arc<Console>> for Site {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Site, Infallible> {
        let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = named.or(parts.uri.authority().map(|authority| authority.as_str())).unwrap_or_default();
        let scheme = if console.settings.is_secure { "https" } else { "http" };
        Ok(Site(format!("{scheme}://{host}")))
    }
}
