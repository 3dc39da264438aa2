//! The audit: who did what, when, on what. An entry is durable before its act.

use super::masking::without_numbers;
use std::fmt::Display;
use store::{Admin, AuditEntry, AuditQuery, NewAuditEntry, Outcome, StoreError};

/// Entries that are listed at once, at most.
pub const LISTED_MAX: usize = 1000;
/// Characters of a subject; of a detail or a reason: what is longer is cut.
const SUBJECT_MAX: usize = 200;
const DETAIL_MAX: usize = 500;

/// Who acts from the command line. No operator has a name with a blank.
pub const COMMAND_LINE: &str = "command line";
/// Who acts when the server does so by itself.
pub const SERVER: &str = "the server";
/// Who acts when an identity provider vouches for somebody.
pub const IDENTITY_PROVIDER: &str = "identity provider";

/// What is about to be done. Phone numbers in its texts are masked; bodies must not be in them.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// Who: an operator's name, or one of the constants of this module.
    pub operator: &'a str,
    /// What: a word for the kind of thing and one for what is done to it, such as `operator.add`.
    pub action: &'static str,
    /// On what: a name or an id.
    pub subject: &'a str,
    /// More of it, such as what becomes what; may be empty.
    pub detail: &'a str,
}

fn kept(text: &str, max: usize) -> String {
    without_numbers(text).chars().take(max).collect()
}

/// Keeps that an act is about to be done; returns the number of the entry, which is durable then.
///
/// # Errors
/// [`StoreError::Unavailable`]: the act must not be done then.
pub async fn begin(admin: &dyn Admin, act: Act<'_>, now_ms: i64) -> Result<i64, StoreError> {
    let entry = NewAuditEntry {
        at_ms: now_ms,
        operator: act.operator.to_owned(),
        action: act.action.to_owned(),
        subject: kept(act.subject, SUBJECT_MAX),
        detail: kept(act.detail, DETAIL_MAX),
    };
    admin.add_audit_entry(&entry).await
}

/// Keeps what became of an act. An outcome that is there already stays.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn finish(admin: &dyn Admin, id: i64, outcome: Outcome) -> Result<(), StoreError> {
    let outcome = match outcome {
        Outcome::Done => Outcome::Done,
        Outcome::Failed(why) => Outcome::Failed(kept(&why, DETAIL_MAX)),
    };
    admin.set_audit_outcome(id, &outcome).await.map(drop)
}

/// Does an act between [`begin`] and [`finish`]. What it did stays done if its outcome can't be kept.
///
/// # Errors
/// Those of `work`; [`StoreError::Unavailable`], and then `work` was not begun.
pub async fn audited<T, E>(
    admin: &dyn Admin,
    act: Act<'_>,
    now_ms: i64,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<StoreError> + Display,
{
    let id = begin(admin, act, now_ms).await?;
    let result = work.await;
    let outcome = match &result {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    };
    if let Err(error) = finish(admin, id, outcome).await {
        tracing::error!(entry = id, %error, "an entry of the audit stays without its outcome");
    }
    result
}

/// The entries that are asked for, the newest first, at most [`LISTED_MAX`] of them.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(admin: &dyn Admin, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
    admin.audit_entries(&AuditQuery { limit: query.limit.min(LISTED_MAX), ..query }).await
}
