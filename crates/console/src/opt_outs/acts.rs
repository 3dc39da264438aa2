//! Changes the list of opt-outs. The audit has no full numbers.

use super::import;
use super::list::{Asked, Done, number};
use crate::audit::audited;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use engine::administration::{OptOutError, OptOuts};
use engine::clock::now_ms;
use serde::Deserialize;
use std::sync::Arc;
use store::Role;

/// A number of a list.
#[derive(Deserialize)]
pub(crate) struct One {
    #[serde(flatten)]
    list: Asked,
    #[serde(default)]
    reason: String,
}

/// A pasted list.
#[derive(Deserialize)]
pub(crate) struct Pasted {
    #[serde(flatten)]
    list: Asked,
    csv: String,
}

/// Opts a number out.
pub(crate) async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(One { list, reason }): Form<One>,
) -> Result<Redirect, PageError> {
    visitor.require(Role::Support)?;
    let (application, channel) = list.list(&visitor)?;
    let number = number(&console, &list.number)?;
    let (id, recipient) = (application.id.clone(), number.clone());
    let reason = if reason.is_empty() { format!("by {}", visitor.operator.name) } else { reason };
    let added = console.desk.run(async move |admin| {
        let list = OptOuts::of(admin, &id, channel).await?;
        list.add(&[list.entry(&recipient, &reason, now_ms())?]).await
    });
    let detail = format!("{number} from {channel}");
    audited::<_, OptOutError>(&console, &visitor, "recipient.opt-out", &application.id, &detail, added)
        .await?;
    Ok(Redirect::to(&Asked::after_one(&application.id, channel, number, Done::Added)))
}

/// Lets a number be written to again.
pub(crate) async fn remove(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(One { list, .. }): Form<One>,
) -> Result<Redirect, PageError> {
    visitor.require(Role::Support)?;
    let (application, channel) = list.list(&visitor)?;
    let (id, recipient) = (application.id.clone(), list.number.clone());
    let removed =
        console.desk.run(async move |admin| OptOuts::of(admin, &id, channel).await?.remove(&recipient).await);
    let detail = format!("{} from {channel}", list.number);
    audited::<_, OptOutError>(&console, &visitor, "recipient.opt-in", &application.id, &detail, removed)
        .await?;
    Ok(Redirect::to(&Asked::after_one(&application.id, channel, list.number.clone(), Done::Removed)))
}

/// Opts out all numbers of a pasted list, or none if a line is wrong.
pub(crate) async fn import(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Pasted { list, csv }): Form<Pasted>,
) -> Result<Redirect, PageError> {
    visitor.require(Role::Support)?;
    let (application, channel) = list.list(&visitor)?;
    let id = application.id.clone();
    let country = console.settings.country.clone();
    let imported = console.desk.run(async move |admin| {
        let list = OptOuts::of(admin, &id, channel).await?;
        match import::read(&list, &csv, country.as_deref()) {
            Ok(entries) => list.add(&entries).await.map(|()| Ok(entries.len())),
            Err(wrong) => Ok(Err(wrong)),
        }
    });
    let imported = async {
        let imported: Result<Result<usize, import::Wrong>, OptOutError> = imported.await;
        imported?.map_err(|wrong| PageError::Refused(format!("nothing was imported: {}", wrong.join("; "))))
    };
    let detail = format!("a list from {channel}");
    let count = audited(&console, &visitor, "recipient.opt-out", &application.id, &detail, imported).await?;
    Ok(Redirect::to(&Asked::after_import(&application.id, channel, count)))
}
