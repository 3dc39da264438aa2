//! What support staff do about a flow: cancel it, opt its recipient out, send its callbacks again.

use crate::audit::audited;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Redirect;
use engine::administration::replay;
use serde::Deserialize;
use std::sync::Arc;
use store::Role;
use uuid::Uuid;

/// What was done, for the notice on the flow's page.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Done {
    Cancelled,
    OptedOut,
    Replayed,
}

impl Done {
    /// The notice.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Done::Cancelled => "It was cancelled: nothing more of it is sent.",
            Done::OptedOut => {
                "The recipient is on the list of opt-outs and gets nothing more on this channel."
            }
            Done::Replayed => "The callbacks are being sent again; this takes some seconds.",
        }
    }
}

/// Cancels a flow.
pub(crate) async fn cancel(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Redirect, PageError> {
    let flow = visitor.flow(&console, Role::Support, &id).await?;
    let cancel = console.service.cancel(&flow.application, flow.id, Some(visitor.operator.name.clone()));
    audited(&console, &visitor, "flow.cancel", &flow.id.to_string(), "", cancel).await?;
    Ok(back(flow.id, "cancelled"))
}

/// Which recipient.
#[derive(Deserialize)]
pub(crate) struct OptOut {
    /// The step's position.
    step: usize,
}

/// Puts a step's recipient on the application's list of opt-outs.
pub(crate) async fn opt_out(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(OptOut { step }): Form<OptOut>,
) -> Result<Redirect, PageError> {
    let flow = visitor.flow(&console, Role::Support, &id).await?;
    let step = flow.steps.get(step).ok_or(PageError::NotFound("step"))?;
    let (channel, to) = (step.channel(), step.to().to_owned());
    if !flow::is_e164(&to) {
        return Err(PageError::Refused("only a phone number can be opted out".to_owned()));
    }
    let suppress = console.service.suppress(&flow.application, channel, to, "by support".to_owned());
    audited(&console, &visitor, "recipient.opt-out", &flow.id.to_string(), channel.name(), suppress).await?;
    Ok(back(flow.id, "opted-out"))
}

/// Has the flow's callbacks made again that were given up.
pub(crate) async fn resend(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Redirect, PageError> {
    let flow = visitor.flow(&console, Role::Support, &id).await?;
    let of = Some(flow.id);
    let asked = console.desk.run(async move |admin| replay(admin, of).await);
    audited(&console, &visitor, "callbacks.replay", &flow.id.to_string(), "", asked).await?;
    Ok(back(flow.id, "replayed"))
}

/// Back to the flow's page.
fn back(id: Uuid, done: &str) -> Redirect {
    Redirect::to(&format!("/console/flows/{id}?done={done}"))
}
