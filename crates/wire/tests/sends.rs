//! A send is read as it was asked, and what it can't be is named with its path (contract, section 2).
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use flow::{CallbackStrategy, FlowKind, Limits, Rule};
use serde_json::{Value, json};
use wire::broken::{BrokenRules, FieldError};
use wire::read_send::{Draft, SendContext, read_send};

fn read(request: &Value, kind: FlowKind) -> Draft {
    let limits = Limits { steps_max: 3, ..Limits::default() };
    let new_code = || Some("code".to_owned());
    let context = SendContext {
        transcode: false,
        short_base: None,
        limits: &limits,
        errors_max: 4,
        new_code: &new_code,
    };
    read_send(request, request.to_string().as_bytes(), kind, &context)
}

fn sms() -> Value {
    json!({"type": "Sms", "from": "Acme", "to": "+306900000010", "message": {"body": "hi"}})
}

/// An Sms step with another member.
fn with(name: &str, value: Value) -> Value {
    let mut step = sms();
    step[name] = value;
    step
}

fn told(request: &Value, kind: FlowKind) -> BrokenRules {
    read(request, kind).problems.finish().unwrap_err()
}

/// The member that breaks a rule, and the rule, where there is one alone.
fn broken(request: &Value) -> (String, Rule) {
    let BrokenRules { told, more } = told(request, FlowKind::Plain);
    assert_eq!((told.len(), more), (1, 0), "{told:?}");
    (told[0].field.clone(), told[0].rule)
}

#[test]
fn steps_stand_in_their_order_unless_they_say_another() {
    let draft = read(&json!({"flow": [sms(), with("order", json!(7.0))]}), FlowKind::Plain);
    let orders: Vec<_> = draft.steps.iter().map(|step| (step.path.as_str(), step.order)).collect();
    assert_eq!(orders, [("flow[0]", Some(1)), ("flow[1]", Some(7))]);
    assert_eq!(draft.steps[0].step.country.as_deref(), Some("GR"));
    assert_eq!(draft.problems.finish(), Ok(()));
}

#[test]
fn a_ttl_is_read_in_tenths_of_a_minute() {
    for (minutes, tenths) in [(json!(0.3), 3), (json!(1.5), 15), (json!(20), 200)] {
        let draft = read(&json!({"flow": [with("ttl", minutes)]}), FlowKind::Plain);
        assert_eq!(draft.steps[0].step.ttl.tenths, tenths);
    }
    for minutes in [json!(0.25), json!(-1), json!(100_000)] {
        let request = json!({"flow": [with("ttl", minutes)]});
        assert_eq!(broken(&request), ("flow[0].ttl".into(), Rule::Range), "{request}");
    }
}

#[test]
fn a_step_that_cant_be_is_named_with_its_path() {
    for (step, member, rule) in [
        (json!({}), "", Rule::Required),
        (json!("Sms"), "", Rule::Type),
        (with("type", json!("")), ".type", Rule::Required),
        (with("type", json!("Fax")), ".type", Rule::Choice),
        (with("order", json!(0)), ".order", Rule::Range),
        (with("order", json!(1.5)), ".order", Rule::Type),
        (with("order", json!("1")), ".order", Rule::Type),
        (with("ttl", json!("1")), ".ttl", Rule::Type),
        (with("failoverOnStatuses", json!("Lost")), ".failoverOnStatuses", Rule::Choice),
        (with("failoverOnStatuses", json!([1])), ".failoverOnStatuses", Rule::Type),
        (with("send_at", json!("tomorrow")), ".send_at", Rule::Unavailable),
    ] {
        assert_eq!(broken(&json!({"flow": [sms(), step]})), (format!("flow[1]{member}"), rule), "{step}");
    }
    // What says nothing asks for nothing.
    assert_eq!(read(&json!({"flow": [with("delay", json!(0))]}), FlowKind::Plain).problems.finish(), Ok(()));
}

#[test]
fn a_flow_has_one_step_or_more_and_at_most_the_limit() {
    assert_eq!(broken(&json!({"flow": []})), ("flow".into(), Rule::Required));
    assert_eq!(read(&json!({"flow": vec![sms(); 3]}), FlowKind::Plain).problems.finish(), Ok(()));
    assert_eq!(broken(&json!({"flow": vec![sms(); 4]})), ("flow".into(), Rule::Length));
    assert_eq!(broken(&json!([])), (String::new(), Rule::Type));
}

#[test]
fn a_callback_has_a_strategy_and_an_address() {
    let url = "https://acme.example/";
    for (strategy, meant) in [
        ("", CallbackStrategy::OnChange),
        ("onStep", CallbackStrategy::OnChange),
        ("OnCompletion", CallbackStrategy::OnCompletion),
    ] {
        let request = json!({"flow": [sms()], "callback": {"strategy": strategy, "url": url}});
        let callback = read(&request, FlowKind::Plain).callback.unwrap();
        assert_eq!((callback.strategy, callback.url.as_str()), (meant, url));
    }
    let long = |characters| format!("{url}{}", "é".repeat(characters - url.len()));
    let request =
        |strategy: &str, url: &str| json!({"flow": [sms()], "callback": {"strategy": strategy, "url": url}});
    assert_eq!(read(&request("", &long(2000)), FlowKind::Plain).problems.finish(), Ok(()));
    assert_eq!(broken(&request("", &long(2001))), ("callback.url".into(), Rule::Length));
    assert_eq!(broken(&request("Never", url)), ("callback.strategy".into(), Rule::Choice));
    assert_eq!(broken(&request("OnChange", "")), ("callback.url".into(), Rule::Required));
}

#[test]
fn registrations_belong_to_plain_flows() {
    let request =
        json!({"flow": [sms()], "restrictions": {"contentTemplateId": "c", "principalEntityId": "p"}});
    let ids = read(&request, FlowKind::Plain).restrictions.unwrap();
    let ids = (ids.content_template_id.as_deref(), ids.principal_entity_id.as_deref());
    assert_eq!(ids, (Some("c"), Some("p")));
    let is_foreign = |error: &FieldError| error.field == "restrictions" && error.rule == Rule::Foreign;
    assert!(told(&request, FlowKind::Transactional).told.iter().any(is_foreign));
}

#[test]
fn reading_stops_where_there_are_more_broken_rules_than_are_told() {
    let step = json!({"type": "Fax", "sendAt": "noon", "delay": 5});
    let broken = told(&json!({"flow": [step, step, step]}), FlowKind::Plain);
    // Three rules in the first step, three in the second; the third is not read.
    assert_eq!((broken.told.len(), broken.more), (4, 2));
    let text = broken.to_string();
    assert!(text.ends_with("(and at least 5 more; only the first 4 are told)"), "{text}");
}
