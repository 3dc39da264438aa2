//! `switchback send`, `track`, `search` and `export`: the API from the command line.

use crate::client::Account;
use crate::course;
use crate::output::{self, complain, say};
use crate::table::{Table, table};
use anyhow::Context;
use flow::is_e164;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as UnknownWord, StrDeserializer};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use uuid::Uuid;
use wire::channel::MessageView;
use wire::events::EventsView;
use wire::search::{FieldName, FilterRequest, Operator, PageView};
use wire::tracking::{ErasedView, TrackingView};
use wire::typed_number::typed_number;

#[derive(clap::Args)]
pub struct Send {
    #[command(flatten)]
    account: Account,
    /// The file, or - for standard input.
    file: PathBuf,
    /// Send a transactional flow.
    #[arg(long)]
    transactional: bool,
}

#[derive(clap::Args)]
pub struct Track {
    #[command(flatten)]
    account: Account,
    /// The tracking id that the send answered with.
    id: Uuid,
    /// Show its course for people, also where the output is no terminal.
    #[arg(long)]
    course: bool,
    /// Print the tracking as JSON, as it is done where the output is no terminal.
    #[arg(long, conflicts_with = "course")]
    json: bool,
}

#[derive(clap::Args)]
pub struct Cancel {
    #[command(flatten)]
    account: Account,
    /// The tracking id that the send answered with.
    id: Uuid,
}

#[derive(clap::Args)]
pub struct Erase {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    whom: Whom,
}

/// What is erased.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The tracking id of a flow.
    id: Option<Uuid>,
    /// Erase every flow with a step to this recipient.
    #[arg(long, value_name = "RECIPIENT")]
    to: Option<String>,
}

/// Which flows.
#[derive(clap::Args)]
struct Which {
    /// Recipient. A text, or OPERATOR:TEXT with is, is_not, contains, starts_with or ends_with.
    #[arg(long)]
    to: Vec<String>,
    /// Queued, InProgress, Succeeded or Failed; is_not:STATUS for the others.
    #[arg(long)]
    status: Vec<String>,
    /// Sms, Viber or Voice; is_not:TYPE for the others.
    #[arg(long = "type")]
    kind: Vec<String>,
    /// Channel that ended the flow; is_not:CHANNEL for the others.
    #[arg(long)]
    termination: Vec<String>,
    /// Accepted at this time or later, ISO 8601.
    #[arg(long, value_name = "TIME")]
    from_date: Option<String>,
    /// Accepted before this time, ISO 8601.
    #[arg(long, value_name = "TIME")]
    to_date: Option<String>,
}

impl Which {
    /// The filters of a search.
    fn filters(&self) -> Vec<FilterRequest> {
        let named = [
            (FieldName::To, &self.to),
            (FieldName::Status, &self.status),
            (FieldName::Type, &self.kind),
            (FieldName::TerminationChannel, &self.termination),
        ];
        named.iter().flat_map(|(field, terms)| terms.iter().map(|term| filter(*field, term))).collect()
    }

    /// The path and query of a search.
    fn path(&self, page: u64, size: u64) -> anyhow::Result<String> {
        // Only the path and the query are used.
        let mut url = Url::parse("http://localhost/failover/tracking")?;
        let times = [("dateStart", &self.from_date), ("dateEnd", &self.to_date)];
        let times = times.iter().filter_map(|(name, time)| Some((*name, time.as_deref()?)));
        let (page, size) = (page.to_string(), size.to_string());
        url.query_pairs_mut().extend_pairs(times).extend_pairs([("page", &page), ("size", &size)]);
        Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
    }
}

