//! Templates and expressions of a provider's file, compiled once.

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use std::collections::HashSet;

/// The end of the names of templates that make JSON.
const JSON: &str = ".json";

/// Why a template or an expression can't be used. The text begins with its name, which is its key in the
/// file.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not written as one.
    #[error("{name}: {source}")]
    Syntax {
        /// Its name.
        name: String,
        /// Where, and what is expected there.
        source: Error,
    },
    /// It fails for the values that it is given. Without minijinja's own error: that may show a value, which
    /// may be one of the operator's secrets.
    #[error("{name}{}: {kind}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Values {
        /// Its name.
        name: String,
        /// The line in it, from 1, if that is known.
        line: Option<usize>,
        /// What failed.
        kind: ErrorKind,
    },
    /// It makes a text that is no JSON.
    #[error("{name}: it makes no JSON: {source}")]
    NotJson {
        /// Its name.
        name: String,
        /// Where, and what is expected there.
        source: serde_json::Error,
    },
}

/// Templates by name.
pub(super) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(super) fn new() -> Templates {
        let mut environment = Environment::new();
        // Each value is written as JSON, so that none can be anything else.
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(JSON) { AutoEscape::Json } else { AutoEscape::None }
        });
        // Missing fields of a provider's answer evaluate to undefined.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        Templates { environment }
    }

    /// Adds a template that makes text, and returns its name.
    pub(super) fn text(&mut self, name: String, source: &str) -> Result<String, TemplateError> {
        self.add(name, source.to_owned())
    }

    /// Adds a template that makes JSON, and returns its name.
    pub(super) fn json(&mut self, name: String, source: &str) -> Result<String, TemplateError> {
        self.add(name + JSON, source.to_owned())
    }

    /// Adds an expression, and returns its name.
    pub(super) fn condition(&mut self, name: String, expression: &str) -> Result<String, TemplateError> {
        self.add(name, format!("{{% if {expression} %}}1{{% endif %}}"))
    }

    fn add(&mut self, name: String, source: String) -> Result<String, TemplateError> {
        match self.environment.add_template_owned(name.clone(), source) {
            Ok(()) => Ok(name),
            Err(source) => Err(TemplateError::Syntax { name, source }),
        }
    }

    /// The variables that a template uses, members of maps as `map.member`.
    pub(super) fn variables(&self, name: &str) -> HashSet<String> {
        self.environment
            .get_template(name)
            .map(|template| template.undeclared_variables(true))
            .unwrap_or_default()
    }

    pub(super) fn render(&self, name: &str, values: &Value) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|template| template.render(values));
        rendered.map_err(|error| TemplateError::Values {
            name: name.to_owned(),
            line: error.line(),
            kind: error.kind(),
        })
    }

    /// Returns whether an expression holds; one that fails does not.
    pub(super) fn holds(&self, name: &str, values: &Value) -> bool {
        self.render(name, values).is_ok_and(|text| text == "1")
    }

    /// A JSON body, without members that are null and objects that hold nothing else.
    pub(super) fn render_json(&self, name: &str, values: &Value) -> Result<serde_json::Value, TemplateError> {
        let text = self.render(name, values)?;
        let mut body = serde_json::from_str(&text)
            .map_err(|source| TemplateError::NotJson { name: name.to_owned(), source })?;
        leave_out_null(&mut body);
        Ok(body)
    }
}

/// Removes null members, and returns whether something is left.
fn leave_out_null(value: &mut serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => false,
        serde_json::Value::Object(members) if !members.is_empty() => {
            members.retain(|_, member| leave_out_null(member));
            !members.is_empty()
        }
        serde_json::Value::Array(items) => {
            for item in items {
                leave_out_null(item);
            }
            true
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn whatever_a_value_holds_it_stays_a_value() {
        let mut templates = Templates::new();
        let source = r#"{"text": {{ text }}, "image": {"url": {{ image }}}, "n": {{ n }}}"#;
        let name = templates.json("body".into(), source).unwrap();
        for text in ["\"}, \"admin\": true, {\"", "line\nbreak \\ \u{1F600} </script>", "{{ n }}"] {
            let body =
                templates.render_json(&name, &context! { text => text, image => (), n => 2.5 }).unwrap();
            assert_eq!(body, serde_json::json!({"text": text, "n": 2.5}));
        }
    }

    #[test]
    fn what_fails_does_not_show_its_values() {
        let mut templates = Templates::new();
        for (i, source) in
            ["{{ secret|int }}", "{{ secret + 1 }}", "{{ secret.a.b() }}", "{{ [1]|join(secret, secret) }}"]
                .into_iter()
                .enumerate()
        {
            let name = templates.text(format!("t{i}"), source).unwrap();
            let error = templates.render(&name, &context! { secret => "hunter2" }).unwrap_err().to_string();
            assert!(error.starts_with(&format!("t{i}, line 1: ")) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn expressions_over_what_is_not_there_do_not_hold() {
        let mut templates = Templates::new();
        let name = templates.condition("c".into(), "body.error.code == 5 and status >= 400").unwrap();
        let holds = |body: serde_json::Value| {
            templates.holds(&name, &context! { status => 400, body => Value::from_serialize(body) })
        };
        assert!(holds(serde_json::json!({"error": {"code": 5}})));
        assert!(!holds(serde_json::json!({"error": "none"})));
        assert!(!holds(serde_json::Value::Null));
        assert!(templates.condition("bad".into(), "status ==").is_err());
    }
}
