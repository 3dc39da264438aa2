//! Reads a send from a request (contract, section 2).

use crate::problems::Problems;
use crate::read_step::{DraftStep, read_step};
use crate::reader::{Reader, is_blank};
use crate::step_reader::{AT_ONCE, OTHER_TIME, StepContext};
use crate::written::Written;
use flow::{Callback, CallbackStrategy, FlowKind, Limits, Restrictions, Rule};
use serde_json::Value;

/// Longest callback URL, in characters.
const URL_MAX: usize = 2000;

/// What reading a send depends on.
pub struct SendContext<'a> {
    /// What `transcode` is for an Sms step that does not say.
    pub transcode: bool,
    /// What short links start with; `None` if this server makes none.
    pub short_base: Option<&'a str>,
    /// The limits of a flow.
    pub limits: &'a Limits,
    /// Broken rules that an answer lists at most.
    pub errors_max: usize,
    /// Draws a code for a short link; `None` if the system has no randomness.
    pub new_code: &'a dyn Fn() -> Option<String>,
}

/// A flow as a client asked for it: what could be read, and the rules that are broken so far. It is accepted
/// only if no rule is broken.
pub struct Draft {
    /// Plain or transactional.
    pub kind: FlowKind,
    /// The steps that could be read.
    pub steps: Vec<DraftStep>,
    /// Where results go and when.
    pub callback: Option<Callback>,
    /// Registration ids.
    pub restrictions: Option<Restrictions>,
    /// The rules that are broken so far.
    pub problems: Problems,
}

/// Reads a send from its body: `value` is what `octets` say as JSON.
pub fn read_send(value: &Value, octets: &[u8], kind: FlowKind, context: &SendContext<'_>) -> Draft {
    let problems = Problems::new(context.errors_max);
    let (mut steps, mut callback, mut restrictions) = (Vec::new(), None, None);
    if let Some(request) = Reader::of(value, "", &problems) {
        request.refuse_unavailable(&OTHER_TIME, AT_ONCE);
        steps = read_steps(&request, octets, kind, context);
        callback = read_callback(&request);
        if kind == FlowKind::Transactional {
            request.refuse_foreign(&["restrictions"], "has no place in a transactional flow");
        }
        restrictions = request.object(&["restrictions"]).map(|ids| Restrictions {
            content_template_id: ids.text("contentTemplateId"),
            principal_entity_id: ids.text("principalEntityId"),
        });
    }
    Draft { kind, steps, callback, restrictions, problems }
}

fn read_steps(
    request: &Reader<'_>,
    octets: &[u8],
    kind: FlowKind,
    context: &SendContext<'_>,
) -> Vec<DraftStep> {
    let written = match kind {
        FlowKind::Plain => Written::default(),
        FlowKind::Transactional => Written::read(octets),
    };
    let &SendContext { transcode, short_base, limits, new_code, .. } = context;
    let context = StepContext { kind, transcode, short_base, limits, written: &written, new_code };
    let given = request.array("flow", limits.steps_max, "steps").unwrap_or_default();
    if !request.has("flow") {
        request.refuse("flow", Rule::Required, "must have at least one step");
    }
    let problems = request.problems();
    let read = |(place, (path, value)): (u32, (String, &Value))| {
        if is_blank(value) {
            problems.add(&*path, Rule::Required, "must be a step");
            return None;
        }
        read_step(value, place, &path, &context, problems)
    };
    (1..).zip(given).take_while(|_| !problems.is_over()).filter_map(read).collect()
}

fn read_callback(request: &Reader<'_>) -> Option<Callback> {
    let callback = request.object(&["callback"])?;
    let strategy = callback.text("strategy").unwrap_or_default();
    let strategy = match strategy.to_ascii_lowercase().as_str() {
        "" | "onchange" | "onstep" => Some(CallbackStrategy::OnChange),
        "oncompletion" => Some(CallbackStrategy::OnCompletion),
        _ => {
            callback.refuse("strategy", Rule::Choice, "must be OnChange or OnCompletion");
            None
        }
    };
    let url = callback.required_text("url");
    if url.chars().count() > URL_MAX {
        callback.refuse("url", Rule::Length, format!("must have at most {URL_MAX} characters"));
    }
    // Without a strategy it is refused; with any, its URL is still checked.
    Some(Callback { strategy: strategy.unwrap_or(CallbackStrategy::OnChange), url })
}
