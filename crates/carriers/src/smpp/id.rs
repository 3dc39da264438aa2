//! How an SMSC writes a message id.

use serde::Deserialize;

/// How an SMSC writes a message id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// As it stands.
    #[default]
    Text,
    /// A hexadecimal number, in either case.
    Hex,
    /// A decimal number.
    Decimal,
}

impl IdForm {
    /// The same text for the same message, whichever way its id was written; empty if the id is.
    pub fn normalize(self, id: &str) -> String {
        let id = id.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        let number = match self {
            IdForm::Text => None,
            IdForm::Hex => {
                let digits = id.strip_prefix("0x").or_else(|| id.strip_prefix("0X")).unwrap_or(id);
                number(digits, 16)
            }
            IdForm::Decimal => number(id, 10),
        };
        match (number, self) {
            (Some(number), _) => number.to_string(),
            // Some SMSCs put several numbers and words together; hexadecimal has no case there either.
            (None, IdForm::Hex) => id.to_ascii_lowercase(),
            (None, IdForm::Text | IdForm::Decimal) => id.to_owned(),
        }
    }
}

/// `None` if it has anything but digits (`from_str_radix` takes a sign), or too many.
fn number(digits: &str, radix: u32) -> Option<u128> {
    let is_number = digits.chars().all(|c| c.is_digit(radix));
    is_number.then(|| u128::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_has_one_id() {
        for (form, id, normal) in [
            (IdForm::Hex, "00FF10", "65296"),
            (IdForm::Decimal, "0065296", "65296"),
            (IdForm::Hex, "0X2B", "43"),
            (IdForm::Hex, "0x2b", "43"),
            (IdForm::Hex, "2b\0", "43"),
            (IdForm::Hex, "SAR-2347039245475-1EEDF843-2-1", "sar-2347039245475-1eedf843-2-1"),
            (IdForm::Hex, "+1F", "+1f"),
            (IdForm::Text, " a-1 ", "a-1"),
            (IdForm::Text, "A1", "A1"),
            // An id that is no number after all stays what it is.
            (IdForm::Decimal, "x1", "x1"),
            (IdForm::Decimal, "+1", "+1"),
            (IdForm::Decimal, "", ""),
            (IdForm::Hex, "0x", "0x"),
        ] {
            assert_eq!(form.normalize(id), normal, "{form:?} {id}");
        }
    }
}
