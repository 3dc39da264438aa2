//! Queries and filters of searches: refused with a code, or answered with a page that is as it says.

use crate::api::ask;
use axum::http::Method;

pub(crate) fn feed(data: &[u8]) {
    let mut parts = data.splitn(2, |octet| *octet == b'\n');
    let (query, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let uri = format!("/failover/tracking?{}", String::from_utf8_lossy(query));
    let Some((200, page)) = ask(Method::POST, &uri, body) else { return };
    let content = page["content"].as_array().expect("a page");
    assert_eq!(page["numberOfElements"], content.len());
    assert!(page["totalElements"].as_u64().is_some_and(|total| total >= content.len() as u64));
}
