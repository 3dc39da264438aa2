//! Pauses, drains and resumes carriers. This server follows at once.

use crate::audit::audited;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use engine::administration::{CarrierError, Carriers, Which};
use engine::clock::now_ms;
use serde::Deserialize;
use std::sync::Arc;
use store::{Halt, Role};

/// Which carrier.
#[derive(Deserialize)]
pub(crate) struct Named {
    carrier: String,
}

impl From<CarrierError> for PageError {
    fn from(error: CarrierError) -> PageError {
        match error {
            CarrierError::Store(error) => PageError::Store(error),
            error => PageError::Refused(error.to_string()),
        }
    }
}

/// Hands nothing new to a carrier for a while.
pub(crate) async fn pause(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { carrier }): Form<Named>,
) -> Result<Redirect, PageError> {
    halt(&console, &visitor, carrier, Halt::Paused, "carrier.pause").await
}

/// Hands nothing new to a carrier, so that it can be taken away.
pub(crate) async fn drain(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { carrier }): Form<Named>,
) -> Result<Redirect, PageError> {
    halt(&console, &visitor, carrier, Halt::Draining, "carrier.drain").await
}

async fn halt(
    console: &Console,
    visitor: &Visitor,
    carrier: String,
    halt: Halt,
    action: &'static str,
) -> Result<Redirect, PageError> {
    visitor.require_of_all(Role::Operator)?;
    let names = console.service.carriers().map(|(name, _)| name).collect();
    let (by, which) = (visitor.operator.name.clone(), Which::Named(carrier.clone()));
    let halted = console
        .desk
        .run(async move |admin| Carriers::new(admin, Some(names)).halt(which, halt, &by, now_ms()).await);
    audited::<_, CarrierError>(console, visitor, action, &carrier, "", halted).await?;
    console.service.read_halts().await?;
    Ok(Redirect::to("/console/carriers"))
}

/// Lets a carrier run again.
pub(crate) async fn resume(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { carrier }): Form<Named>,
) -> Result<Redirect, PageError> {
    visitor.require_of_all(Role::Operator)?;
    let which = Which::Named(carrier.clone());
    let resumed = async {
        match console.desk.run(async move |admin| Carriers::new(admin, None).resume(which).await).await {
            // Somebody else was quicker.
            Err(CarrierError::Running(_)) => Ok(()),
            resumed => resumed.map(drop),
        }
    };
    audited::<_, CarrierError>(&console, &visitor, "carrier.resume", &carrier, "", resumed).await?;
    console.service.read_halts().await?;
    Ok(Redirect::to("/console/carriers"))
}
