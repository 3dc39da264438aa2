//! Collects the rules that a request breaks while it is read.

use crate::broken::{BrokenRules, FieldError};
use flow::Rule;
use std::cell::RefCell;

/// The rules that a request breaks. Only the first ones are kept: who reads an array stops where
/// [`Problems::is_over`], so that a request that breaks many rules costs no more than one that breaks few.
pub struct Problems {
    most: usize,
    broken: RefCell<BrokenRules>,
}

impl Problems {
    /// None yet; at most `most` are kept.
    pub fn new(most: usize) -> Problems {
        Problems { most, broken: RefCell::default() }
    }

    /// Notes a broken rule.
    pub fn add(&self, field: impl Into<String>, rule: Rule, message: impl Into<String>) {
        let mut broken = self.broken.borrow_mut();
        if broken.told.len() < self.most {
            broken.told.push(FieldError::new(field, rule, message));
        } else {
            broken.more += 1;
        }
    }

    /// How many were noted.
    pub fn count(&self) -> usize {
        let broken = self.broken.borrow();
        broken.told.len() + broken.more
    }

    /// Whether more were noted than are told, so that there is no use in reading on.
    pub fn is_over(&self) -> bool {
        self.broken.borrow().more > 0
    }

    /// Whether a rule of a member, or of one inside of it, was noted. It looks at those that are told alone.
    pub fn says(&self, field: &str) -> bool {
        let inside = |error: &FieldError| {
            error.field.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.broken.borrow().told.iter().any(inside)
    }

    /// Succeeds if no rule was noted.
    ///
    /// # Errors
    /// Every rule that was.
    pub fn finish(self) -> Result<(), BrokenRules> {
        let broken = self.broken.into_inner();
        if broken.told.is_empty() { Ok(()) } else { Err(broken) }
    }
}
