//! Filters on what only the flows themselves tell: sender, label, country, operator and status of a message. They
//! are ours, beyond the contract (section 4); what the index leaves is read and asked.

use super::tracking::{MessageView, TrackingView};
use index::TextOperator;

/// What of a message is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageField {
    From,
    Label,
    Country,
    Operator,
    Status,
}

impl MessageField {
    /// The field with this name, in lower case.
    pub fn parse(name: &str) -> Option<MessageField> {
        match name {
            "from" => Some(MessageField::From),
            "label" => Some(MessageField::Label),
            "country" => Some(MessageField::Country),
            "operator" => Some(MessageField::Operator),
            "messagestatus" => Some(MessageField::Status),
            _ => None,
        }
    }
}

/// A condition on the messages of a flow: any of them meets it, or, negated, none does.
#[derive(Clone, Debug)]
pub struct MessageFilter {
    pub field: MessageField,
    pub operator: TextOperator,
    /// In lower case.
    pub term: String,
    pub negated: bool,
}

impl MessageFilter {
    /// Whether it holds for a tracking.
    pub fn holds(&self, tracking: &TrackingView) -> bool {
        tracking.messages.iter().any(|message| self.meets(message)) != self.negated
    }

    fn meets(&self, message: &MessageView) -> bool {
        let Some(text) = message.field(self.field) else { return false };
        let (text, term) = (text.to_lowercase(), &self.term);
        match self.operator {
            TextOperator::Is => text == *term,
            TextOperator::Contains => text.contains(term),
            TextOperator::StartsWith => text.starts_with(term),
            TextOperator::EndsWith => text.ends_with(term),
        }
    }
}
