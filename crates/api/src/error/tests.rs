//! Each kind of error body is as `tests/errors.txt` has it.

#[path = "../../../xtask/tests/snapshot/mod.rs"]
mod snapshot;

use super::*;
use serde_json::Value;

/// One error of each kind.
fn all() -> Vec<ApiError> {
    let all = vec![
        ApiError::field("flow[0].to", Rule::Required, "is required"),
        ApiError::NotJson("expected value at line 1 column 1".into()),
        ApiError::Unauthorized("the token is unknown, expired or revoked"),
        ApiError::Forbidden("MT_ROLE_FAILOVER"),
        ApiError::NotFound("tracking"),
        ApiError::MethodNotAllowed,
        ApiError::KeyReused,
        ApiError::KeySpent,
        ApiError::Quarantined,
        ApiError::Ended,
        ApiError::TooLarge(262_144),
        ApiError::UnsupportedMediaType,
        ApiError::UnsupportedEncoding,
        ApiError::TooManyRequests { retry_after_s: 1 },
        ApiError::Overloaded,
        ApiError::Store,
        ApiError::NotPassedOn,
        ApiError::SearchOverdue,
    ];
    // A further kind has to be added above.
    for error in &all {
        match error {
            ApiError::Invalid(_)
            | ApiError::NotJson(_)
            | ApiError::Unauthorized(_)
            | ApiError::Forbidden(_)
            | ApiError::NotFound(_)
            | ApiError::MethodNotAllowed
            | ApiError::KeyReused
            | ApiError::KeySpent
            | ApiError::Quarantined
            | ApiError::Ended
            | ApiError::TooLarge(_)
            | ApiError::UnsupportedMediaType
            | ApiError::UnsupportedEncoding
            | ApiError::TooManyRequests { .. }
            | ApiError::Overloaded
            | ApiError::Store
            | ApiError::NotPassedOn
            | ApiError::SearchOverdue => {}
        }
    }
    all
}

/// A status line, the headers that matter to clients, and the body.
async fn shown(error: ApiError) -> String {
    let response = error.into_response();
    let mut shown = format!("{}\n", response.status());
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::ACCEPT_ENCODING] {
        if let Some(value) = response.headers().get(&name) {
            shown += &format!("{name}: {}\n", value.to_str().expect("text"));
        }
    }
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let mut body: Value = serde_json::from_slice(&body).expect("JSON");
    body["requestId"] = "…".into();
    shown + &serde_json::to_string_pretty(&body).expect("JSON") + "\n\n"
}

#[tokio::test]
async fn error_bodies_are_as_they_were() {
    let mut now = String::new();
    for error in all() {
        now += &shown(error).await;
    }
    snapshot::compare(env!("CARGO_MANIFEST_DIR"), "tests/errors.txt", &now);
}

#[test]
fn every_code_is_documented() {
    let page = include_str!("../../../../docs/errors.md");
    for error in all() {
        let code = format!("{}{}", error.status().as_u16(), error.code());
        assert!(page.contains(&format!("| {code} |")), "docs/errors.md lacks {code}");
    }
}
