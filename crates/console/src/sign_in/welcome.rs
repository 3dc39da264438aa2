//! One-time links: setting a password, and entering a demo.

use crate::error::PageError;
use crate::page::open_page;
use crate::request::address::ClientAddress;
use crate::request::visitor::session_cookie;
use crate::state::Console;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use engine::administration::links::{self, SetPasswordError};
use engine::administration::sessions::{self, SignInError};
use engine::clock::now_ms;
use maud::{Markup, html};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;
use store::LinkPurpose;

/// A link's code.
#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// Asks for a password, or lets somebody into a demo on this machine.
pub(super) async fn ask(
    State(console): State<Arc<Console>>,
    ClientAddress(address): ClientAddress,
    cookies: CookieJar,
    Query(Code { code }): Query<Code>,
) -> Result<Response, PageError> {
    let asked = code.clone();
    let link = console.desk.run(async move |admin| links::find(admin, &asked, now_ms()).await).await?;
    match link.map(|link| (link.purpose, link.operator)) {
        None => Err(PageError::Used),
        Some((LinkPurpose::Password, operator)) => Ok(form(&operator, &code, None).into_response()),
        Some((LinkPurpose::SignIn, _)) => {
            if !address.is_some_and(|address: IpAddr| address.is_loopback()) {
                return Err(PageError::Forbidden);
            }
            let entered =
                console.desk.run(async move |admin| sessions::sign_in_by_link(admin, &code, now_ms()).await);
            let signed_in = entered.await.map_err(|error| match error {
                SignInError::Store(error) => PageError::Store(error),
                error => PageError::Refused(error.to_string()),
            })?;
            let cookies = cookies.add(session_cookie(&console, signed_in.id));
            Ok((cookies, Redirect::to("/console/flows")).into_response())
        }
    }
}

fn form(operator: &str, code: &str, wrong: Option<&str>) -> Markup {
    let body = html! {
        h1 { "Welcome, " (operator) }
        @if let Some(wrong) = wrong { div.notice.bad role="alert" { (wrong) } }
        p { "Choose a password: at least 10 characters, and not your name. This link works once." }
        form method="post" action="/console/welcome" {
            input type="hidden" name="code" value=(code);
            input type="hidden" name="name" value=(operator) autocomplete="username";
            p {
                label for="password" { "Password" }
                input #password type="password" name="password" required minlength="10" maxlength="1024"
                    autocomplete="new-password" autofocus;
            }
            button.main { "Set the password" }
        }
    };
    open_page("Welcome", body)
}

/// The chosen password.
#[derive(Deserialize)]
pub(super) struct Chosen {
    code: String,
    name: String,
    password: String,
}

/// Sets the password, and leads to signing in with it.
pub(super) async fn set_password(
    State(console): State<Arc<Console>>,
    Form(Chosen { code, name, password }): Form<Chosen>,
) -> Result<Response, PageError> {
    match links::set_password(&console.desk, &code, password, now_ms()).await {
        Ok(_) => Ok(Redirect::to("/console/sign-in").into_response()),
        Err(SetPasswordError::Rule(rule)) => {
            Ok(form(&name, &code, Some(&format!("The password {rule}."))).into_response())
        }
        Err(SetPasswordError::Store(error)) => Err(error.into()),
        Err(error) => Err(PageError::Refused(error.to_string())),
    }
}
