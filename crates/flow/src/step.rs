//! A step: what to send over which channel, with every default filled in (contract, section 2).

use crate::channel::{Channel, Content};
use crate::limits::Limits;
use crate::rule::Rule;
use crate::status::Status;
use crate::ttl::Ttl;
use crate::violation::{Violation, Violations};
use serde::{Deserialize, Serialize};

/// One step of a flow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its priority: 1-based, ascending within the flow.
    pub order: u32,
    /// The statuses that start the next step.
    pub failover_on: Vec<Status>,
    /// How long it may take.
    pub ttl: Ttl,
    /// What to send, and to whom.
    pub content: Content,
    /// ISO 3166-1 alpha-2 country of the recipient's number, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Ids that Indian carriers ask for (contract, section 2: `restrictions`).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Restrictions {
    /// Registered content template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_template_id: Option<String>,
    /// Registered principal entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_entity_id: Option<String>,
}

impl Step {
    /// The channel that it uses.
    pub const fn channel(&self) -> Channel {
        self.content.channel()
    }

    /// The recipient.
    pub fn to(&self) -> &str {
        self.content.common().recipient()
    }

    /// How many messages a carrier sees: the parts of an Sms, else one.
    pub fn part_count(&self) -> usize {
        self.content.common().part_count()
    }

    /// Every rule of the contract's section 2 that this step breaks.
    pub fn violations(&self, limits: &Limits) -> Vec<Violation> {
        let mut found = Violations::default();
        let rule = &self.channel().rules().ttl;
        if !rule.allows(self.ttl) {
            found.add("ttl", Rule::Range, rule.to_string());
        }
        self.content.common().check(limits, &mut found);
        found.into_vec()
    }
}
