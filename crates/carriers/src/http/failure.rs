//! What a provider's refusals and reported failures mean, by its file.

use super::error::HttpError;
use super::provider::Refusal;
use super::template::Templates;
use flow::Detail;

/// Compiles a list of what failures mean: names of expressions, and detailed statuses. `at` is the list's
/// key.
pub(super) fn compile(
    at: &str,
    refusals: &[Refusal],
    templates: &mut Templates,
) -> Result<Vec<(String, Detail)>, HttpError> {
    let compile = |(i, refusal): (usize, &Refusal)| {
        let when = templates.condition(format!("{at}[{i}].when"), &refusal.when)?;
        Ok((when, detail(&refusal.detail)?))
    };
    refusals.iter().enumerate().map(compile).collect()
}

/// The contract's detailed status with a name.
pub(super) fn detail(name: &str) -> Result<Detail, HttpError> {
    let known = Detail::NAMES.iter().find(|known| **known == name);
    let known = known.ok_or_else(|| HttpError::UnknownDetail(name.to_owned()))?;
    Ok(Detail((*known).into()))
}
