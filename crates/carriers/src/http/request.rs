//! The requests of a provider's file: compiled once, rendered for each message.

use super::error::{HttpError, Unfit};
use super::message::{self, Fields};
use super::provider::{self, Values};
use super::template::{TemplateError, Templates};
use minijinja::Value;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};

/// A compiled request. Templates and expressions are given by their names.
pub(super) struct CompiledRequest {
    name: String,
    when: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    body: CompiledBody,
    /// The fields that have a place in it.
    places: HashSet<String>,
}

enum CompiledBody {
    Json(String),
    Form(Vec<(String, String)>),
}

/// A request ready to be made.
pub(super) struct Rendered {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// The body of a request.
pub(super) enum Body {
    Json(Json),
    Form(Vec<(String, String)>),
}

impl CompiledRequest {
    /// Compiles a request of a provider's file.
    pub(super) fn new(
        request: &provider::Request,
        templates: &mut Templates,
    ) -> Result<CompiledRequest, HttpError> {
        let at = |key: &str| format!("request.{}.{key}", request.name);
        let when = request.when.as_ref().map(|when| templates.condition(at("when"), when)).transpose()?;
        let path = templates.text(at("path"), &request.path)?;
        let mut headers = Vec::new();
        for (name, source) in &request.headers {
            headers.push((name.clone(), templates.text(at(&format!("headers.{name}")), source)?));
        }
        let body = match (&request.body, &request.form) {
            (Some(body), None) => CompiledBody::Json(templates.json(at("body"), body)?),
            (None, Some(form)) => CompiledBody::Form(compile_form(&at("form"), form, templates)?),
            _ => return Err(HttpError::BodyOrForm(request.name.clone())),
        };
        let mut compiled =
            CompiledRequest { name: request.name.clone(), when, path, headers, body, places: HashSet::new() };
        compiled.places = compiled.find_places(&request.implied, templates)?;
        Ok(compiled)
    }

    /// The fields that have a place in the body, or that the provider finds out by itself. Checks that all
    /// fields that are used exist.
    fn find_places(&self, implied: &[String], templates: &Templates) -> Result<HashSet<String>, HttpError> {
        let fields = |template: &String| {
            let variables = templates.variables(template).into_iter();
            variables.map(|name| name.split('.').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let body: Vec<&String> = match &self.body {
            CompiledBody::Json(template) => vec![template],
            CompiledBody::Form(form) => form.iter().map(|(_, template)| template).collect(),
        };
        let mut places: HashSet<String> = body.into_iter().flat_map(fields).collect();
        let rest = self.when.iter().chain([&self.path]).chain(self.headers.iter().map(|(_, name)| name));
        let is_content = |name: &str| message::content_names().any(|known| known == name);
        let known = |name: &str| is_content(name) || message::ADDRESS.contains(&name);
        if let Some(field) = rest.flat_map(fields).chain(places.iter().cloned()).find(|name| !known(name)) {
            return Err(HttpError::UnknownField { request: self.name.clone(), field });
        }
        if let Some(field) = implied.iter().find(|name| !is_content(name)) {
            let request = format!("{}.implied", self.name);
            return Err(HttpError::UnknownField { request, field: field.clone() });
        }
        places.extend(implied.iter().cloned());
        Ok(places)
    }

    /// Returns whether a field has a place in it.
    pub(super) fn has_place(&self, field: &str) -> bool {
        self.places.contains(field)
    }

    /// Finds the request that hands over such content without losing any of it.
    pub(super) fn find<'r>(
        requests: &'r [CompiledRequest],
        content: &Fields,
        templates: &Templates,
    ) -> Result<&'r CompiledRequest, Unfit> {
        let values = Value::from_serialize(content);
        let holds = |request: &&CompiledRequest| {
            request.when.as_ref().is_none_or(|when| templates.holds(when, &values))
        };
        let request = requests.iter().find(holds).ok_or(Unfit::NoRequest)?;
        let given = content.iter().filter(|(_, value)| !value.is_none()).map(|(name, _)| *name);
        let lost: Vec<&str> = given.filter(|name| !request.has_place(name)).collect();
        if lost.is_empty() {
            return Ok(request);
        }
        Err(Unfit::NoPlace { request: request.name.clone(), lost: lost.join(", ") })
    }

    /// Fills it in with a message's fields.
    pub(super) fn render(&self, fields: &Fields, templates: &Templates) -> Result<Rendered, TemplateError> {
        let values = Value::from_serialize(fields);
        let render =
            |(name, template): &(String, String)| Ok((name.clone(), templates.render(template, &values)?));
        let headers = self.headers.iter().map(render).collect::<Result<_, TemplateError>>()?;
        let body = match &self.body {
            CompiledBody::Json(template) => Body::Json(templates.render_json(template, &values)?),
            CompiledBody::Form(form) => {
                let mut form = form.iter().map(render).collect::<Result<Vec<_>, TemplateError>>()?;
                form.retain(|(_, value)| !value.is_empty());
                Body::Form(form)
            }
        };
        Ok(Rendered { path: templates.render(&self.path, &values)?, headers, body })
    }
}

/// Compiles a form; a name may have several values.
fn compile_form(
    at: &str,
    form: &BTreeMap<String, Values>,
    templates: &mut Templates,
) -> Result<Vec<(String, String)>, TemplateError> {
    let mut compiled = Vec::new();
    for (name, values) in form {
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Several(values) => values,
        };
        for (i, value) in values.iter().enumerate() {
            compiled.push((name.clone(), templates.text(format!("{at}.{name}[{i}]"), value)?));
        }
    }
    Ok(compiled)
}
