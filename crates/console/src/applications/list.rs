//! `GET /console/applications`.

use crate::error::PageError;
use crate::form::act;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::State;
use flow::Price;
use maud::{Markup, html};
use std::sync::Arc;
use store::{Application, ApplicationLimits, Role, StoreError};

/// Credentials that were just made: they are shown once.
pub(super) struct Made {
    pub(super) application: String,
    /// What each is, and it.
    pub(super) secrets: Vec<(&'static str, String)>,
}

/// Lists the applications.
pub(crate) async fn get(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Markup, PageError> {
    visitor.require(Role::Admin)?;
    shown(&console, &visitor, None).await
}

/// The list, and what was just made.
pub(super) async fn shown(
    console: &Console,
    visitor: &Visitor,
    made: Option<&Made>,
) -> Result<Markup, PageError> {
    let ids: Vec<String> = visitor.applications.iter().map(|of| of.id.clone()).collect();
    let balances = console.desk.run(async move |admin| {
        let mut balances = Vec::new();
        for id in &ids {
            balances.push(admin.balance(id).await?);
        }
        Ok::<_, StoreError>(balances)
    });
    let balances = balances.await?;
    let body = html! {
        h1 { "Applications" }
        @if let Some(made) = made { (credentials(made)) }
        form.card.row method="post" action="/console/applications/create" {
            div.grow { label for="name" { "A new application's name" } input #name name="name" required maxlength="200" autocomplete="off"; }
            button.main { "Create" }
        }
        @if visitor.applications.is_empty() {
            div.card { p { "There is none yet. A client needs one to send: create it here, and give the client its id and secret." } }
        }
        div.cards {
            @for (of, balance) in visitor.applications.iter().zip(balances) { (card(visitor, of, balance)) }
        }
    };
    Ok(page(console, visitor, Section::Applications, "Applications", body))
}

fn credentials(made: &Made) -> Markup {
    html! {
        div.notice.good role="status" {
            p { "Keep these now: they are not shown again." }
            dl {
                dt { "Application id" } dd { code { (made.application) } }
                @for (at, (name, secret)) in made.secrets.iter().enumerate() {
                    @let id = format!("secret-{at}");
                    dt { (name) }
                    dd { code id=(id) { (secret) } " " button.plain type="button" data-copy=(format!("#{id}")) { "Copy" } }
                }
            }
        }
    }
}

fn card(visitor: &Visitor, of: &Application, balance: Option<Price>) -> Markup {
    let act = |does: &str, words: &str| {
        act(&format!("/console/applications/{does}"), ("application", &of.id), words, &of.name)
    };
    html! {
        section.card {
            h2 { (of.name) @if of.revoked_ms.is_some() { " " span.badge.bad { "revoked" } } }
            dl {
                dt { "Id" } dd { code { (of.id) } }
                dt { "Created" } dd { (visitor.zone.moment(of.created_ms)) }
                dt { "Balance" }
                dd { @match balance { Some(balance) => (balance.normalize()), None => "not counted" } }
                dt { "Limits" } dd { (limits(&of.settings.limits)) }
            }
            @if of.revoked_ms.is_none() {
                details {
                    summary { "Change" }
                    (balance_form(of))
                    (limits_form(of))
                    div.row {
                        (act("rotate", "New secret"))
                        (act("rotate-callback", "New callback key"))
                        (act("revoke", "Revoke"))
                    }
                }
            }
        }
    }
}

fn balance_form(of: &Application) -> Markup {
    let id = format!("balance-{}", of.id);
    html! {
        form method="post" action="/console/applications/balance" {
            input type="hidden" name="application" value=(of.id);
            label for=(id) { "Set the balance, or leave it empty to count no more" }
            p.row { span.grow { input id=(id) name="amount" inputmode="decimal" maxlength="30"; } button { "Set" } }
        }
    }
}

fn limits_form(of: &Application) -> Markup {
    let id = format!("rate-{}", of.id);
    let own = of.settings.limits.requests_per_second.map(|rate| rate.to_string()).unwrap_or_default();
    html! {
        form method="post" action="/console/applications/limits" {
            input type="hidden" name="application" value=(of.id);
            label for=(id) { "Requests a second; empty: as configured; 0: no limit" }
            p.row { span.grow { input id=(id) name="rate" inputmode="numeric" value=(own) maxlength="10"; } button { "Set" } }
        }
    }
}

fn limits(limits: &ApplicationLimits) -> String {
    let ApplicationLimits { requests_per_second, searches_max, tokens_max } = limits;
    let own = [
        requests_per_second.map(|rate| format!("{rate} requests a second")),
        searches_max.map(|most| format!("{most} costly searches at a time")),
        tokens_max.map(|most| format!("{most} tokens")),
    ];
    let own: Vec<String> = own.into_iter().flatten().collect();
    if own.is_empty() { "as configured".to_owned() } else { own.join(", ") }
}
