//! A filter on recipients, made ready to be asked of numbers and of other texts.

use crate::number::{NumberTest, Pattern, pack};
use crate::query::language::{Filter, Predicate, TextOperator};

/// What a row of recipients is asked.
pub(crate) struct Term {
    pub(crate) operator: TextOperator,
    /// In lower case (ASCII), as recipients are kept.
    pub(crate) text: String,
    /// The same question to a number.
    pub(crate) number: NumberTest,
    /// Whether the rows are wanted for which it does not hold.
    pub(crate) negated: bool,
}

impl Term {
    /// The filters on recipients among these.
    pub(crate) fn all(filters: &[Filter]) -> Vec<Term> {
        let terms = filters.iter().filter_map(|filter| match &filter.predicate {
            Predicate::To(operator, text) => Some(Term::new(*operator, text, filter.negated)),
            _ => None,
        });
        terms.collect()
    }

    fn new(operator: TextOperator, text: &str, negated: bool) -> Term {
        let text = text.to_ascii_lowercase();
        // The plus of a number stands only at its start.
        let digits = text.strip_prefix('+');
        let pattern = Pattern::new(digits.unwrap_or(&text));
        let number = match (operator, pattern) {
            (_, None) => NumberTest::Never,
            (TextOperator::Is, _) => pack(&text).map_or(NumberTest::Never, NumberTest::Is),
            (TextOperator::StartsWith, _) if text.is_empty() => NumberTest::Always,
            (TextOperator::StartsWith, _) if digits.is_none() => NumberTest::Never,
            (_, Some(Pattern { len: 0, .. })) if operator != TextOperator::EndsWith || digits.is_none() => {
                NumberTest::Always
            }
            (TextOperator::StartsWith, Some(pattern)) => NumberTest::Prefix(pattern),
            (TextOperator::Contains, Some(pattern)) if digits.is_some() => NumberTest::Prefix(pattern),
            (TextOperator::Contains, Some(pattern)) => NumberTest::Inside(pattern),
            (TextOperator::EndsWith, Some(pattern)) if digits.is_none() => NumberTest::Suffix(pattern),
            (TextOperator::EndsWith, _) => pack(&text).map_or(NumberTest::Never, NumberTest::Is),
        };
        Term { operator, text, number, negated }
    }

    /// Whether it holds for a text in lower case that is no number.
    pub(crate) fn holds_text(&self, text: &str) -> bool {
        match self.operator {
            TextOperator::Is => text == self.text,
            TextOperator::Contains => text.contains(&self.text),
            TextOperator::StartsWith => text.starts_with(&self.text),
            TextOperator::EndsWith => text.ends_with(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits, a plus and a letter in all arrangements: asked of a number or of another text, a term holds
    /// where the standard library's own operation does.
    #[test]
    fn holds_where_the_operation_on_texts_holds() {
        use TextOperator::{Contains, EndsWith, Is, StartsWith};
        let parts = ["", "+", "0", "1", "12", "+12", "21+", "A", "+123456789012345", "1234567890123456"];
        let numbers = ["+0", "+1", "+12", "+121", "+2112", "+123456789012345", "+210000000000000"];
        let texts = ["", "+", "a", "12", "sip:12@a", "1+", "+1234567890123456", "+12a"];
        for (operator, part) in
            [Is, Contains, StartsWith, EndsWith].into_iter().flat_map(|o| parts.map(|p| (o, p)))
        {
            let predicate = Predicate::To(operator, part.to_owned());
            let terms = Term::all(&[Filter { predicate, negated: true }]);
            let [term] = &terms[..] else { panic!("it is one term") };
            assert!(term.negated);
            let holds = |text: &str| match (operator, part.to_lowercase()) {
                (Is, part) => text == part,
                (Contains, part) => text.contains(&part),
                (StartsWith, part) => text.starts_with(&part),
                (EndsWith, part) => text.ends_with(&part),
            };
            for number in numbers {
                let packed = pack(number).unwrap();
                assert_eq!(term.number.holds(packed), holds(number), "{operator:?} {part:?} {number}");
            }
            for text in texts {
                assert_eq!(term.holds_text(text), holds(text), "{operator:?} {part:?} {text}");
            }
        }
    }
}
