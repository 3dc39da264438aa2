//! `cargo xtask bench gate`: whether a flow costs more than it did.

use crate::bench::{COSTS, ratio_to_bare, tell_costs};
use crate::figures::Figures;
use crate::root;
use crate::stand::{Load, Stand};
use crate::traffic::{failover_body, sms_body};
use anyhow::{Context, ensure};
use serde::Deserialize;

/// What `cargo xtask bench lifecycle --json` told of the last version that docs/performance.md has.
const ENTRY: &str = "docs/performance.json";
/// A flow may cost so many times what the entry says.
const RATIO_MAX: f64 = 1.15;

/// Fail if a flow costs more than 15 % more core time than docs/performance.json says, each by what a request
/// to the bare endpoint costs in the same run. For whoever changes the path of a message; on the kind of
/// machine that the entry is of.
#[derive(clap::Args)]
pub struct Gate {
    #[command(flatten)]
    load: Load,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
}

/// What is read of an entry.
#[derive(Deserialize)]
struct Entry {
    figures: Vec<Median>,
}

#[derive(Deserialize)]
struct Median {
    name: String,
    median: f64,
}

impl Entry {
    fn read() -> anyhow::Result<Entry> {
        let text = std::fs::read(root().join(ENTRY)).context(ENTRY)?;
        serde_json::from_slice(&text).context(ENTRY)
    }

    fn median(&self, name: &str) -> anyhow::Result<f64> {
        let figure = self.figures.iter().find(|figure| figure.name == name.trim());
        Ok(figure.with_context(|| format!("{ENTRY} has no figure {name:?}"))?.median)
    }
}

/// What a flow costs now beside what it did: whether it is within its bound, and a line that tells.
fn compare(name: &str, entry: f64, now: f64) -> (bool, String) {
    let change = (now / entry - 1.0) * 100.0;
    // What is no number is beyond every bound.
    let is_within = now <= entry * RATIO_MAX;
    let verdict = if is_within { "" } else { ": beyond 15 %" };
    (is_within, format!("{}: {now:.2}, {entry:.2} in {ENTRY}, {change:+.0} %{verdict}", name.trim()))
}

impl Gate {
    pub fn run(self) -> anyhow::Result<()> {
        let entry = Entry::read()?;
        let stand = Stand::build(&self.load, None)?;
        let mut figures = Figures::default();
        for number in 1..=self.runs {
            eprintln!("run {number} of {}", self.runs);
            let (bare, accepted) = (stand.bare()?, stand.accept()?);
            let single = stand.lifecycles("delivered", sms_body)?;
            let failover = stand.lifecycles("failed-over", failover_body)?;
            tell_costs(&mut figures, &bare, [&accepted.core_us, &single.core_us, &failover.core_us]);
        }
        print!("{}", figures.table());
        println!();
        let mut dearer = Vec::new();
        for name in COSTS.map(ratio_to_bare) {
            let now = figures.median(&name).context("it was measured")?;
            let (is_within, line) = compare(&name, entry.median(&name)?, now);
            println!("{line}");
            dearer.extend((!is_within).then(|| name.trim().to_owned()));
        }
        ensure!(dearer.is_empty(), "dearer than the last entry: {}", dearer.join("; "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_past_the_bound_fails_and_is_named() {
        let is_within = |entry, now| compare("  a failover, ratio to bare", entry, now).0;
        assert!(is_within(4.0, 2.0) && is_within(4.0, 4.0) && is_within(4.0, 4.59));
        assert!(!is_within(4.0, 4.61) && !is_within(4.0, f64::NAN) && !is_within(4.0, f64::INFINITY));
        let (_, line) = compare("  a failover, ratio to bare", 4.0, 5.0);
        assert_eq!(
            line,
            "a failover, ratio to bare: 5.00, 4.00 in docs/performance.json, +25 %: beyond 15 %"
        );
    }

    #[test]
    fn an_entry_without_a_figure_says_which() {
        let entry: Entry =
            serde_json::from_str(r#"{"figures": [{"name": "a", "median": 1.5}]}"#).expect("JSON");
        assert_eq!(entry.median("  a").expect("it is there"), 1.5);
        let missing = entry.median("  b").expect_err("it is not there");
        assert_eq!(missing.to_string(), "docs/performance.json has no figure \"  b\"");
    }

    #[test]
    fn the_page_has_the_entry_in_its_last_column() {
        let entry = Entry::read().expect("an entry");
        let page = std::fs::read_to_string(root().join("docs/performance.md")).expect("the page");
        for name in COSTS.map(ratio_to_bare) {
            let start = format!("| {} |", name.trim());
            let row = page.lines().find(|line| line.starts_with(&start)).expect("a row for each");
            let last = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default().trim();
            assert_eq!(last, format!("{:.2}", entry.median(&name).expect("it is there")), "{row}");
        }
    }
}
