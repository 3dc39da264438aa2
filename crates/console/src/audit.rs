//! Keeps who did what, before and after it is done.

use crate::error::PageError;
use crate::request::visitor::Visitor;
use crate::state::Console;
use engine::administration::audit::{Act, begin, finish};
use engine::clock::now_ms;
use store::Outcome;

/// Does what a visitor asked for, between two writes of the audit: what can't be kept is not done.
/// `action` is a kind of thing and what is done to it, such as `flow.cancel`.
pub(crate) async fn audited<T, E: Into<PageError>>(
    console: &Console,
    visitor: &Visitor,
    action: &'static str,
    subject: &str,
    detail: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, PageError> {
    let (operator, subject) = (visitor.operator.name.clone(), subject.to_owned());
    let detail = detail.to_owned();
    let id = console.desk.run(async move |admin| {
        let act = Act { operator: &operator, action, subject: &subject, detail: &detail };
        begin(admin, act, now_ms()).await
    });
    let id = id.await?;
    let result = work.await.map_err(Into::into);
    let outcome = match &result {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    };
    if let Err(error) = console.desk.run(async move |admin| finish(admin, id, outcome).await).await {
        tracing::error!(entry = id, %error, "an entry of the audit stays without its outcome");
    }
    result
}
