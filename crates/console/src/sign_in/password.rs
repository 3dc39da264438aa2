//! Signing in with a name and a password, and signing out.

use crate::error::PageError;
use crate::page::open_page;
use crate::request::address::ClientAddress;
use crate::request::visitor::{no_session_cookie, session_code, session_cookie};
use crate::state::Console;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Redirect;
use axum_extra::extract::CookieJar;
use engine::administration::sessions::{self, SignInError};
use engine::clock::now_ms;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// Tries of one address to sign in, a second: whatever names it gives, it takes no more than a part of a
/// core.
const SIGN_INS_PER_SECOND: u32 = 5;

/// Where a visitor wanted to go.
#[derive(Default, Deserialize)]
pub(super) struct Then {
    #[serde(default)]
    then: String,
}

impl Then {
    /// The page, if it is one of ours: nobody is led to another site.
    fn page(&self) -> &str {
        let is_ours = self.then.starts_with("/console/") && !self.then.contains(['\\', '\r', '\n']);
        if is_ours { &self.then } else { "/console/flows" }
    }
}

/// Asks for a name and a password.
pub(super) async fn ask(
    State(console): State<Arc<Console>>,
    Query(then): Query<Then>,
) -> Result<Markup, PageError> {
    let operators = console.desk.run(async |admin| admin.operators().await).await?;
    let has_any = operators.iter().any(|operator| operator.has_password || operator.identity.is_some());
    Ok(form(&then, None, has_any))
}

fn form(then: &Then, wrong: Option<&str>, has_any: bool) -> Markup {
    let body = html! {
        h1 { "Sign in" }
        @if let Some(wrong) = wrong { div.notice.bad role="alert" { (wrong) } }
        @if !has_any {
            p { "Nobody can sign in yet. The log of the server has a link for the first admin; this makes another "
                "one:" }
            pre tabindex="0" { "switchback user add NAME --role admin" }
        }
        form method="post" action="/console/sign-in" {
            input type="hidden" name="then" value=(then.page());
            p { label for="name" { "Name" } input #name name="name" required autocomplete="username" autofocus; }
            p {
                label for="password" { "Password" }
                input #password type="password" name="password" required autocomplete="current-password";
            }
            button.main { "Sign in" }
        }
        p.soft { "Forgotten? An admin makes a new link with " code { "switchback user link NAME" } "." }
    };
    open_page("Sign in", body)
}

/// A name and a password.
#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
    #[serde(flatten)]
    then: Then,
}

/// Signs in. Wrong passwords slow down whoever guesses.
pub(super) async fn sign_in(
    State(console): State<Arc<Console>>,
    ClientAddress(address): ClientAddress,
    cookies: CookieJar,
    Form(Credentials { name, password, then }): Form<Credentials>,
) -> Result<Result<(CookieJar, Redirect), Markup>, PageError> {
    if let Some(Err(_)) = address.map(|address| console.sign_ins.take(address, SIGN_INS_PER_SECOND)) {
        return Err(PageError::Wait { seconds: 1 });
    }
    let guesser = console.failures.guesser(address, &name.to_ascii_lowercase());
    let wait_ms = console.failures.wait_ms(guesser, now_ms());
    if wait_ms > 0 {
        return Err(PageError::Wait { seconds: (wait_ms + 999) / 1000 });
    }
    match sessions::sign_in(&console.desk, &name, password, now_ms()).await {
        Ok(signed_in) => {
            let cookies = cookies.add(session_cookie(&console, signed_in.id));
            Ok(Ok((cookies, Redirect::to(then.page()))))
        }
        Err(SignInError::Refused) => {
            console.failures.note(guesser, now_ms());
            Ok(Err(form(&then, Some("The name or the password is wrong."), true)))
        }
        Err(SignInError::Store(error)) => Err(error.into()),
        Err(error) => Err(PageError::Refused(error.to_string())),
    }
}

/// Ends the session.
pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    cookies: CookieJar,
) -> Result<(CookieJar, Redirect), PageError> {
    if let Some(code) = session_code(&console, &cookies) {
        console.desk.run(async move |admin| sessions::sign_out(admin, &code, now_ms()).await).await?;
    }
    Ok((cookies.add(no_session_cookie(&console)), Redirect::to("/console/sign-in")))
}
