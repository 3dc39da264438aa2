//! `POST /failover` and `POST /failover/transactional` (contract, section 2).

use super::auth::Caller;
use super::error::{ApiError, BodyErrors, CommonErrors, ErrorBody};
use super::read_step::{AT_ONCE, OTHER_TIME, StepContext, check_step, read_step};
use super::reader::{Problems, Reader, is_blank};
use super::scope::Sends;
use super::step_request::SendRequest;
use super::step_view::StepView;
use super::tracking::flow_kind;
use super::words::StrategyWord;
use super::written::Written;
use super::{Api, JsonBody};
use crate::clock::{iso, new_id, now_ms};
use crate::targets::{check_sip_address, read_url};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use flow::{
    Callback, CallbackStrategy, Channel, Content, Flow, FlowKind, NewFlow, Restrictions, Rule, SipAddress,
    Step, Voice, VoiceTarget,
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use store::{Accepted, IdempotencyKey};
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest callback URL, in characters.
const URL_MAX: usize = 2000;
/// Longest `Idempotency-Key`, in characters.
const KEY_MAX: usize = 255;

/// A flow that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendResponse {
    tracking_id: Uuid,
    /// The steps as accepted, with every default filled in.
    flow: Vec<StepView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<CallbackView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restrictions: Option<RestrictionsView>,
    /// `transactional` for a transactional flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_kind: Option<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Where results go and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallbackView {
    strategy: StrategyWord,
    url: String,
}

/// Registration ids that Indian carriers ask for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestrictionsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_template_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_entity_id: Option<String>,
}

impl From<&Flow> for SendResponse {
    fn from(flow: &Flow) -> SendResponse {
        SendResponse {
            tracking_id: flow.id,
            flow: flow.steps.iter().map(StepView::from).collect(),
            callback: flow.callback.as_ref().map(|callback| CallbackView {
                strategy: match callback.strategy {
                    CallbackStrategy::OnChange => StrategyWord::OnChange,
                    CallbackStrategy::OnCompletion => StrategyWord::OnCompletion,
                },
                url: callback.url.clone(),
            }),
            restrictions: flow.restrictions.as_ref().map(|ids| RestrictionsView {
                content_template_id: ids.content_template_id.clone(),
                principal_entity_id: ids.principal_entity_id.clone(),
            }),
            flow_kind: flow_kind(flow.kind),
            created_at: iso(flow.created_ms),
        }
    }
}

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
    let mut new = read(api, caller, &body, kind)?;
    // As JSON values it takes many times its octets: that must not wait for the disk.
    drop(body);
    for step in &new.steps {
        caller.require(step.channel())?;
    }
    let now_ms = now_ms();
    new.id = new_id(now_ms);
    let flow = Flow::accept(new, now_ms, &mut || new_id(now_ms));
    let response = SendResponse::from(&flow);
    match api.store.accept(flow, key, now_ms).await? {
        Accepted::New => {
            metrics::counter!("switchback_flows_accepted_total").increment(1);
            Ok(Json(response))
        }
        Accepted::Replayed(first) => Ok(Json(SendResponse::from(&*first))),
    }
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

