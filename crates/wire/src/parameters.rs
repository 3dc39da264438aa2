//! The parameters of a request's URL: each that the endpoint knows, at most once. One that it does not know
//! is refused: a search that ignores what it was asked answers another question, and an erasure erases too
//! much.

use crate::broken::BrokenRules;
use crate::problems::Problems;
use crate::reader::unknown;
use flow::Rule;
use std::collections::HashMap;

/// The parameters that are given, by name.
pub type Given<'a> = HashMap<&'static str, &'a str>;

/// The parameters as they stand.
pub struct Parameters(pub Vec<(String, String)>);

impl Parameters {
    /// Those among `names` that have a value; what else there is, or is there twice, is noted.
    pub fn known(&self, names: &[&'static str], problems: &Problems) -> Given<'_> {
        let mut found = HashMap::new();
        for (name, value) in &self.0 {
            if problems.is_over() {
                break;
            }
            let Some(known) = names.iter().find(|known| *known == name) else {
                problems.add(name, Rule::Unknown, unknown(name, names));
                continue;
            };
            if found.insert(*known, value.as_str()).is_some() {
                problems.add(name, Rule::Unique, "must be given once");
            }
        }
        found.retain(|_, value| !value.is_empty());
        found
    }

    /// The same where nothing else is checked.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn only(&self, names: &[&'static str], errors_max: usize) -> Result<Given<'_>, BrokenRules> {
        let problems = Problems::new(errors_max);
        let known = self.known(names, &problems);
        problems.finish().map(|()| known)
    }
}

/// A recipient in a URL. A plus that was not escaped arrives as a blank, and no recipient has a blank.
pub fn recipient(text: &str) -> String {
    text.replace(' ', "+")
}
