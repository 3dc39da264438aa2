//! The rules that a request can break, by the names that answers give them.

/// A rule that a member of a request, or a parameter, breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// It has to be given.
    Required,
    /// It has to be of another JSON type.
    Type,
    /// It is too long, too short, or has too many or too few elements.
    Length,
    /// It is too large, too small, or between what is allowed.
    Range,
    /// It is not in the form that it must have.
    Format,
    /// It is none of the values that are allowed.
    Choice,
    /// It was given before, and may be given only once.
    Unique,
    /// It belongs to a step of another channel or to another endpoint.
    Foreign,
    /// It is not known, and ignoring it would answer another question.
    Unknown,
    /// This server does not have it.
    Unavailable,
    /// The application may not use this sender.
    Registered,
    /// No carrier has a place for all of the step.
    Carrier,
    /// A provider's receipt that can't be read.
    Receipt,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 13] = [
        Rule::Required,
        Rule::Type,
        Rule::Length,
        Rule::Range,
        Rule::Format,
        Rule::Choice,
        Rule::Unique,
        Rule::Foreign,
        Rule::Unknown,
        Rule::Unavailable,
        Rule::Registered,
        Rule::Carrier,
        Rule::Receipt,
    ];

    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::Required => "required",
            Rule::Type => "type",
            Rule::Length => "length",
            Rule::Range => "range",
            Rule::Format => "format",
            Rule::Choice => "choice",
            Rule::Unique => "unique",
            Rule::Foreign => "foreign",
            Rule::Unknown => "unknown",
            Rule::Unavailable => "unavailable",
            Rule::Registered => "registered",
            Rule::Carrier => "carrier",
            Rule::Receipt => "receipt",
        }
    }
}
