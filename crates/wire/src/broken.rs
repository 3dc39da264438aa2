//! The rules that a request breaks, as answers tell them (contract, section 8).

use flow::Rule;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A member of a request that breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The member's path: `flow[1].message.text`.
    pub field: String,
    /// The rule's name.
    #[serde(serialize_with = "rule_name", deserialize_with = "rule_named")]
    #[schema(schema_with = crate::words::rules)]
    pub rule: Rule,
    /// The rule in words.
    pub message: String,
}

fn rule_name<S: Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.name())
}

fn rule_named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
    let name = String::deserialize(deserializer)?;
    let named = Rule::ALL.into_iter().find(|rule| rule.name() == name);
    named.ok_or_else(|| D::Error::custom(format_args!("no rule has the name {name:?}")))
}

/// Longest path of a member in an answer, octets: it can have names that the client chose.
const FIELD_BYTES_MAX: usize = 200;
/// Longest message in an answer, octets: it can quote what the client sent.
pub const MESSAGE_BYTES_MAX: usize = 500;

impl FieldError {
    /// A member that breaks a rule. What is longer than an answer should be is cut off.
    pub fn new(field: impl Into<String>, rule: Rule, message: impl Into<String>) -> FieldError {
        let field = shortened(field.into(), FIELD_BYTES_MAX);
        FieldError { field, rule, message: shortened(message.into(), MESSAGE_BYTES_MAX) }
    }
}

/// At most `most` octets of a text, and an ellipsis where something is missing.
pub fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
        text.push('…');
    }
    text
}

/// The rules that a request breaks: the first ones, and how many more were noticed.
#[derive(Clone, PartialEq, Eq, Debug, Default, thiserror::Error)]
pub struct BrokenRules {
    /// The first ones.
    pub told: Vec<FieldError>,
    /// Others that were noticed before reading stopped.
    pub more: usize,
}

impl BrokenRules {
    /// One member that breaks a rule.
    pub fn one(field: impl Into<String>, rule: Rule, message: impl Into<String>) -> BrokenRules {
        BrokenRules { told: vec![FieldError::new(field, rule, message)], more: 0 }
    }
}

impl std::fmt::Display for BrokenRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let BrokenRules { told, more } = self;
        match told.as_slice() {
            [] => f.write_str("the request is invalid"),
            [one] if *more == 0 => write!(f, "{} {}", one.field, one.message),
            [first, rest @ ..] => {
                let others = rest.len() + more;
                let beyond = match more {
                    0 => String::new(),
                    _ => format!("; only the first {} are told", told.len()),
                };
                let least = if *more == 0 { "" } else { "at least " };
                write!(f, "{} {} (and {least}{others} more{beyond})", first.field, first.message)
            }
        }
    }
}
