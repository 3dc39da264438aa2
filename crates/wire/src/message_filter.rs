//! Filters on what the index does not have: sender, label, country, operator and status of a message. They
//! are ours, beyond the contract (section 4); the flows that the index leaves are read and asked.

use flow::{Flow, Message, Part, Step};
use index::TextOperator;
use std::borrow::Cow;

/// What of a message is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageField {
    /// The sender, as trackings show it.
    From,
    /// The client's own mark.
    Label,
    /// The country of the recipient's number.
    Country,
    /// The recipient's network, on the wire `operator`.
    Operator,
    /// The status, as trackings spell it.
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

    /// What a part has in this field, if it has it.
    fn of<'a>(self, step: &'a Step, part: &'a Part) -> Option<Cow<'a, str>> {
        match self {
            MessageField::From => Some(step.content.common().shown_sender().into()),
            MessageField::Label => step.content.common().label().map(Cow::from),
            MessageField::Country => step.country.as_deref().map(Cow::from),
            MessageField::Operator => part.operator.as_deref().map(Cow::from),
            MessageField::Status => Some(step.channel().rules().tracking_name(part.status.status).into()),
        }
    }
}

/// A condition on the messages of a flow: any part of a started message meets it, or, negated, none does.
#[derive(Clone, Debug)]
pub struct MessageFilter {
    /// What is looked at.
    pub field: MessageField,
    /// How it is compared.
    pub operator: TextOperator,
    /// What it is compared with, in lower case.
    pub term: String,
    /// The condition is that none meets it.
    pub negated: bool,
}

impl MessageFilter {
    /// Returns whether it holds for a flow.
    pub fn holds(&self, flow: &Flow) -> bool {
        let mut messages = flow.state.messages.iter().zip(&flow.steps);
        messages.any(|(message, step)| self.any_part_meets(message, step)) != self.negated
    }

    fn any_part_meets(&self, message: &Message, step: &Step) -> bool {
        message.parts.iter().any(|part| self.field.of(step, part).is_some_and(|text| self.meets(&text)))
    }

    fn meets(&self, text: &str) -> bool {
        let (text, term) = (text.to_lowercase(), &self.term);
        match self.operator {
            TextOperator::Is => text == *term,
            TextOperator::Contains => text.contains(term),
            TextOperator::StartsWith => text.starts_with(term),
            TextOperator::EndsWith => text.ends_with(term),
        }
    }
}
