//! `GET /console/users`.

use crate::error::PageError;
use crate::form::{act, applications, choice};
use crate::page::{Section, page};
use crate::request::site::Site;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::State;
use engine::administration::links::Invitation;
use engine::administration::operators;
use maud::{Markup, html};
use std::sync::Arc;
use store::{Operator, Role};

/// Lists the people, with what can be done for each.
pub(crate) async fn get(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Markup, PageError> {
    visitor.require_of_all(Role::Admin)?;
    shown(&console, &visitor, None).await
}

/// The list, and a link that was just made: it is shown once.
pub(super) async fn shown(
    console: &Console,
    visitor: &Visitor,
    made: Option<(&Site, &Invitation)>,
) -> Result<Markup, PageError> {
    let people = console.desk.run(async |admin| operators::list(admin).await).await?;
    let body = html! {
        div.row.middle.between { h1 { "Users" } a href="/console/users/audit" { "What they did: the audit" } }
        @if let Some((site, made)) = made { (invitation(visitor, site, made)) }
        (add(visitor))
        div.wide tabindex="0" role="region" aria-label="Users" {
            table {
                thead { tr { th { "Name" } th { "Role" } th { "Sees" } th { "Since" } td {} } }
                tbody { @for of in &people { (row(visitor, of)) } }
            }
        }
    };
    Ok(page(console, visitor, Section::Users, "Users", body))
}

fn invitation(visitor: &Visitor, site: &Site, made: &Invitation) -> Markup {
    html! {
        div.notice.good role="status" {
            p { "Send this link to " strong { (made.operator) } ". It works once, until "
                (visitor.zone.moment(made.ends_ms)) ", and is not shown again." }
            code #link { (site.address(&made.path())) } " "
            button.plain type="button" data-copy="#link" { "Copy" }
        }
    }
}

fn add(visitor: &Visitor) -> Markup {
    html! {
        form.card method="post" action="/console/users/add" {
            h2 { "Add somebody" }
            div.row {
                div { label for="name" { "Name" } input #name name="name" required maxlength="64" autocomplete="off"; }
                (choice("role", "Role", Role::Viewer.name(), None, Role::ALL.map(|role| (role.name(), role.name()))))
                (applications(visitor, "Sees", "", Some("all applications")))
                button.main { "Add" }
            }
            p.soft {
                "A viewer sees flows with masked numbers and no texts; support sees all of them, cancels, opts out "
                "and sends callbacks again; an operator also pauses carriers; an admin also keeps applications and "
                "users, and erases."
            }
        }
    }
}

fn row(visitor: &Visitor, of: &Operator) -> Markup {
    let act =
        |does: &str, words: &str| act(&format!("/console/users/{does}"), ("name", &of.name), words, &of.name);
    let role_id = format!("role-{}", of.name);
    let names = of.applications.iter().map(|id| visitor.application(id).map_or(&**id, |of| &*of.name));
    let sees = names.collect::<Vec<_>>().join(", ");
    let is_own = of.name == visitor.operator.name;
    html! {
        tr {
            td {
                strong { (of.name) }
                @if of.disabled_ms.is_some() { " " span.badge.bad { "disabled" } }
                @else if of.identity.is_some() { " " span.badge { "by identity provider" } }
                @else if !of.has_password { " " span.badge.open { "invited" } }
            }
            td {
                @if is_own { (of.role.name()) } @else {
                    form.row method="post" action="/console/users/role" {
                        input type="hidden" name="name" value=(of.name);
                        label for=(role_id) { span.soft { "Role" } }
                        select id=(role_id) name="role" {
                            @for role in Role::ALL {
                                option value=(role.name()) selected[role == of.role] { (role.name()) }
                            }
                        }
                        button aria-label=(format!("Change the role: {}", of.name)) { "Change" }
                    }
                }
            }
            td { @if sees.is_empty() { "all applications" } @else { (sees) } }
            td.tight { (visitor.zone.moment(of.created_ms)) }
            td {
                @if !is_own {
                    div.row {
                        @if of.identity.is_none() { (act("link", "New link")) }
                        @if of.disabled_ms.is_some() { (act("enable", "Enable")) } @else { (act("disable", "Disable")) }
                        (act("remove", "Remove"))
                    }
                }
            }
        }
    }
}
