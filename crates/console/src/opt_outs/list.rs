//! `GET /console/opt-outs`.

use crate::error::PageError;
use crate::form::{applications, channels};
use crate::page::{Section, page};
use crate::request::visitor::Visitor;
use crate::state::Console;
use axum::extract::{Query, State};
use engine::administration::{OptOutError, OptOuts};
use flow::{Channel, is_e164};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Application, Role, Suppression};
use wire::typed_number::typed_number;

/// Recipients on a page.
const SIZE: usize = 50;

/// Which list, and where in it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(super) application: String,
    pub(super) channel: String,
    /// A number to be found.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) number: String,
    /// The page begins behind this number.
    #[serde(skip_serializing_if = "String::is_empty")]
    after: String,
    /// What was just done, for a notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<Done>,
    /// To how many numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

/// What is done to a list.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Added,
    Removed,
    Imported,
}

impl Asked {
    /// The application and the channel: the first ones if none are named.
    pub(super) fn list<'a>(&self, visitor: &'a Visitor) -> Result<(&'a Application, Channel), PageError> {
        let application = match &*self.application {
            "" => visitor.applications.first(),
            id => visitor.application(id),
        };
        let channel =
            if self.channel.is_empty() { Some(Channel::ALL[0]) } else { Channel::parse(&self.channel) };
        application.zip(channel).ok_or(PageError::NotFound("list"))
    }

    /// The address of the list where a number was added or removed.
    pub(super) fn after_one(application: &str, channel: Channel, number: String, done: Done) -> String {
        Asked { number, done: Some(done), ..Asked::of(application, channel) }.address()
    }

    /// The address of the list after an import of so many numbers.
    pub(super) fn after_import(application: &str, channel: Channel, count: usize) -> String {
        Asked { done: Some(Done::Imported), count: Some(count), ..Asked::of(application, channel) }.address()
    }

    fn of(application: &str, channel: Channel) -> Asked {
        let channel = channel.name().to_owned();
        Asked { application: application.to_owned(), channel, ..Asked::default() }
    }

    fn address(&self) -> String {
        format!("/console/opt-outs?{}", serde_urlencoded::to_string(self).unwrap_or_default())
    }

    /// What was just done, in words of ours alone: anybody can make an address.
    fn notice(&self, channel: Channel) -> Option<String> {
        let number = Some(&*self.number).filter(|number| is_e164(number));
        match self.done? {
            Done::Added => Some(format!("{} gets nothing more over {channel}.", number?)),
            Done::Removed => Some(format!("{} can be written to over {channel} again.", number?)),
            Done::Imported => Some(format!("{} numbers get nothing more over {channel}.", self.count?)),
        }
    }
}

impl From<OptOutError> for PageError {
    fn from(error: OptOutError) -> PageError {
        match error {
            OptOutError::Store(error) => PageError::Store(error),
            OptOutError::Unknown(_) => PageError::NotFound("application"),
            error => PageError::Refused(error.to_string()),
        }
    }
}

/// A number that a person typed, in E.164.
pub(super) fn number(console: &Console, typed: &str) -> Result<String, PageError> {
    let country = console.settings.country.as_deref();
    typed_number(typed, country).map_err(|refused| PageError::Refused(refused.to_string()))
}

/// A number of a list that is looked for, in E.164: it may stand there though nobody could add it by hand, as
/// what the API takes does.
fn listed_number(console: &Console, typed: &str) -> Result<String, PageError> {
    if is_e164(typed.trim()) { Ok(typed.trim().to_owned()) } else { number(console, typed) }
}

