//! Erasing a flow, after it was confirmed by typing.

use crate::audit::audited;
use crate::error::PageError;
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use store::Role;

/// What has to be typed.
const WORD: &str = "erase";

/// Asks for the confirmation.
pub(crate) async fn ask(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Markup, PageError> {
    let flow = visitor.flow(&console, Role::Admin, &id).await?;
    let body = html! {
        div.card {
            h1 { "Erase a flow" }
            p { "What it said, to whom it went and what became of it is removed for ever; if it is under way, it "
                "is cancelled first. Statistics keep its figures, and nothing of a person." }
            p { code { (flow.id) } }
            form method="post" {
                label for="word" { "Type " strong { (WORD) } " to go on" }
                div.row {
                    div { input #word name="word" required autocomplete="off"; }
                    button.danger { "Erase" }
                    a href=(format!("/console/flows/{}", flow.id)) { "Back" }
                }
            }
        }
    };
    Ok(page(&console, &visitor, Section::Flows, "Erase a flow", body))
}

/// The confirmation.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    word: String,
}

/// Erases the flow.
pub(crate) async fn erase(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Confirmed { word }): Form<Confirmed>,
) -> Result<Redirect, PageError> {
    let flow = visitor.flow(&console, Role::Admin, &id).await?;
    if word.trim() != WORD {
        return Err(PageError::Refused(format!("nothing was erased: type \"{WORD}\" to confirm")));
    }
    let erase = console.service.erase(&flow.application, flow.id);
    audited(&console, &visitor, "flow.erase", &flow.id.to_string(), "", erase).await?;
    Ok(Redirect::to("/console/flows"))
}