/// Reads and checks a request; the id is left for the caller to draw.
fn read(api: &Api, caller: &Caller<Sends>, body: &JsonBody, kind: FlowKind) -> Result<NewFlow, ApiError> {
    let problems = Problems::new(api.errors_max);
    let transcode = caller.application.settings.transcode;
    let written = match kind {
        FlowKind::Plain => Written::default(),
        FlowKind::Transactional => Written::read(&body.octets),
    };
    let (short_base, limits) = (api.short_base.as_deref(), &api.limits);
    let context = StepContext { kind, transcode, short_base, limits, written: &written };
    let mut steps = Vec::new();
    let (mut callback, mut restrictions) = (None, None);
    if let Some(request) = Reader::of(&body.value, "", &problems) {
        request.refuse_unavailable(&OTHER_TIME, AT_ONCE);
        let given = request.array("flow", api.limits.steps_max, "steps").unwrap_or_default();
        if !request.has("flow") {
            request.refuse("flow", Rule::Required, "must have at least one step");
        }
        let read = |(place, (path, value)): (u32, (String, &Value))| {
            if is_blank(value) {
                problems.add(&*path, Rule::Required, "must be a step");
                return None;
            }
            Some((read_step(value, place, &path, &context, &problems)?, path))
        };
        let given = (1..).zip(given);
        steps = given.take_while(|_| !problems.is_over()).filter_map(read).collect();
        callback = read_callback(&request, api.allow_private);
        if kind == FlowKind::Transactional {
            request.refuse_foreign(&["restrictions"], "has no place in a transactional flow");
        }
        restrictions = request.object(&["restrictions"]).map(|ids| Restrictions {
            content_template_id: ids.text("contentTemplateId"),
            principal_entity_id: ids.text("principalEntityId"),
        });
    }
    for (step, path) in &mut steps {
        if problems.is_over() {
            break;
        }
        let known = problems.count();
        check_step(step, path, &api.limits, &problems);
        check_sip(step, path, api.allow_private, &problems);
        if !api.carried.contains(step.channel()) {
            let message = format!("no carrier for {} is configured on this server", step.channel());
            problems.add(format!("{path}.type"), Rule::Unavailable, message);
        } else if problems.count() == known {
            check_carriers(api, &caller.application.id, step, restrictions.as_ref(), path, &problems);
        }
    }
    if !api.lenient_order {
        check_orders(&steps, &problems);
    }
    problems.finish()?;
    let mut steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
    // Stable: equal orders stay in the order of the array.
    steps.sort_by_key(|step| step.order);
    let mut new = NewFlow {
        id: Uuid::nil(),
        application: caller.application.id.clone(),
        kind,
        minute_ms: api.minute_ms,
        steps,
        callback,
        restrictions,
        callback_bytes_max: flow::CALLBACK_BYTES,
    };
    let measured = new.measure(&api.limits);
    measured.map_err(|broken| ApiError::field(broken.field, broken.rule, broken.message))?;
    Ok(new)
}

/// Checks who sends, and that some carrier could carry it; fills in the sender's name.
fn check_carriers(
    api: &Api,
    application: &str,
    step: &mut Step,
    restrictions: Option<&Restrictions>,
    path: &str,
    problems: &Problems,
) {
    let router = api.engine.router();
    match router.sender(step, application) {
        Ok(sender) => {
            if let (Some(sender), Content::Viber(viber)) = (sender, &mut step.content) {
                viber.sender_name = sender.name.clone();
            }
        }
        Err(why) => {
            let member = if step.channel() == Channel::Viber { "senderInfoTrackingId" } else { "from" };
            problems.add(format!("{path}.{member}"), Rule::Registered, why);
        }
    }
    let mut refusals = Vec::new();
    for (name, ..) in router.explain(step, application).choices {
        let outlet = api.engine.outlet(name);
        match outlet.and_then(|outlet| outlet.carrier.refuses(step, restrictions)) {
            Some(why) => refusals.push(format!("{name}: {why}")),
            None => return,
        }
    }
    let message = format!("can't be carried: {}", refusals.join("; "));
    problems.add(path, Rule::Carrier, message);
}

/// Checks that a call goes to where this server may send; an address that can't be read was refused before.
fn check_sip(step: &Step, path: &str, allow_private: bool, problems: &Problems) {
    let Content::Voice(Voice { to: VoiceTarget::Sip(address), .. }) = &step.content else { return };
    let Ok(address) = SipAddress::parse(address) else { return };
    if let Err(why) = check_sip_address(&address, allow_private) {
        problems.add(format!("{path}.to.sip"), Rule::Format, why);
    }
}

fn check_orders(steps: &[(Step, String)], problems: &Problems) {
    let mut taken = HashSet::new();
    // 0 stands for an order that was refused already.
    for (step, path) in steps.iter().filter(|(step, _)| step.order != 0) {
        if !taken.insert(step.order) {
            let message = format!("must be unique; {} was given before", step.order);
            problems.add(format!("{path}.order"), Rule::Unique, message);
        }
    }
}

fn read_callback(request: &Reader<'_>, allow_private: bool) -> Option<Callback> {
    let callback = request.object(&["callback"])?;
    let strategy = callback.text("strategy").unwrap_or_default();
    let strategy = match strategy.to_ascii_lowercase().as_str() {
        "" | "onchange" | "onstep" => Some(CallbackStrategy::OnChange),
        "oncompletion" => Some(CallbackStrategy::OnCompletion),
        _ => {
            callback.refuse("strategy", Rule::Choice, "must be OnChange or OnCompletion");
            None
        }
    };
    let url = callback.required_text("url");
    if !url.is_empty() {
        if url.chars().count() > URL_MAX {
            callback.refuse("url", Rule::Length, format!("must have at most {URL_MAX} characters"));
        }
        if let Err(why) = read_url(&url, allow_private) {
            callback.refuse("url", Rule::Format, why);
        }
    }
    Some(Callback { strategy: strategy?, url })
}
