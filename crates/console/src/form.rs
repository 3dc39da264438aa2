//! What forms are made of.

use crate::request::visitor::Visitor;
use flow::Channel;
use maud::{Markup, html};

/// A choice among values, each with its words. `none` is what stands for no choice, if that is one.
pub(crate) fn choice<'a>(
    name: &str,
    label: &str,
    chosen: &str,
    none: Option<&str>,
    all: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Markup {
    html! {
        div {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @if let Some(words) = none { option value="" { (words) } }
                @for (value, words) in all {
                    option value=(value) selected[chosen.eq_ignore_ascii_case(value)] { (words) }
                }
            }
        }
    }
}

/// A choice among the channels.
pub(crate) fn channels(name: &str, label: &str, chosen: &str, none: Option<&str>) -> Markup {
    choice(name, label, chosen, none, Channel::ALL.map(|channel| (channel.name(), channel.name())))
}

/// A choice among the applications that the visitor sees. `all` is what stands for all of them, if they can
/// be chosen together.
pub(crate) fn applications(visitor: &Visitor, label: &str, chosen: &str, all: Option<&str>) -> Markup {
    let each = visitor.applications.iter().map(|of| (&*of.id, &*of.name));
    choice("application", label, chosen, all, each)
}

/// A choice among the applications, where there are several.
pub(crate) fn which_application(visitor: &Visitor, chosen: &str) -> Markup {
    let is_choice = visitor.applications.len() > 1;
    html! { @if is_choice { (applications(visitor, "Application", chosen, Some("all"))) } }
}

/// A button that does one thing to one thing: `member` is what the form sends, and `of` is what people call
/// it.
pub(crate) fn act(path: &str, member: (&str, &str), words: &str, of: &str) -> Markup {
    html! {
        form method="post" action=(path) {
            input type="hidden" name=(member.0) value=(member.1);
            button aria-label=(format!("{words}: {of}")) { (words) }
        }
    }
}
