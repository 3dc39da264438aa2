//! Bodies of sends: refused with a code, or accepted and found.

use crate::api::ask;
use axum::http::Method;

pub(crate) fn feed(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let path = if kind % 4 == 0 { "/failover/transactional" } else { "/failover" };
    let Some((200, accepted)) = ask(Method::POST, path, body) else { return };
    let id = accepted["trackingId"].as_str().expect("a tracking id");
    let found = ask(Method::GET, &format!("/failover/tracking/{id}"), b"");
    assert_eq!(found.map(|(status, tracking)| (status, tracking["trackingId"] == id)), Some((200, true)));
}