/// Shows a page of a list.
pub(crate) async fn get(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Markup, PageError> {
    visitor.require(Role::Support)?;
    if visitor.applications.is_empty() {
        let body = html! { h1 { "Opt-outs" } div.card { p { "There is no application yet: an admin creates one." } } };
        return Ok(page(&console, &visitor, Section::OptOuts, "Opt-outs", body));
    }
    let (application, channel) = asked.list(&visitor)?;
    let found = find(&console, application, channel, &asked).await?;
    let older = found
        .last()
        .filter(|_| found.len() == SIZE)
        .map(|last| Asked { after: last.recipient.clone(), ..Asked::of(&application.id, channel) }.address());
    let body = html! {
        h1 { "Opt-outs" }
        @if let Some(notice) = asked.notice(channel) { div.notice.good role="status" { (notice) } }
        (choose(&visitor, application, channel, &asked))
        (add(application, channel))
        @if found.is_empty() {
            div.card {
                @if asked.number.is_empty() { p { "Nobody has opted out of " (channel) " yet." } }
                @else { p { (asked.number) " has not opted out of " (channel) "." } }
            }
        } @else { (table(&visitor, application, channel, &found)) }
        @if let Some(older) = older { p { a rel="next" href=(older) { "More" } } }
        (import(application, channel))
    };
    Ok(page(&console, &visitor, Section::OptOuts, "Opt-outs", body))
}

async fn find(
    console: &Console,
    application: &Application,
    channel: Channel,
    asked: &Asked,
) -> Result<Vec<Suppression>, PageError> {
    let (id, after) = (application.id.clone(), asked.after.clone());
    let is_asked = !asked.number.trim().is_empty();
    let wanted = is_asked.then(|| listed_number(console, &asked.number)).transpose()?;
    let listed = console.desk.run(async move |admin| {
        let list = OptOuts::of(admin, &id, channel).await?;
        match wanted {
            // The number itself stands behind what is just before it.
            Some(number) => {
                let before = number.strip_suffix(|_: char| true).unwrap_or_default().to_owned();
                let mut after = before;
                loop {
                    let page = list.page(&after, SIZE).await?;
                    let Some(last) = page.last().map(|last| last.recipient.clone()) else {
                        break Ok(Vec::new());
                    };
                    if let Some(found) = page.into_iter().find(|one| one.recipient == number) {
                        break Ok(vec![found]);
                    }
                    if last >= number {
                        break Ok(Vec::new());
                    }
                    after = last;
                }
            }
            None => list.page(&after, SIZE).await,
        }
    });
    let listed: Result<Vec<Suppression>, OptOutError> = listed.await;
    Ok(listed?)
}

fn choose(visitor: &Visitor, application: &Application, channel: Channel, asked: &Asked) -> Markup {
    html! {
        form.card.row method="get" {
            (applications(visitor, "Application", &application.id, None))
            (channels("channel", "Channel", channel.name(), None))
            div.grow {
                label for="number" { "Number" }
                input #number type="search" name="number" value=(asked.number) maxlength="40" autocomplete="off";
            }
            button.main { "Find" }
        }
    }
}

/// The hidden members that say which list.
fn which(application: &Application, channel: Channel) -> Markup {
    html! {
        input type="hidden" name="application" value=(application.id);
        input type="hidden" name="channel" value=(channel.name());
    }
}

fn add(application: &Application, channel: Channel) -> Markup {
    html! {
        form.card.row method="post" action="/console/opt-outs/add" {
            (which(application, channel))
            div { label for="added" { "Opt a number out" } input #added name="number" required maxlength="40" autocomplete="off"; }
            div.grow { label for="reason" { "Why" } input #reason name="reason" maxlength="200"; }
            button { "Add" }
        }
    }
}

fn import(application: &Application, channel: Channel) -> Markup {
    html! {
        form.card method="post" action="/console/opt-outs/import" {
            h2 { "Import a list" }
            (which(application, channel))
            label for="csv" { "CSV: a number, and a reason if you like, a line each" }
            textarea #csv name="csv" required placeholder="+306900000010,wrote STOP" {}
            p { button { "Import" } }
        }
    }
}

fn table(visitor: &Visitor, application: &Application, channel: Channel, found: &[Suppression]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Opt-outs" {
            table {
                thead { tr { th { "Number" } th { "Since" } th { "Why" } td {} } }
                tbody {
                    @for Suppression { recipient, since_ms, reason, .. } in found {
                        tr {
                            td.tight { (recipient) }
                            td.tight { (visitor.zone.moment(*since_ms)) }
                            td { (reason) }
                            td {
                                form method="post" action="/console/opt-outs/remove" {
                                    (which(application, channel))
                                    input type="hidden" name="number" value=(recipient);
                                    button aria-label=(format!("Remove {recipient}")) { "Remove" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
