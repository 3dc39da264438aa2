//! `GET /console/callbacks`: callbacks that were given up, and sending them again.

use crate::audit::audited;
use crate::error::PageError;
use crate::form::act;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use engine::administration::replay;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DeadCallback, Role};
use uuid::Uuid;

/// Flows whose callbacks are listed, the oldest ones.
const LISTED_MAX: usize = 1000;

/// Lists the callbacks that were given up, by their targets.
pub(crate) async fn get(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Markup, PageError> {
    visitor.require(Role::Support)?;
    let dead = dead(&console, &visitor).await?;
    let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
    for callback in &dead {
        *hosts.entry(host(&callback.url)).or_default() += 1;
    }
    let body = html! {
        h1 { "Callbacks that were given up" }
        @if dead.is_empty() {
            div.card { p { "None: every callback was acknowledged, or is still being tried. A flow's page shows its own." } }
        } @else {
            div.cards {
                @for (host, count) in &hosts {
                    div.card { h2 { (host) } p { (count) " given up" } }
                }
            }
            form method="post" action="/console/callbacks/replay" {
                p { button.main { "Send all of them again" } }
            }
            (table(&dead))
            @if dead.len() >= LISTED_MAX { p.soft { "These are the first; send them again to see the others." } }
        }
    };
    Ok(page(&console, &visitor, Section::Callbacks, "Callbacks", body))
}

/// Those of the applications that the visitor sees.
async fn dead(console: &Console, visitor: &Visitor) -> Result<Vec<DeadCallback>, PageError> {
    let ids: Vec<String> = visitor.applications.iter().map(|application| application.id.clone()).collect();
    let of = (!visitor.is_of_all()).then_some(ids);
    let dead = console.desk.run(async move |admin| admin.dead_callbacks(of.as_deref(), LISTED_MAX).await);
    Ok(dead.await?)
}

/// The host of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn table(dead: &[DeadCallback]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Callbacks" {
            table {
                thead { tr { th { "Flow" } th { "To" } th.number { "Attempts" } th { "Last answer" } td {} } }
                tbody {
                    @for of in dead {
                        @let id = of.tracking_id.to_string();
                        tr data-href=(format!("/console/flows/{id}")) {
                            td { a href=(format!("/console/flows/{id}")) { code { (id) } } }
                            td { code { (of.url) } }
                            td.number { (of.attempts) }
                            td { (of.error) }
                            td {
                                (act("/console/callbacks/replay", ("flow", &id), "Send again", &id))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whose callbacks; empty for all that are listed.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    flow: String,
}

/// Has callbacks made again that were given up.
pub(crate) async fn resend(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Which { flow }): Form<Which>,
) -> Result<Redirect, PageError> {
    visitor.require(Role::Support)?;
    let mut flows: Vec<Uuid> = if flow.is_empty() {
        dead(&console, &visitor).await?.into_iter().map(|of| of.tracking_id).collect()
    } else {
        vec![visitor.flow(&console, Role::Support, &flow).await?.id]
    };
    // Callbacks of one flow follow each other, and are asked for once.
    flows.dedup();
    let subject = if flow.is_empty() { "all that were listed".to_owned() } else { flow };
    let count = format!("{} flows", flows.len());
    let asked = console.desk.run(async move |admin| {
        for id in flows {
            replay(admin, Some(id)).await?;
        }
        Ok::<_, engine::administration::ReplayError>(())
    });
    audited(&console, &visitor, "callbacks.replay", &subject, &count, asked).await?;
    Ok(Redirect::to("/console/callbacks"))
}
