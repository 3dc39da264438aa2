//! `GET /console/routes`: which carriers are tried for a message.

use crate::error::PageError;
use crate::form::{applications, channels};
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Query, State};
use flow::Channel;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use store::Role;
use wire::typed_number::typed_number;

/// A message that is asked about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    channel: String,
    to: String,
    from: String,
    application: String,
    label: String,
}

/// Shows the carriers of a message in their order, and why.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Markup, PageError> {
    visitor.require(Role::Operator)?;
    let application = match &*asked.application {
        // As the form shows it.
        "" => visitor.applications.first(),
        id => Some(visitor.application(id).ok_or(PageError::NotFound("application"))?),
    };
    let application = application.map_or("", |application| &*application.id);
    let body = html! {
        h1 { "Routes" }
        p.soft { "Which carriers are tried for a message, in which order, by the configuration." }
        (form(&visitor, &asked))
        @if !asked.to.is_empty() { (explained(&console, &asked, application)?) }
    };
    Ok(page(&console, &visitor, Section::Routes, "Routes", body))
}

fn form(visitor: &Visitor, asked: &Asked) -> Markup {
    html! {
        form.card.row method="get" {
            (channels("channel", "Channel", &asked.channel, None))
            div { label for="to" { "To" } input #to name="to" value=(asked.to) required maxlength="40"; }
            div { label for="from" { "Sender" } input #from name="from" value=(asked.from) maxlength="100"; }
            (applications(visitor, "Application", &asked.application, None))
            div { label for="label" { "Label" } input #label name="label" value=(asked.label) maxlength="350"; }
            button.main { "Explain" }
        }
    }
}

fn explained(console: &Console, asked: &Asked, application: &str) -> Result<Markup, PageError> {
    let channel = Channel::parse(&asked.channel);
    let channel = channel.ok_or_else(|| PageError::Refused("choose a channel".to_owned()))?;
    let to = match typed_number(&asked.to, console.settings.country.as_deref()) {
        Ok(to) => to,
        Err(refused) => return Ok(html! { div.notice.bad role="alert" { (refused) "." } }),
    };
    let label = Some(asked.label.clone()).filter(|label| !label.is_empty());
    let found = console.service.explain(application, channel, asked.from.clone(), to.clone(), label);
    Ok(html! {
        section.card {
            h2 { (channel) " to " (to) }
            @match found.route {
                Some(words) => p { "This route holds: " (words) },
                None => p { "No route holds: the carriers of the channel come in the order of the configuration." },
            }
            @if let Some(why) = found.refused {
                div.notice.bad { "Such a message is refused when it is sent: " (why) }
            }
            @if found.choices.is_empty() { p { "No carrier carries it." } } @else {
                table {
                    thead { tr { th { "Priority" } th { "Carrier" } th.number { "Tried first there" } } }
                    tbody {
                        @for (name, priority, share) in found.choices {
                            tr { td { (priority) } td { (name) } td.number { (format!("{:.0} %", share * 100.0)) } }
                        }
                    }
                }
            }
        }
    })
}
