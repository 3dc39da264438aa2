//! Numbers as a client wrote them: as JSON values they lose digits, and a recipient would read `1.2e22` or
//! `10.5`.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    flow: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step<'a> {
    #[serde(borrow)]
    template_params: HashMap<String, &'a RawValue>,
}

/// The numbers among the template parameters of a flow's steps.
#[derive(Default)]
pub struct Written(Vec<HashMap<String, String>>);

impl Written {
    /// Reads a body. What is no flow of steps has none.
    pub fn read(body: &[u8]) -> Written {
        let numbers = |step: &RawValue| -> Option<HashMap<String, String>> {
            let step: Step<'_> = serde_json::from_str(step.get()).ok()?;
            let is_number = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            let params = step.template_params.into_iter().map(|(name, value)| (name, value.get()));
            Some(
                params
                    .filter(|(_, text)| is_number(text))
                    .map(|(name, text)| (name, text.to_owned()))
                    .collect(),
            )
        };
        let request: Option<Request<'_>> = serde_json::from_slice(body).ok();
        let steps = request.into_iter().flat_map(|request| request.flow);
        Written(steps.map(|step| numbers(step).unwrap_or_default()).collect())
    }

    /// A template parameter of the step at a place of the flow, from 1, where it is a number.
    pub fn number(&self, place: u32, name: &str) -> Option<&str> {
        let step = self.0.get(usize::try_from(place.checked_sub(1)?).ok()?)?;
        step.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_templates_keep_their_digits() {
        let body = br#"{"flow":[{"type":"Sms"},7,{"templateParams":null},
            {"templateParams":{"amount":12345678901234567890123,"price":10.50,"low":-1E3,"text":"1.0","no":null}}]}"#;
        let written = Written::read(body);
        for (name, number) in [("amount", "12345678901234567890123"), ("price", "10.50"), ("low", "-1E3")] {
            assert_eq!(written.number(4, name), Some(number));
        }
        for (place, name) in [(4, "text"), (4, "no"), (4, "other"), (1, "price"), (0, "price"), (9, "price")]
        {
            assert_eq!(written.number(place, name), None);
        }
        for body in ["", "{", "[]", "{\"flow\":{}}", "{\"flow\":[null]}"] {
            assert_eq!(Written::read(body.as_bytes()).number(1, "x"), None);
        }
    }
}
