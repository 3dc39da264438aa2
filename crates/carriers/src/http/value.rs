//! Values of providers' JSON.

use serde_json::Value;

/// A text or a number, as text; `None` for an empty text and for anything else.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
