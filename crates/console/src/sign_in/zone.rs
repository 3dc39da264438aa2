//! Chooses the time zone.

use crate::error::PageError;
use crate::request::zone::{CHOSEN, Zone};
use axum::Form;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Redirect;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::Deserialize;

/// Names the choice of the browser's own zone.
const BROWSER: &str = "browser";

#[derive(Deserialize)]
pub(super) struct Chosen {
    zone: String,
}

/// Keeps a visitor's choice in the browser, and goes back to the page.
pub(super) async fn choose(
    headers: HeaderMap,
    cookies: CookieJar,
    Form(Chosen { zone }): Form<Chosen>,
) -> Result<(CookieJar, Redirect), PageError> {
    let zone = zone.trim();
    let mut cookie =
        Cookie::build((CHOSEN, zone.to_owned())).path("/console").same_site(SameSite::Lax).build();
    if zone.is_empty() || zone == BROWSER {
        cookie.make_removal();
    } else if Zone::named(zone).is_none() {
        let rule = format!("\"{zone}\" is no time zone: write one like Europe/Athens, UTC or browser");
        return Err(PageError::Refused(rule));
    } else {
        cookie.make_permanent();
    }
    Ok((cookies.add(cookie), Redirect::to(&back(&headers))))
}

/// The page that the visitor comes from, if it is one of ours.
fn back(headers: &HeaderMap) -> String {
    let referer = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|from| from.parse::<Uri>().ok()?.into_parts().path_and_query);
    let ours = path.filter(|path| path.as_str().starts_with("/console/"));
    ours.map_or_else(|| "/console/flows".to_owned(), |path| path.as_str().to_owned())
}
