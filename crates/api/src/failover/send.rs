//! `POST /failover` and `POST /failover/transactional` (contract, section 2).

use crate::error::{ApiError, BodyErrors, CommonErrors};
use crate::request::body::JsonBody;
use crate::request::caller::Caller;
use crate::request::scope::Sends;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::clock::new_code;
use engine::service::Sender;
use flow::{FlowKind, Rule};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use store::IdempotencyKey;
use wire::error_body::ErrorBody;
use wire::read_send::{Draft, SendContext, read_send};
use wire::send_view::SendResponse;
use wire::step_request::SendRequest;

/// Longest `Idempotency-Key`, in characters.
const KEY_MAX: usize = 255;

/// Sends a flow.
#[utoipa::path(
    post,
    path = "/failover",
    operation_id = "sendFlow",
    tag = "sending",
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 255 characters, remembered for 24 h: \
        the same key and body answer as the first time and send nothing.")),
    request_body(content = SendRequest, examples(
        ("One Sms" = (summary = "An Sms that arrives", value = json!({"flow": [
            {"type": "Sms", "from": "Acme", "to": "+306900000000", "message": {"body": "Your parcel is here"}}
        ]}))),
        ("Viber, then Sms" = (summary = "Viber is not delivered, then the Sms arrives", value = json!({"flow": [
            {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": "+306900000010", "ttl": 10,
             "message": {"text": "Your parcel is here",
                         "action": {"caption": "Track", "targetUrl": "https://acme.example/t/1"}}},
            {"type": "Sms", "order": 2, "from": "Acme", "to": "+306900000010",
             "message": {"body": "Your parcel is here"}}
        ]}))),
        ("Viber, Sms, Voice" = (summary = "Three channels", value = json!({"flow": [
            {"type": "Viber", "senderInfoTrackingId": "acme", "to": "+306900000011",
             "message": {"text": "Your code is 1234"}},
            {"type": "Sms", "from": "Acme", "to": "+306900000011", "message": {"body": "Your code is 1234"}},
            {"type": "Voice", "from": "+302100000000", "to": {"phone": "+306900000011"},
             "dialPlan": {"verbs": [{"type": "SAY", "message": {"text": "Your code is 1 2 3 4"}}]}}
        ]})))
    )),
    responses(
        (status = 200, body = SendResponse, description = "Accepted, and on disk."),
        (status = 409, body = ErrorBody, description = "The Idempotency-Key was used with another body."),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn post(
    state: State<Arc<Api>>,
    caller: Caller<Sends>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<SendResponse>, ApiError> {
    send(&state.0, &caller, &headers, body, FlowKind::Plain).await
}

/// Sends a transactional flow: its Viber steps name a template instead of a message.
#[utoipa::path(
    post,
    path = "/failover/transactional",
    operation_id = "sendTransactionalFlow",
    tag = "sending",
    params(("Idempotency-Key" = Option<String>, Header, description = "As for POST /failover.")),
    request_body(content = SendRequest, examples(
        ("Template, then Sms" = (summary = "A Viber template, then an Sms", value = json!({"flow": [
            {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": "+306900000010",
             "templateId": "parcel-arrived", "templateLang": "en", "templateParams": {"number": 4711, "price": 10.5}},
            {"type": "Sms", "order": 2, "from": "Acme", "to": "+306900000010",
             "message": {"body": "Your parcel 4711 is here"}}
        ]})))
    )),
    responses(
        (status = 200, body = SendResponse, description = "Accepted, and on disk."),
        (status = 409, body = ErrorBody, description = "The Idempotency-Key was used with another body."),
        CommonErrors,
        BodyErrors,
    ),
    security(("token" = []), ("oauth" = ["failover"]))
)]
pub async fn post_transactional(
    state: State<Arc<Api>>,
    caller: Caller<Sends>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<SendResponse>, ApiError> {
    send(&state.0, &caller, &headers, body, FlowKind::Transactional).await
}

async fn send(
    api: &Api,
    caller: &Caller<Sends>,
    headers: &HeaderMap,
    body: JsonBody,
    kind: FlowKind,
) -> Result<Json<SendResponse>, ApiError> {
    let key = idempotency_key(headers, &body, kind)?;
    let draft = read(api, caller, &body, kind);
    // As JSON values it takes many times its octets: that must not wait for the disk.
    drop(body);
    let sender = Sender { application: &caller.application, channels: caller.channels() };
    Ok(Json(api.service.accept(&sender, draft, key, |flow| SendResponse::from(flow)).await?))
}

fn read(api: &Api, caller: &Caller<Sends>, body: &JsonBody, kind: FlowKind) -> Draft {
    let context = SendContext {
        transcode: caller.application.settings.transcode,
        short_base: api.settings.short_base.as_deref(),
        limits: api.service.limits(),
        errors_max: api.settings.errors_max,
        new_code: &|| new_code().ok(),
    };
    read_send(&body.value, &body.octets, kind, &context)
}

fn idempotency_key(
    headers: &HeaderMap,
    body: &JsonBody,
    kind: FlowKind,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_MAX).contains(&key.chars().count()));
    let rule = format!("must have 1 to {KEY_MAX} printable ASCII characters");
    let key = key.ok_or_else(|| ApiError::field("Idempotency-Key", Rule::Length, rule))?;
    // The endpoint is part of what was asked for.
    let mut hash = Sha256::new_with_prefix([kind as u8]);
    hash.update(&body.octets);
    Ok(Some(IdempotencyKey { key: key.into(), body_hash: hash.finalize().into() }))
}
