//! The audit: what operators did, kept for ever.

use crate::error::Result;
use async_trait::async_trait;

/// An act before it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAuditEntry {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Who: an operator's name, or what acted in place of one.
    pub operator: String,
    /// What, a word such as `operator.add`.
    pub action: String,
    /// On what: a name or an id.
    pub subject: String,
    /// More of it, such as what was changed to what.
    pub detail: String,
}

/// What became of an act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not done, and why.
    Failed(String),
}

/// An entry of the audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its number; those of later entries are larger.
    pub id: i64,
    /// Who did what, when and on what.
    pub entry: NewAuditEntry,
    /// What became of it; `None` while it is being done, and for ever if the process ended meanwhile.
    pub outcome: Option<Outcome>,
}

/// Which entries are asked for: those to which everything fits that is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditQuery {
    /// Only entries with a smaller number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// Only of this operator.
    pub operator: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on this subject.
    pub subject: Option<String>,
}

/// The audit. Entries are added and get an outcome once; nothing of them changes otherwise, and none goes.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds an entry without an outcome; returns its number. It is durable then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_audit_entry(&self, new: &NewAuditEntry) -> Result<i64>;

    /// Gives an entry its outcome; returns whether there is such an entry that had none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn set_audit_outcome(&self, id: i64, outcome: &Outcome) -> Result<bool>;

    /// The entries that are asked for, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>>;
}
