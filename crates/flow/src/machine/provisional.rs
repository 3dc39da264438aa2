//! Statuses that we set ourselves.

use crate::detail::Detail;
use crate::part::StatusRecord;
use crate::status::Status;

/// A status that we set ourselves.
pub(super) fn provisional(status: Status, detail: &Detail, at_ms: i64) -> StatusRecord {
    StatusRecord { status, detail: detail.clone(), description: None, at_ms, provisional: true }
}
