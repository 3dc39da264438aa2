//! Notifications of apps: a channel that only tests know (feature `fourth-channel`). It shows what a new
//! channel takes.

use super::rules::{ChannelContent, ChannelRules, Charge};
use super::sandbox::{Play, PlayedReceipt, SandboxScript, thousandths};
use crate::detail::Detail;
use crate::limits::Limits;
use crate::status::Status::{Delivered, Expired, Failed, Queued, Sent, Unsent};
use crate::ttl::{Ttl, TtlRule};
use crate::violation::Violations;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) static RULES: ChannelRules = ChannelRules {
    name: "Push",
    open_statuses: &[Queued, Sent],
    final_statuses: &[Delivered, Expired, Failed, Unsent],
    accepted: Some(Sent),
    expired: (Expired, Detail::TTL_EXPIRED),
    failover_choices: &[Expired, Failed],
    failover_default: &[Expired, Failed],
    ttl: TtlRule {
        default: Ttl::minutes(5),
        min: Ttl { tenths: 1 },
        max: Ttl::minutes(60),
        has_tenths: true,
    },
    charge: Charge::OnSuccess,
    has_duration: false,
    counts_parts: false,
    has_capital_statuses: false,
    fields: &["title", "text"],
    has_restrictions: false,
    sandbox: SandboxScript {
        price: thousandths(1),
        later_reason: "unavailable",
        digits: &[(1, Play::Receipts(&[PlayedReceipt::of(Failed)]))],
        success: Play::Receipts(&[PlayedReceipt::of(Delivered)]),
    },
    part_octets: 712,
};

/// A notification.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Push {
    /// The app that shows it.
    pub app: String,
    /// Recipient, E.164.
    pub to: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
}

pub(super) fn empty(from: String, to: String, _label: Option<String>) -> Push {
    Push { app: from, to, title: String::new(), text: String::new() }
}

impl ChannelContent for Push {
    fn sender(&self) -> &str {
        &self.app
    }

    fn recipient(&self) -> &str {
        &self.to
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("title", self.title.clone().into()), ("text", self.text.clone().into())]
    }

    fn check(&self, _limits: &Limits, found: &mut Violations) {
        found.length("app", &self.app, 1, 64);
        found.phone("to", &self.to);
        found.length("message.title", &self.title, 1, 60);
        found.length("message.text", &self.text, 1, 200);
    }
}
