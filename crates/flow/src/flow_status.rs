//! Of what kind a flow is, how far it is, and why it failed.

use serde::{Deserialize, Serialize};

/// Whether a flow is plain or transactional (contract, section 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum FlowKind {
    /// `POST /failover`.
    #[default]
    Plain,
    /// `POST /failover/transactional`.
    Transactional,
}

impl FlowKind {
    pub(crate) fn is_plain(&self) -> bool {
        *self == FlowKind::Plain
    }
}

/// How far a flow is (contract, section 6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum FlowStatus {
    /// Accepted; no carrier has taken the first step yet.
    Queued,
    /// Under way.
    InProgress,
    /// A step got through.
    Succeeded,
    /// None did.
    Failed,
}

impl FlowStatus {
    /// Every status, in the order of a flow's life.
    pub const ALL: [FlowStatus; 4] =
        [FlowStatus::Queued, FlowStatus::InProgress, FlowStatus::Succeeded, FlowStatus::Failed];

    /// The contract's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            FlowStatus::Queued => "Queued",
            FlowStatus::InProgress => "InProgress",
            FlowStatus::Succeeded => "Succeeded",
            FlowStatus::Failed => "Failed",
        }
    }

    /// Reads a status in any case.
    pub fn parse(name: &str) -> Option<FlowStatus> {
        FlowStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        matches!(self, FlowStatus::Succeeded | FlowStatus::Failed)
    }
}

/// Why a flow failed (contract, section 6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum StatusCode {
    /// Our fault, or cancelled.
    ServerError = 0,
    /// The application's balance can't pay the step.
    InsufficientBalance = 1,
    /// The last step ended in a failover status.
    NoNextStep = 2,
    /// A step ended unsuccessfully in a status that it does not fail over on.
    FailoverNotTriggered = 3,
}

impl StatusCode {
    /// Every code, by its number.
    pub const ALL: [StatusCode; 4] = [
        StatusCode::ServerError,
        StatusCode::InsufficientBalance,
        StatusCode::NoNextStep,
        StatusCode::FailoverNotTriggered,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_status_is_stored_and_read_by_its_name() {
        for status in FlowStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
            assert_eq!(FlowStatus::parse(&status.name().to_ascii_lowercase()), Some(status));
        }
        assert_eq!(FlowStatus::parse("Done"), None);
        let ends = FlowStatus::ALL.map(FlowStatus::is_final);
        assert_eq!(ends, [false, false, true, true]);
    }
}
