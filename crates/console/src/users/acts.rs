//! What an admin does for people. The use cases keep it in the audit.

use super::list::shown;
use crate::error::PageError;
use crate::request::site::Site;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use engine::administration::operators::{self, NewOperator, OperatorError};
use engine::administration::{OperatorName, links::Invitation};
use engine::clock::now_ms;
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;
use store::{OperatorChange, Role};

/// Who is added.
#[derive(Deserialize)]
pub(crate) struct Added {
    name: String,
    role: String,
    #[serde(default)]
    application: String,
}

/// Whom it is about.
#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

/// Which role somebody gets.
#[derive(Deserialize)]
pub(crate) struct Promoted {
    name: String,
    role: String,
}

impl From<OperatorError> for PageError {
    fn from(error: OperatorError) -> PageError {
        match error {
            OperatorError::Store(error) => PageError::Store(error),
            error => PageError::Refused(error.to_string()),
        }
    }
}

fn read_role(name: &str) -> Result<Role, PageError> {
    Role::of(name).ok_or_else(|| PageError::Refused(format!("there is no role \"{name}\"")))
}

/// Adds somebody, and shows the link once.
pub(crate) async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    site: Site,
    Form(Added { name, role, application }): Form<Added>,
) -> Result<Markup, PageError> {
    visitor.require_of_all(Role::Admin)?;
    let name = OperatorName::of(name.trim());
    let name = name.map_err(|error| PageError::Refused(format!("the name {error}")))?;
    let applications = if application.is_empty() { Vec::new() } else { vec![application] };
    let new = NewOperator { name, role: read_role(&role)?, applications };
    let by = visitor.operator.name.clone();
    let made = console.desk.run(async move |admin| operators::add(admin, &by, new, now_ms()).await).await?;
    shown(&console, &visitor, Some((&site, &made))).await
}

/// Makes somebody another link, and shows it once.
pub(crate) async fn link(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    site: Site,
    Form(Named { name }): Form<Named>,
) -> Result<Markup, PageError> {
    visitor.require_of_all(Role::Admin)?;
    let by = visitor.operator.name.clone();
    let made: Invitation =
        console.desk.run(async move |admin| operators::invite(admin, &by, &name, now_ms()).await).await?;
    shown(&console, &visitor, Some((&site, &made))).await
}

/// Gives somebody another role.
pub(crate) async fn role(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Promoted { name, role }): Form<Promoted>,
) -> Result<Redirect, PageError> {
    let to = OperatorChange::Role(read_role(&role)?);
    change(&console, &visitor, name, to).await
}

/// Keeps somebody from signing in.
pub(crate) async fn disable(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { name }): Form<Named>,
) -> Result<Redirect, PageError> {
    change(&console, &visitor, name, OperatorChange::Disable(now_ms())).await
}

/// Lets somebody sign in again.
pub(crate) async fn enable(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { name }): Form<Named>,
) -> Result<Redirect, PageError> {
    change(&console, &visitor, name, OperatorChange::Enable).await
}

/// Removes somebody.
pub(crate) async fn remove(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(Named { name }): Form<Named>,
) -> Result<Redirect, PageError> {
    not_self(&visitor, &name)?;
    let by = visitor.operator.name.clone();
    console.desk.run(async move |admin| operators::remove(admin, &by, &name, now_ms()).await).await?;
    Ok(Redirect::to("/console/users"))
}

async fn change(
    console: &Console,
    visitor: &Visitor,
    name: String,
    to: OperatorChange,
) -> Result<Redirect, PageError> {
    not_self(visitor, &name)?;
    let by = visitor.operator.name.clone();
    console.desk.run(async move |admin| operators::change(admin, &by, &name, to, now_ms()).await).await?;
    Ok(Redirect::to("/console/users"))
}

/// An admin stays one: nobody locks the last one out by mistake.
fn not_self(visitor: &Visitor, name: &str) -> Result<(), PageError> {
    visitor.require_of_all(Role::Admin)?;
    let is_own = visitor.operator.name == name;
    if is_own {
        Err(PageError::Refused("you can't do this to yourself; ask another admin".into()))
    } else {
        Ok(())
    }
}
