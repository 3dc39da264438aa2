//! Who asks: the person whose session the browser's cookie names.

use crate::error::PageError;
use crate::request::zone::Zone;
use crate::state::Console;
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use engine::administration::sessions;
use engine::clock::now_ms;
use flow::Flow;
use std::sync::Arc;
use store::{Application, Operator, Role};
use uuid::Uuid;

/// The name of the session's cookie. A browser takes one with this prefix only over TLS, and from nobody but
/// this very host.
const SECURE_COOKIE: &str = "__Host-switchback";
const COOKIE: &str = "switchback";

/// A person who is signed in.
pub(crate) struct Visitor {
    pub(crate) operator: Operator,
    /// The applications that they see.
    pub(crate) applications: Vec<Application>,
    pub(crate) zone: Zone,
}

impl Visitor {
    /// Refuses those whose role is below one.
    ///
    /// # Errors
    /// [`PageError::Forbidden`].
    pub(crate) fn require(&self, role: Role) -> Result<(), PageError> {
        if self.is(role) { Ok(()) } else { Err(PageError::Forbidden) }
    }

    /// Whether the role is one, or above it.
    pub(crate) fn is(&self, role: Role) -> bool {
        self.operator.role >= role
    }

    /// Whether they see numbers and texts of messages.
    pub(crate) fn sees_all(&self) -> bool {
        self.is(Role::Support)
    }

    /// The flow with an id, as pages' addresses have it, if the role is enough and they see it.
    ///
    /// # Errors
    /// [`PageError::Forbidden`], [`PageError::NotFound`], [`PageError::Store`].
    pub(crate) async fn flow(&self, console: &Console, role: Role, id: &str) -> Result<Flow, PageError> {
        self.require(role)?;
        Ok(console.service.track_across(&self.applications, read_id(id)?).await?)
    }

    /// Refuses those who do not see all applications, for what concerns the whole installation.
    ///
    /// # Errors
    /// [`PageError::Forbidden`].
    pub(crate) fn require_of_all(&self, role: Role) -> Result<(), PageError> {
        self.require(role)?;
        if self.is_of_all() { Ok(()) } else { Err(PageError::Forbidden) }
    }

    /// Whether they see all applications, those to come as well.
    pub(crate) fn is_of_all(&self) -> bool {
        self.operator.applications.is_empty()
    }

    /// The application with an id, if they see it.
    pub(crate) fn application(&self, id: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.id == id)
    }
}

impl FromRequestParts<Arc<Console>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Visitor, PageError> {
        let cookies = CookieJar::from_headers(&parts.headers);
        let then = match (&parts.method, parts.uri.path_and_query()) {
            (&Method::GET, Some(path)) => path.as_str(),
            _ => "/console/flows",
        };
        let sign_in = || PageError::SignIn { then: then.to_owned() };
        let code = session_code(console, &cookies).ok_or_else(sign_in)?;
        let found = console.desk.run(async move |admin| {
            let Some(operator) = sessions::find(admin, &code, now_ms()).await? else { return Ok(None) };
            Ok::<_, store::StoreError>(Some((operator, admin.applications().await?)))
        });
        let (operator, applications) = found.await?.ok_or_else(sign_in)?;
        let sees = |of: &Application| operator.sees(&of.id);
        let applications = applications.into_iter().filter(sees).collect();
        Ok(Visitor { operator, applications, zone: Zone::of(&cookies) })
    }
}

/// The session that a browser's cookie names.
pub(crate) fn session_code(console: &Console, cookies: &CookieJar) -> Option<String> {
    Some(cookies.get(cookie_name(console))?.value().to_owned())
}

/// The cookie of a session. Scripts can't read it, and other sites' pages do not send it.
pub(crate) fn session_cookie(console: &Console, code: String) -> Cookie<'static> {
    let cookie = Cookie::build((cookie_name(console), code)).path("/").http_only(true);
    cookie.same_site(SameSite::Lax).secure(console.settings.is_secure).build()
}

/// What takes the cookie away.
pub(crate) fn no_session_cookie(console: &Console) -> Cookie<'static> {
    let mut cookie = session_cookie(console, String::new());
    cookie.make_removal();
    cookie
}

fn cookie_name(console: &Console) -> &'static str {
    if console.settings.is_secure { SECURE_COOKIE } else { COOKIE }
}

/// An id as pages' addresses have it.
fn read_id(text: &str) -> Result<Uuid, PageError> {
    Uuid::try_parse(text).map_err(|_| PageError::NotFound("flow"))
}
