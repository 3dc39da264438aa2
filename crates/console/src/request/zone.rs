//! The time zone that a visitor reads times in.

use axum_extra::extract::CookieJar;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use wire::time::iso;

/// The cookie of the zone that a visitor chose.
pub(crate) const CHOSEN: &str = "zone";
/// The cookie in which the script tells the browser's zone.
const BROWSER: &str = "browser_zone";

/// The time zone that a visitor reads times in.
#[derive(Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone that was chosen, else the browser's, else UTC.
    pub(crate) fn of(cookies: &CookieJar) -> Zone {
        let named =
            |cookie| cookies.get(cookie).and_then(|name| Zone::named(&name.value().replace("%2F", "/")));
        named(CHOSEN).or_else(|| named(BROWSER)).unwrap_or(Zone(TimeZone::UTC))
    }

    /// The zone of this name (IANA).
    pub(crate) fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(Zone)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Its rules.
    pub(crate) fn rules(&self) -> &TimeZone {
        &self.0
    }

    /// A moment, by its Unix milliseconds, with the whole of it where the mouse rests.
    pub(crate) fn moment(&self, ms: i64) -> Markup {
        self.written(ms, "%Y-%m-%d %H:%M:%S")
    }

    /// A moment with its milliseconds.
    pub(crate) fn exact(&self, ms: i64) -> Markup {
        self.written(ms, "%Y-%m-%d %H:%M:%S%.3f")
    }

    /// A day, or an hour, in few characters.
    pub(crate) fn short(&self, ms: i64, is_hour: bool) -> String {
        self.format(ms, if is_hour { "%H:%M" } else { "%m-%d" })
    }

    /// What an `input` of type `datetime-local` gives: local time, as Unix milliseconds.
    pub(crate) fn read_local(&self, text: &str) -> Option<i64> {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(self.0.to_timestamp(local).ok()?.as_millisecond())
    }

    fn written(&self, ms: i64, format: &str) -> Markup {
        html! { time datetime=(iso(ms)) title=(iso(ms)) { (self.format(ms, format)) } }
    }

    fn format(&self, ms: i64, format: &str) -> String {
        let moment = Timestamp::from_millisecond(ms).ok();
        moment.map(|at| self.0.to_datetime(at).strftime(format).to_string()).unwrap_or_default()
    }
}