#[derive(clap::Args)]
pub struct Search {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    which: Which,
    /// Page, from 0.
    #[arg(long, default_value_t = 0)]
    page: u64,
    /// Trackings a page, 1 to 1000.
    #[arg(long, default_value_t = 10)]
    size: u64,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct Export {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    which: Which,
    /// How it is written.
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// The file, or - for standard output.
    #[arg(long, short, default_value = "-")]
    output: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A tracking as JSON, a line each.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
}

impl Send {
    pub async fn run(self) -> anyhow::Result<()> {
        let body = read_file(&self.file)?;
        let path = if self.transactional { "/failover/transactional" } else { "/failover" };
        let answer = self.account.login().await?.call(Method::POST, path, Some(body)).await?;
        say!("{}", answer.json()?);
        Ok(())
    }
}

impl Track {
    pub async fn run(self) -> anyhow::Result<()> {
        let path = format!("/failover/tracking/{}", self.id);
        let api = self.account.login().await?;
        let answer = api.call(Method::GET, &path, None).await?;
        if self.json || !(self.course || output::is_terminal()) {
            say!("{}", answer.json()?);
            return Ok(());
        }
        let events = api.call(Method::GET, &format!("{path}/events"), None).await?;
        let events: EventsView = events.read("events")?;
        let tracking: TrackingView = answer.read("a tracking")?;
        say!("{}", course::summary(&tracking));
        if let Some(waits) = &tracking.waits {
            say!("{}", course::waits(waits));
        }
        say!("{}", course::course(&events));
        if events.left_out > 0 {
            say!("{} events are left out after the first ones", events.left_out);
        }
        Ok(())
    }
}

impl Cancel {
    pub async fn run(self) -> anyhow::Result<()> {
        let path = format!("/failover/{}", self.id);
        let answer = self.account.login().await?.call(Method::DELETE, &path, None).await?;
        say!("{}", answer.json()?);
        Ok(())
    }
}

impl Erase {
    pub async fn run(self) -> anyhow::Result<()> {
        // Only the path and the query are used.
        let mut url = Url::parse("http://localhost/failover/tracking")?;
        if let Some(to) = &self.whom.to {
            // As people write it; an address, or a number that nobody would type, is the server's to read.
            let to = match is_e164(to) {
                true => to.clone(),
                false => typed_number(to, None).unwrap_or_else(|_| to.clone()),
            };
            url.query_pairs_mut().append_pair("to", &to);
        }
        let path = match &self.whom.id {
            Some(id) => format!("{}/{id}", url.path()),
            None => format!("{}?{}", url.path(), url.query().unwrap_or_default()),
        };
        let answer = self.account.login().await?.call(Method::DELETE, &path, None).await?;
        // One flow that is named by its id is answered without a body.
        let erased = match &self.whom.id {
            Some(_) => 1,
            None => answer.read::<ErasedView>("a number of flows")?.erased,
        };
        say!("{erased} flows erased");
        Ok(())
    }
}

impl Search {
    pub async fn run(self) -> anyhow::Result<()> {
        let path = self.which.path(self.page, self.size)?;
        let api = self.account.login().await?;
        let started = Instant::now();
        let answer = api.search(&path, &self.which.filters()).await?;
        let took_ms = started.elapsed().as_secs_f64() * 1000.0;
        if self.json {
            say!("{}", answer.json()?);
            return Ok(());
        }
        let page: PageView = answer.read("a page of trackings")?;
        say!("{}", trackings_table(&page));
        let PageView { total_elements, number, total_pages, .. } = page;
        say!("{total_elements} flows, page {number} of {total_pages}, {took_ms:.1} ms");
        Ok(())
    }
}

impl Export {
    pub async fn run(self) -> anyhow::Result<()> {
        let api = self.account.login().await?;
        let (path, filters) = (self.which.path(0, 1)?, self.which.filters());
        let page: PageView = api.search(&path, &filters).await?.read("a page of trackings")?;
        let progress = ProgressBar::new(page.total_elements as u64);
        let style = "{pos} of {len} [{bar:40}] {per_sec} {elapsed}";
        progress.set_style(ProgressStyle::with_template(style)?.progress_chars("=> "));
        let mut output: Box<dyn Write> = if self.output == Path::new("-") {
            output::data()
        } else {
            let file = File::create(&self.output).with_context(|| self.output.display().to_string())?;
            Box::new(BufWriter::new(file))
        };
        let (accept, header_lines) = match self.format {
            Format::Ndjson => ("application/x-ndjson", 0),
            Format::Csv => ("text/csv", 1),
        };
        let mut response = api.export(&path, &filters, accept).await?;
        let mut lines = 0u64;
        while let Some(chunk) = response.chunk().await? {
            if !output::heard(output.write_all(&chunk)).context("writing the output")? {
                return Ok(());
            }
            lines += chunk.iter().filter(|octet| **octet == b'\n').count() as u64;
            progress.set_position(lines.saturating_sub(header_lines));
        }
        if !output::heard(output.flush()).context("writing the output")? {
            return Ok(());
        }
        progress.finish_and_clear();
        complain!("{} flows exported", lines.saturating_sub(header_lines));
        Ok(())
    }
}

/// A filter from a term, or from an operator, a colon and a term.
fn filter(field: FieldName, term: &str) -> FilterRequest {
    let operator = |word: &str| {
        let word: StrDeserializer<'_, UnknownWord> = word.into_deserializer();
        Operator::deserialize(word).ok()
    };
    match term.split_once(':').and_then(|(word, term)| Some((operator(word)?, term))) {
        Some((operator, term)) => FilterRequest::by(field, operator, term),
        None => FilterRequest::is(field, term),
    }
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// A page of trackings as a table.
pub fn trackings_table(page: &PageView) -> Table {
    let mut table = table(["created", "tracking", "to", "status", "ended by", "messages", "price"]);
    for tracking in &page.content {
        let messages: Vec<_> = tracking.messages.iter().map(MessageView::summary).collect();
        table.add_row([
            tracking.created_at.clone(),
            tracking.tracking_id.to_string(),
            tracking.messages.first().map(MessageView::to).unwrap_or_default().to_owned(),
            tracking.status.clone().into_owned(),
            tracking.termination_channel.clone().unwrap_or_default().into_owned(),
            messages.join(", "),
            format!("{:?}", tracking.total_price),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_may_have_an_operator_in_front() {
        for (term, operator, rest) in [
            ("ends_with:10", Some(Operator::EndsWith), "10"),
            ("is_not:Voice", Some(Operator::IsNot), "Voice"),
            ("sip:alice@acme.example", None, "sip:alice@acme.example"),
            ("+306900000010", None, "+306900000010"),
            ("contains:sip:alice", Some(Operator::Contains), "sip:alice"),
        ] {
            let filter = filter(FieldName::To, term);
            assert_eq!((filter.search_operator, filter.search_term.as_str()), (operator, rest));
        }
    }
}
