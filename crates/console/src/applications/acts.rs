//! What an admin does for applications.

use super::list::{Made, shown};
use crate::audit::audited;
use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use engine::administration::{
    ApplicationError, BalanceChange, BalanceError, CreateError, Name, RotateError, change_balance, create,
    read_amount, revoke, rotate_callback_key, rotate_secret,
};
use engine::clock::now_ms;
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;
use store::{ApplicationLimits, ApplicationSettings, Role};

macro_rules! refused {
    ($($error:ident),*) => {
        $(impl From<$error> for PageError {
            fn from(error: $error) -> PageError {
                match error {
                    $error::Store(error) => PageError::Store(error),
                    error => PageError::Refused(error.to_string()),
                }
            }
        })*
    };
}

refused!(ApplicationError, BalanceError, CreateError, RotateError);

/// A new application.
#[derive(Deserialize)]
pub(crate) struct New {
    name: String,
}

/// Which application, and what is set.
#[derive(Deserialize)]
pub(crate) struct Which {
    application: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    rate: String,
}

impl Which {
    /// The application's id, if the visitor sees it and may change it.
    fn checked(&self, visitor: &Visitor) -> Result<String, PageError> {
        visitor.require(Role::Admin)?;
        let application = visitor.application(&self.application).ok_or(PageError::NotFound("application"))?;
        Ok(application.id.clone())
    }
}

/// Creates an application, and shows its credentials once.
pub(crate) async fn add(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(New { name }): Form<New>,
) -> Result<Markup, PageError> {
    visitor.require_of_all(Role::Admin)?;
    let subject = name.clone();
    let name = Name::of(name).map_err(|error| PageError::Refused(format!("the name {error}")))?;
    let made = console
        .desk
        .run(async move |admin| create(admin, name, ApplicationSettings::default(), now_ms()).await);
    let made =
        audited::<_, CreateError>(&console, &visitor, "application.create", &subject, "", made).await?;
    let secrets = vec![("Secret", made.secret), ("Callback key", made.callback_secret)];
    shown(&console, &visitor, Some(&Made { application: made.id, secrets })).await
}

/// Gives an application another secret, and shows it once.
pub(crate) async fn rotate(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(which): Form<Which>,
) -> Result<Markup, PageError> {
    let (id, of) = (which.checked(&visitor)?, which.application);
    let rotated = console.desk.run(async move |admin| rotate_secret(admin, &id).await);
    let secret =
        audited::<_, RotateError>(&console, &visitor, "application.rotate", &of, "", rotated).await?;
    shown(&console, &visitor, Some(&Made { application: of, secrets: vec![("Secret", secret)] })).await
}

/// Gives an application another key for its callbacks, and shows it once.
pub(crate) async fn rotate_callback(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(which): Form<Which>,
) -> Result<Markup, PageError> {
    let (id, of) = (which.checked(&visitor)?, which.application);
    let rotated = console.desk.run(async move |admin| rotate_callback_key(admin, &id, now_ms()).await);
    let action = "application.rotate-callback-key";
    let key = audited::<_, RotateError>(&console, &visitor, action, &of, "", rotated).await?;
    shown(&console, &visitor, Some(&Made { application: of, secrets: vec![("Callback key", key.secret)] }))
        .await
}

/// Takes all rights from an application.
pub(crate) async fn end(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(which): Form<Which>,
) -> Result<Redirect, PageError> {
    let id = which.checked(&visitor)?;
    let revoked = console.desk.run(async move |admin| revoke(admin, &id, now_ms()).await);
    let of = &which.application;
    audited::<_, ApplicationError>(&console, &visitor, "application.revoke", of, "", revoked).await?;
    Ok(Redirect::to("/console/applications"))
}

/// Sets what an application may still spend.
pub(crate) async fn balance(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(which): Form<Which>,
) -> Result<Redirect, PageError> {
    let id = which.checked(&visitor)?;
    let amount = which.amount.trim();
    let change = match amount {
        "" => BalanceChange::Forget,
        amount => BalanceChange::Set(read_amount(amount)?),
    };
    let detail = if amount.is_empty() { "not counted" } else { amount };
    let changed = console.desk.run(async move |admin| change_balance(admin, &id, change).await);
    let of = &which.application;
    audited::<_, BalanceError>(&console, &visitor, "application.balance", of, detail, changed).await?;
    Ok(Redirect::to("/console/applications"))
}

/// Sets how many requests a second an application may make.
pub(crate) async fn limits(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Form(which): Form<Which>,
) -> Result<Redirect, PageError> {
    let id = which.checked(&visitor)?;
    let known = visitor.application(&id).map(|of| of.settings.limits).unwrap_or_default();
    let rate = match which.rate.trim() {
        "" => None,
        rate => Some(
            rate.parse()
                .map_err(|_| PageError::Refused("requests a second must be a whole number".into()))?,
        ),
    };
    let to = ApplicationLimits { requests_per_second: rate, ..known };
    let changed = console.desk.run(async move |admin| match admin.set_limits(&id, to).await? {
        true => Ok(()),
        false => Err(ApplicationError::Unknown(id)),
    });
    let (of, detail) = (&which.application, format!("requests a second: {}", which.rate));
    audited::<_, ApplicationError>(&console, &visitor, "application.limits", of, &detail, changed).await?;
    Ok(Redirect::to("/console/applications"))
}
