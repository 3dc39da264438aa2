//! Keeps other sites' pages from doing something in a visitor's name (CSRF).

use crate::error::PageError;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses what would change something and does not come from a page of ours. Browsers say where a request
/// comes from in `Sec-Fetch-Site` (Fetch Metadata), older ones in `Origin` (RFC 6454).
pub(crate) async fn require(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read || is_own(request.headers(), request.uri()) {
        return next.run(request).await;
    }
    PageError::OtherSite.into_response()
}

fn is_own(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let host = text(header::HOST).or(uri.authority().map(|authority| authority.as_str()));
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    // Neither is sent by programs; they have no session that another site could use, either.
    host.is_some() && origin.map(|(_, host)| host) == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_change_something() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            is_own(&map, &Uri::from_static("/console/flows"))
        };
        let host = ("host", "sms.example.com:8080");
        assert!(of(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(of(&[host, ("origin", "https://sms.example.com:8080")]));
        for wrong in ["cross-site", "same-site", "none", ""] {
            assert!(
                !of(&[host, ("sec-fetch-site", wrong), ("origin", "https://sms.example.com:8080")]),
                "{wrong}"
            );
        }
        for wrong in ["https://evil.example", "https://sms.example.com", "null", "sms.example.com:8080"] {
            assert!(!of(&[host, ("origin", wrong)]), "{wrong}");
        }
        assert!(!of(&[host]));
        assert!(!of(&[]));
    }
}
