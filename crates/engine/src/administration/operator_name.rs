//! Names of operators.

use std::fmt;

/// Characters of a name, at most.
const LENGTH_MAX: usize = 64;

/// What an operator signs in as: 1 to 64 letters, digits and `.`, `-`, `_` or `@`, all of ASCII, with a
/// letter among them, so that it is no phone number. Capital letters are written small: `Ann` and `ann` are
/// the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorName(String);

/// A text is no name of an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must have 1 to {LENGTH_MAX} letters (a to z), digits and . - _ @, with a letter among them")]
pub struct OperatorNameError;

impl OperatorName {
    /// Takes a text as a name.
    ///
    /// # Errors
    /// [`OperatorNameError`].
    pub fn of(text: &str) -> Result<OperatorName, OperatorNameError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@');
        let has_letter = text.bytes().any(|b| b.is_ascii_alphabetic());
        if text.len() > LENGTH_MAX || !has_letter || !text.bytes().all(fits) {
            return Err(OperatorNameError);
        }
        Ok(OperatorName(text.to_ascii_lowercase()))
    }

    /// A name of ours.
    pub(super) fn ours(name: &'static str) -> OperatorName {
        OperatorName(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_small_and_of_a_few_characters() {
        for (text, name) in [("Ann", "ann"), ("a", "a"), ("ann.b-c_1@acme.example", "ann.b-c_1@acme.example")]
        {
            assert_eq!(OperatorName::of(text).unwrap().as_str(), name);
        }
        let long = "a".repeat(65);
        for wrong in ["", " ", "a b", "command line", "6900000010", "ann\n", "άννα", "a/b", "a+b", &long]
        {
            assert_eq!(OperatorName::of(wrong), Err(OperatorNameError), "{wrong}");
        }
    }
}
