//! `switchback suppress`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use anyhow::Context;
use csv::{QuoteStyle, ReaderBuilder, StringRecord, WriterBuilder};
use flow::{Channel, is_e164};
use server::administration::OptOuts;
use server::clock::now_ms;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use store::Suppression;
use wire::time::iso;
use wire::typed_number::typed_number;
use wire::words::one_of_channels;

/// Rows that are read at once.
const PAGE: usize = 1000;

#[derive(clap::Subcommand)]
pub enum Suppress {
    /// Send a recipient nothing any more.
    Add {
        #[command(flatten)]
        of: Of,
        /// Who: a number with its country, or of the country of the console.
        recipient: String,
        /// Why.
        #[arg(long, default_value = "by the command line")]
        reason: String,
    },
    /// Send a recipient messages again.
    Remove {
        #[command(flatten)]
        of: Of,
        /// Who: a number with its country, or of the country of the console.
        recipient: String,
    },
    /// List the recipients, by number.
    List {
        #[command(flatten)]
        of: Of,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Add the recipients of a CSV file, as `list --csv` writes it, or one a line; - for standard input.
    ///
    /// The first column is the recipient, the second one the reason, if there is one. A header row is
    /// taken, too.
    Import {
        #[command(flatten)]
        of: Of,
        /// The file.
        file: PathBuf,
    },
}

/// Whose list.
#[derive(clap::Args)]
pub struct Of {
    /// The application's id.
    #[arg(long)]
    application: String,
    /// Sms, Viber or Voice.
    #[arg(long)]
    channel: String,
    #[command(flatten)]
    place: Place,
}

impl Of {
    fn channel(&self) -> anyhow::Result<Channel> {
        Channel::parse(&self.channel).with_context(|| format!("--channel must be {}", one_of_channels()))
    }
}

impl Suppress {
    pub async fn run(self) -> anyhow::Result<()> {
        let of = match &self {
            Suppress::Add { of, .. }
            | Suppress::Remove { of, .. }
            | Suppress::List { of, .. }
            | Suppress::Import { of, .. } => of,
        };
        let channel = of.channel()?;
        let country = of.place.configured()?.console.country;
        let admin = of.place.open()?;
        let list = OptOuts::of(&admin, &of.application, channel).await?;
        match self {
            Suppress::Add { recipient, reason, .. } => {
                let entry = list.typed_entry(&recipient, country.as_deref(), &reason, now_ms())?;
                let recipient = entry.recipient.clone();
                list.add(&[entry]).await?;
                say!(
                    "{recipient} is sent nothing over {channel} any more; a running server knows in a second"
                );
            }
            Suppress::Remove { recipient, .. } => {
                // What is listed goes by its very words: the API takes numbers that nobody would type.
                let recipient = match is_e164(&recipient) {
                    true => recipient,
                    false => typed_number(&recipient, country.as_deref())?,
                };
                list.remove(&recipient).await?;
                say!("{recipient} is sent messages over {channel} again");
            }
            Suppress::List { csv, .. } => show(&list, csv).await?,
            Suppress::Import { file, .. } => import(&list, country.as_deref(), &file).await?,
        }
        Ok(())
    }
}

async fn show(list: &OptOuts<'_>, csv: bool) -> anyhow::Result<()> {
    let mut pages = Pages { list, after: String::new() };
    if csv {
        return write_csv(&mut pages).await;
    }
    let mut table = table(["recipient", "since", "reason"]);
    while let Some(page) = pages.next().await? {
        for Suppression { recipient, reason, since_ms, .. } in page {
            table.add_row([recipient, iso(since_ms), reason]);
        }
    }
    say!("{table}");
    Ok(())
}

/// A list, read in pieces.
struct Pages<'a> {
    list: &'a OptOuts<'a>,
    after: String,
}

impl Pages<'_> {
    async fn next(&mut self) -> anyhow::Result<Option<Vec<Suppression>>> {
        let page = self.list.page(&self.after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after.clone_from(&last.recipient);
        Ok(Some(page))
    }
}

/// Writes a list as CSV (RFC 4180) until its end, or until nobody reads it any more.
async fn write_csv(pages: &mut Pages<'_>) -> anyhow::Result<()> {
    let mut out = output::data();
    while let Some(page) = pages.next().await? {
        if !output::heard(out.write_all(&rows(&page)?)).context("writing the output")? {
            return Ok(());
        }
    }
    output::heard(out.flush()).context("writing the output")?;
    Ok(())
}

/// Recipients and reasons; the latter in quotes.
fn rows(page: &[Suppression]) -> anyhow::Result<Vec<u8>> {
    let mut csv = WriterBuilder::new().quote_style(QuoteStyle::NonNumeric).from_writer(Vec::new());
    for Suppression { recipient, reason, .. } in page {
        csv.write_record([recipient, reason])?;
    }
    Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

async fn import(list: &OptOuts<'_>, country: Option<&str>, file: &Path) -> anyhow::Result<()> {
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| file.display().to_string())?)
    };
    let entries = read_entries(input).with_context(|| file.display().to_string())?;
    let all = entries.into_iter().map(|Entry { line, recipient, reason }| {
        let read = list.typed_entry(&recipient, country, &reason, now_ms());
        read.with_context(|| format!("{}: line {line}", file.display()))
    });
    let all = all.collect::<anyhow::Result<Vec<_>>>()?;
    list.add(&all).await?;
    say!("{} recipients are sent nothing over {} any more", all.len(), list.channel());
    Ok(())
}

