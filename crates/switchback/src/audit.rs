//! `switchback audit`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use serde::Serialize;
use server::administration::audit;
use store::{AuditEntry, AuditQuery, Operators, Outcome, SqliteAdmin};
use wire::time::iso;

/// List what operators did, newest first; works while a server runs on the same data.
#[derive(clap::Args)]
pub struct Audit {
    /// Only what this operator did; "command line" for what was done from here.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Only this, such as operator.add.
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// Only what was done to this: a name or an id.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only entries before the one with this number.
    #[arg(long, value_name = "ENTRY")]
    before: Option<i64>,
    /// Most that are listed, at most 1000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = listed_at_once)]
    limit: usize,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Who acts without being an operator.
const OF_NOBODY: [&str; 3] = [audit::COMMAND_LINE, audit::SERVER, audit::IDENTITY_PROVIDER];

/// An entry as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    entry: i64,
    at: String,
    operator: String,
    action: String,
    subject: String,
    detail: String,
    /// Absent if the process ended meanwhile.
    outcome: Option<&'static str>,
    reason: Option<String>,
}

impl Listed {
    fn of(AuditEntry { id, entry, outcome }: AuditEntry) -> Listed {
        let (outcome, reason) = match outcome {
            None => (None, None),
            Some(Outcome::Done) => (Some("done"), None),
            Some(Outcome::Failed(why)) => (Some("failed"), Some(why)),
        };
        Listed {
            entry: id,
            at: iso(entry.at_ms),
            operator: entry.operator,
            action: entry.action,
            subject: entry.subject,
            detail: entry.detail,
            outcome,
            reason,
        }
    }
}

/// Reads how many entries are listed.
fn listed_at_once(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=audit::LISTED_MAX).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {}", audit::LISTED_MAX))
}

/// Refuses the name of somebody who is no operator and never did anything: it is mistyped.
async fn known(admin: &SqliteAdmin, name: &str) -> anyhow::Result<()> {
    let any = AuditQuery { limit: 1, operator: Some(name.to_owned()), ..AuditQuery::default() };
    if audit::list(admin, any).await?.is_empty() && admin.operator(name).await?.is_none() {
        anyhow::bail!("there is no operator \"{name}\", and none of that name did anything");
    }
    Ok(())
}

impl Audit {
    pub async fn run(self) -> anyhow::Result<()> {
        let Audit { operator, action, subject, before, limit, place, json } = self;
        let admin = place.open()?;
        if let Some(name) = operator.as_deref().filter(|name| !OF_NOBODY.contains(name)) {
            known(&admin, name).await?;
        }
        let query = AuditQuery { before, limit, operator, action, subject };
        let listed = audit::list(&admin, query).await?.into_iter().map(Listed::of);
        if json {
            say!("{}", output::json(&listed.collect::<Vec<_>>())?);
            return Ok(());
        }
        let mut table = table(["entry", "at", "operator", "action", "subject", "detail", "outcome"]);
        for one in listed {
            let outcome = match (one.outcome, one.reason) {
                (Some(outcome), Some(reason)) => format!("{outcome}: {reason}"),
                (Some(outcome), None) => outcome.to_owned(),
                (None, _) => "unknown".to_owned(),
            };
            let entry = one.entry.to_string();
            table.add_row([entry, one.at, one.operator, one.action, one.subject, one.detail, outcome]);
        }
        table.align_right(0);
        say!("{table}");
        Ok(())
    }
}
