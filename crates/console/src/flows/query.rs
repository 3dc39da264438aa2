//! What the address of a list of flows says, so that a link shows a colleague the same.

use crate::error::PageError;
use crate::request::visitor::Visitor;
use flow::{Channel, FlowStatus};
use index::{Filter, Order, Predicate, Query, place_of};
use serde::{Deserialize, Serialize};
use store::Application;

/// Flows on a page.
pub(crate) const SIZE: usize = 20;
/// The last page: far more than a person looks through.
const PAGE_MAX: usize = 5_000_000;

/// What the address of a list of flows says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    /// What was typed into the box.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) q: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) application: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) status: String,
    /// The channel of a started step.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) channel: String,
    /// The channel that ended the flow.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) ended_by: String,
    /// Local times of the visitor's zone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) until: String,
    /// From 0.
    #[serde(skip_serializing_if = "is_first")]
    pub(crate) page: usize,
}

fn is_first(page: &usize) -> bool {
    *page == 0
}

impl ListQuery {
    /// The address of this list.
    pub(crate) fn address(&self) -> String {
        format!("/console/flows?{}", self.parameters())
    }

    /// The parameters of its address.
    pub(crate) fn parameters(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    /// The same list at another page.
    pub(crate) fn at(&self, page: usize) -> ListQuery {
        ListQuery { page, ..self.clone() }
    }

    /// Whether some filter beside the box is set.
    pub(crate) fn is_filtered(&self) -> bool {
        let ListQuery { application, status, channel, ended_by, from, until, .. } = self;
        [application, status, channel, ended_by, from, until].iter().any(|text| !text.is_empty())
    }

    /// The applications whose flows are listed.
    pub(crate) fn applications<'a>(&self, visitor: &'a Visitor) -> Result<&'a [Application], PageError> {
        if self.application.is_empty() {
            return Ok(&visitor.applications);
        }
        let chosen = visitor.application(&self.application).ok_or(PageError::NotFound("application"))?;
        Ok(std::slice::from_ref(chosen))
    }

    /// What the index is asked, but for the box.
    pub(crate) fn to_index(&self, visitor: &Visitor) -> Result<Query, PageError> {
        let refused = |what: &str, given: &str| PageError::Refused(format!("{what} can't be \"{given}\""));
        let channel = |text: &str| Channel::parse(text).ok_or_else(|| refused("a channel", text));
        let moment = |text: &str| {
            let ms = visitor.zone.read_local(text).ok_or_else(|| refused("a time", text))?;
            Ok::<_, PageError>(place_of(ms))
        };
        let mut filters = Vec::new();
        let mut add = |predicate| filters.push(Filter { predicate, negated: false });
        if !self.status.is_empty() {
            let status = FlowStatus::parse(&self.status);
            add(Predicate::Status(status.ok_or_else(|| refused("a status", &self.status))?));
        }
        if !self.channel.is_empty() {
            add(Predicate::Type(channel(&self.channel)?));
        }
        if !self.ended_by.is_empty() {
            add(Predicate::Termination(channel(&self.ended_by)?));
        }
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { moment(text).map(Some) };
        if self.page > PAGE_MAX {
            return Err(refused("a page", &self.page.to_string()));
        }
        Ok(Query {
            application: String::new(),
            from: bound(&self.from)?,
            until: bound(&self.until)?,
            filters,
            order: Order::NewestFirst,
            offset: self.page * SIZE,
            limit: SIZE,
        })
    }
}