/// A row of a list.
#[derive(PartialEq, Eq, Debug)]
struct Entry {
    line: u64,
    recipient: String,
    reason: String,
}

/// Reads a list: CSV (RFC 4180), with or without a header row.
fn read_entries(mut input: impl Read) -> anyhow::Result<Vec<Entry>> {
    let mut text = Vec::new();
    input.read_to_end(&mut text)?;
    let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&*text);
    let mut lines = LineCount { text: &text, counted: 0, line: 1 };
    let mut entries = Vec::new();
    let mut columns = None;
    for (i, record) in csv.records().enumerate() {
        let record = record?;
        if i == 0 && is_header(&record) {
            columns = Some(Columns::of_header(&record));
            continue;
        }
        let line = lines.of(record.position().map_or(0, |at| at.byte() as usize));
        let (recipient, reason) = match &columns {
            Some(Columns { recipient, reason }) => {
                let reason = reason.and_then(|at| record.get(at)).map(str::to_owned);
                (record.get(*recipient).unwrap_or_default(), reason)
            }
            None => (record.get(0).unwrap_or_default(), rest(&record)),
        };
        if !recipient.trim().is_empty() {
            let recipient = recipient.trim().to_owned();
            entries.push(Entry { line, recipient, reason: reason.unwrap_or_else(|| "imported".into()) });
        }
    }
    Ok(entries)
}

/// Counts lines up to a row, since the reader's own count stands before the empty lines that it leaves out.
struct LineCount<'a> {
    text: &'a [u8],
    counted: usize,
    line: u64,
}

impl LineCount<'_> {
    /// The line, from 1, of the row that begins behind what is at an octet; rows come in their order.
    fn of(&mut self, at: usize) -> u64 {
        let empty = self.text[at..].iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
        let passed = &self.text[self.counted..at + empty];
        self.line += passed.iter().filter(|octet| **octet == b'\n').count() as u64;
        self.counted = at + empty;
        self.line
    }
}

/// Everything behind the first comma: where there is no header, commas of a reason need no quotes.
fn rest(record: &StringRecord) -> Option<String> {
    let fields: Vec<&str> = record.iter().skip(1).collect();
    (!fields.is_empty()).then(|| fields.join(","))
}

/// Whether a row names columns: a recipient has digits.
fn is_header(record: &StringRecord) -> bool {
    let mut fields = record.iter();
    fields.next().is_some_and(|first| !first.trim().is_empty()) && !record.iter().any(has_digit)
}

fn has_digit(field: &str) -> bool {
    field.bytes().any(|octet| octet.is_ascii_digit())
}

/// Where a header says that things are; else they are in the first two columns.
struct Columns {
    recipient: usize,
    reason: Option<usize>,
}

impl Columns {
    fn of_header(record: &StringRecord) -> Columns {
        let named = |name: &str| record.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
        let recipient = named("recipient").unwrap_or(0);
        let second = (record.len() > 1).then_some(1);
        Columns { recipient, reason: named("reason").or(second.filter(|second| *second != recipient)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(u64, String, String)> {
        let entries = read_entries(text.as_bytes()).unwrap();
        entries.into_iter().map(|entry| (entry.line, entry.recipient, entry.reason)).collect()
    }

    #[test]
    fn rule_20_what_is_written_is_read() {
        let reasons = [
            "told us",
            "line1\nline2",
            "line1\r\nline2\r",
            "a \"quoted\" word, and a comma",
            "\"",
            "\"\"",
            " blanks ",
            "",
            "12",
            "tab\tand \u{1b}[2J",
            "Ωmega",
            "reason",
            "\u{feff}",
        ];
        let list: Vec<_> = reasons
            .iter()
            .enumerate()
            .map(|(i, reason)| Suppression {
                application: "a".into(),
                channel: Channel::Sms,
                recipient: format!("+3069000000{i:02}"),
                reason: (*reason).to_owned(),
                since_ms: 0,
            })
            .collect();
        let written = String::from_utf8(rows(&list).unwrap()).unwrap();
        let read: Vec<_> =
            entries(&written).into_iter().map(|(_, recipient, reason)| (recipient, reason)).collect();
        let expected: Vec<_> = list.into_iter().map(|one| (one.recipient, one.reason)).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn rule_20_a_header_and_lists_of_before_are_taken() {
        let entry = |line, recipient: &str, reason: &str| (line, recipient.to_owned(), reason.to_owned());
        assert_eq!(
            entries("recipient,reason\n+306900000001,\"a\nb\"\n\n+306900000002,\n"),
            [entry(2, "+306900000001", "a\nb"), entry(5, "+306900000002", "")]
        );
        assert_eq!(entries("Reason,Recipient \r\nwhy,+306900000001\r\n"), [entry(2, "+306900000001", "why")]);
        assert_eq!(
            entries("recipient,since,reason\n+306900000001,2026-11-26,why\n"),
            [entry(2, "+306900000001", "why")]
        );
        assert_eq!(
            entries("\u{feff} +306900000001 \n+306900000002,asked, twice\n"),
            [entry(1, "+306900000001", "imported"), entry(2, "+306900000002", "asked, twice")]
        );
        assert_eq!(entries("+306900000001\nabc,x\n")[1], entry(2, "abc", "x"));
    }
}
