//! Names of applications, each once: they are few, and made by operators.

use std::collections::HashSet;
use std::sync::Arc;

/// The names that were met.
#[derive(Default)]
pub(crate) struct Names(HashSet<Arc<str>>);

impl Names {
    /// A name, shared with everybody who has it already.
    pub(crate) fn shared(&mut self, name: &str) -> Arc<str> {
        match self.0.get(name) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = name.into();
                self.0.insert(Arc::clone(&new));
                new
            }
        }
    }
}
