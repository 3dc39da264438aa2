//! Drawing ids.

use std::sync::Arc;
use uuid::Uuid;

/// Draws a new id; the argument is the time, Unix milliseconds.
pub type Ids = Arc<dyn Fn(i64) -> Uuid + Send + Sync>;
