//! `GET /console/try`: sends a flow by a form, to be watched live.

use crate::audit::audited;
use crate::error::PageError;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use engine::clock::new_code;
use engine::service::{AcceptError, Sender};
use flow::{Channel, ChannelSet, FlowKind};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use store::{Application, Role};
use wire::read_send::{Draft, SendContext, read_send};
use wire::typed_number::typed_number;

/// Broken rules that are told.
const ERRORS_MAX: usize = 10;

/// What the sandbox plays, by the last digit for Sms, the one before it for Viber, the one before that for
/// Voice (docs/sandbox.md).
const DIGITS: [(&str, &str, &str, &str); 8] = [
    ("0, 8, 9", "delivered", "delivered, then seen", "answered by a person"),
    ("1", "undelivered: unknown number", "undelivered: not a Viber user", "busy"),
    ("2", "refused at once", "failed: rejected", "nobody answers"),
    ("3", "no receipt: expires", "no receipt: expires", "rings until its time is over"),
    ("4", "delivered late", "delivered late", "answered by a machine"),
    ("5", "throttled, then delivered", "unavailable, then delivered", "unavailable, then answered"),
    ("6", "delivered twice", "seen before delivered", "answered twice"),
    ("7", "undelivered: call barred", "delivered, never seen", "failed"),
];

/// What the form sends.
#[derive(Clone, Deserialize)]
pub(crate) struct Asked {
    application: String,
    to: String,
    text: String,
    #[serde(default)]
    first: String,
    #[serde(default)]
    second: String,
    #[serde(default)]
    third: String,
}

impl Default for Asked {
    fn default() -> Asked {
        let text = |text: &str| text.to_owned();
        Asked {
            application: String::new(),
            to: text("+306900000010"),
            text: text("Your parcel is here"),
            first: text("Viber"),
            second: text("Sms"),
            third: String::new(),
        }
    }
}

/// Shows the form.
pub(crate) async fn get(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Markup, PageError> {
    visitor.require(Role::Support)?;
    Ok(shown(&console, &visitor, &Asked::default(), &[]))
}

fn shown(console: &Console, visitor: &Visitor, asked: &Asked, wrong: &[String]) -> Markup {
    let body = html! {
        h1 { "Try it" }
        @if console.settings.sandboxes.is_empty() {
            div.notice.bad role="note" { "There is no sandbox: what you send here reaches people and costs money." }
        }
        @if !wrong.is_empty() {
            div.notice.bad role="alert" { ul { @for rule in wrong { li { (rule) } } } }
        }
        @if visitor.applications.is_empty() {
            div.card { p { "There is no application yet: an admin creates one, and flows are sent as it." } }
        } @else { (form(visitor, asked)) }
        h2 { "What the sandbox plays, by the last digits of the number" }
        div.wide tabindex="0" role="region" aria-label="Digits" {
            table {
                thead { tr { th { "Digit" } th { "Sms: the last" } th { "Viber: the one before" } th { "Voice: before that" } } }
                tbody {
                    @for (digit, sms, viber, voice) in DIGITS {
                        tr { td { (digit) } td { (sms) } td { (viber) } td { (voice) } }
                    }
                }
            }
        }
    };
    page(console, visitor, Section::Try, "Try it", body)
}

fn form(visitor: &Visitor, asked: &Asked) -> Markup {
    let step = |name: &str, label: &str, chosen: &str, may_be_none: bool| {
        html! {
            div {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    @if may_be_none { option value="" { "nothing" } }
                    @for of in Channel::ALL {
                        option value=(of.name()) selected[of.name() == chosen] { (of) }
                    }
                }
            }
        }
    };
    html! {
        form.card method="post" action="/console/try" {
            div.row {
                div {
                    label for="application" { "As" }
                    select #application name="application" {
                        @for of in visitor.applications.iter().filter(|of| of.revoked_ms.is_none()) {
                            option value=(of.id) selected[of.id == asked.application] { (of.name) }
                        }
                    }
                }
                div { label for="to" { "To" } input #to name="to" value=(asked.to) required maxlength="40"; }
                (step("first", "First over", &asked.first, false))
                (step("second", "then over", &asked.second, true))
                (step("third", "then over", &asked.third, true))
            }
            p { label for="text" { "Text" } input #text name="text" value=(asked.text) required maxlength="1000"; }
            button.main { "Send and watch" }
        }
    }
}

/// A step of the API over a channel.
fn step(channel: Channel, to: &str, text: &str, order: usize) -> Value {
    match channel {
        Channel::Viber => {
            json!({"type": "Viber", "order": order, "senderInfoTrackingId": "switchback", "to": to,
            "message": {"text": text}})
        }
        Channel::Voice => {
            json!({"type": "Voice", "order": order, "from": "+302100000000", "to": {"phone": to},
            "dialPlan": {"verbs": [{"type": "SAY", "message": {"text": text}}]}})
        }
        _ => {
            json!({"type": channel.name(), "order": order, "from": "Switchback", "to": to, "message": {"body": text}})
        }
    }
}

fn read(console: &Console, application: &Application, body: &Value) -> Draft {
    let context = SendContext {
        transcode: application.settings.transcode,
        short_base: None,
        limits: console.service.limits(),
        errors_max: ERRORS_MAX,
        new_code: &|| new_code().ok(),
    };
    read_send(body, body.to_string().as_bytes(), FlowKind::Plain, &context)
}

/// Sends the flow, and leads to its page.
pub(crate) async fn send(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(asked): Form<Asked>,
) -> Result<Response, PageError> {
    visitor.require(Role::Support)?;
    let application = visitor.application(&asked.application).ok_or(PageError::NotFound("application"))?;
    let chosen = [&asked.first, &asked.second, &asked.third];
    let channels: Vec<Channel> = chosen.into_iter().filter_map(|name| Channel::parse(name)).collect();
    // What is no number is refused by the rule of the API.
    let to = typed_number(&asked.to, console.settings.country.as_deref()).unwrap_or(asked.to.clone());
    let steps = channels.iter().enumerate().map(|(at, channel)| step(*channel, &to, &asked.text, at + 1));
    let body = json!({"flow": steps.collect::<Vec<_>>()});
    let draft = read(&console, application, &body);
    let all = Channel::ALL.into_iter().fold(ChannelSet::default(), ChannelSet::with);
    let sender = Sender { application, channels: all };
    let sent = console.service.accept(&sender, draft, None, |flow| flow.id);
    let sent = async { Ok::<_, PageError>(sent.await) };
    match audited(&console, &visitor, "flow.send", &application.id, "", sent).await? {
        Ok(id) => Ok(Redirect::to(&format!("/console/flows/{id}")).into_response()),
        Err(AcceptError::Store(error)) => Err(error.into()),
        Err(AcceptError::Broken(broken)) => {
            let wrong: Vec<String> =
                broken.told.iter().map(|rule| format!("{}: {}", rule.field, rule.message)).collect();
            Ok(shown(&console, &visitor, &asked, &wrong).into_response())
        }
        Err(error) => Err(PageError::Refused(error.to_string())),
    }
}
