//! The frame of every page: what stands above and below it.

use crate::assets::{HTMX, ICON, SCRIPT, STYLE};
use crate::request::visitor::Visitor;
use crate::state::Console;
use maud::{DOCTYPE, Markup, html};
use store::Role;

/// The pages that the navigation names, with the least role that sees each.
const SECTIONS: [(Section, &str, &str, Role); 9] = [
    (Section::Flows, "Flows", "/console/flows", Role::Viewer),
    (Section::Carriers, "Carriers", "/console/carriers", Role::Viewer),
    (Section::Figures, "Figures", "/console/figures", Role::Viewer),
    (Section::Callbacks, "Callbacks", "/console/callbacks", Role::Support),
    (Section::OptOuts, "Opt-outs", "/console/opt-outs", Role::Support),
    (Section::Applications, "Applications", "/console/applications", Role::Admin),
    (Section::Routes, "Routes", "/console/routes", Role::Operator),
    (Section::Users, "Users", "/console/users", Role::Admin),
    (Section::Try, "Try it", "/console/try", Role::Support),
];

/// Where in the console a page stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Flows,
    Carriers,
    Figures,
    Callbacks,
    OptOuts,
    Applications,
    Routes,
    Users,
    Try,
}

/// A page of the console. `title` says what it shows, and `body` begins with its heading.
pub(crate) fn page(
    console: &Console,
    visitor: &Visitor,
    section: Section,
    title: &str,
    body: Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head(title))
                meta name="htmx-config" content=r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;
                script src=(HTMX.path()) defer {}
                script src=(SCRIPT.path()) defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                header.top {
                    a.brand href="/console/flows" { (mark()) "Switchback" }
                    nav aria-label="Pages" {
                        @for (of, name, path, role) in SECTIONS {
                            @if visitor.is(role) && (of != Section::Users || visitor.is_of_all()) {
                                a href=(path) aria-current=[(of == section).then_some("page")] { (name) }
                            }
                        }
                    }
                    form.who method="post" action="/console/sign-out" {
                        span { (visitor.operator.name) " (" (visitor.operator.role.name()) ")" }
                        button { "Sign out" }
                    }
                }
                (sandbox_notice(console))
                main #main tabindex="-1" { (body) }
                (footer(visitor))
                (keys())
            }
        }
    }
}

/// A page for those who are not signed in.
pub(crate) fn open_page(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            // The script tells the time zone already here, so that no page has to be shown twice for it.
            head { (head(title)) script src=(SCRIPT.path()) defer {} }
            body { main.narrow { div.card { (body) } } }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { (title) " · Switchback" }
        link rel="icon" href=(ICON.path());
        link rel="stylesheet" href=(STYLE.path());
    }
}

fn mark() -> Markup {
    html! { img src=(ICON.path()) width="22" height="22" alt=""; }
}

/// Where carriers only play, nobody must take that for the world.
fn sandbox_notice(console: &Console) -> Markup {
    let sandboxes = &console.settings.sandboxes;
    html! {
        @if !sandboxes.is_empty() {
            aside.sandbox aria-label="Sandbox" {
                "Sandbox: what goes to " (sandboxes.join(", ")) " reaches nobody."
            }
        }
    }
}

fn footer(visitor: &Visitor) -> Markup {
    html! {
        footer data-zoned {
            form.row.middle method="post" action="/console/zone" {
                label for="zone" { "Times are shown in" }
                input #zone name="zone" list="zones" value=(visitor.zone.name()) size="20";
                datalist #zones { option value="UTC"; option value="browser"; }
                button { "Change" }
            }
            button #live type="button" hidden {}
            span { "Press " kbd { "?" } " for the keys" }
            span { "Switchback " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

fn keys() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-heading" {
            h2 #keys-heading { "Keys" }
            dl {
                dt { kbd { "/" } } dd { "to the search box" }
                dt { kbd { "j" } " " kbd { "k" } } dd { "down and up in a list" }
                dt { kbd { "Enter" } } dd { "opens what is chosen" }
                dt { kbd { "?" } } dd { "shows this" }
                dt { kbd { "Esc" } } dd { "closes it" }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}
