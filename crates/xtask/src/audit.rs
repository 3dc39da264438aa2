//! `cargo xtask audit`: looks for known vulnerabilities in what we depend on, by the RustSec advisory
//! database.
//!
//! A copy of the database beside the repository is taken as it is; else it is fetched. `.cargo/audit.toml`
//! has the exceptions, in the form that cargo-audit reads as well.

use crate::{peers, root};
use anyhow::{Context, bail, ensure};
use rustsec::advisory::Informational;
use rustsec::database::Query;
use rustsec::{Database, Lockfile, Vulnerability};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every lock file of the repository.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];
/// Exceptions, each with its reason and its date in a comment.
const EXCEPTIONS: &str = ".cargo/audit.toml";
/// Where the database comes from when there is no copy.
const SOURCE: &str = "https://github.com/rustsec/advisory-db";

/// Checks every lock file; fails at a vulnerability that is no exception, and where there is no database.
pub fn run() -> anyhow::Result<()> {
    check(&database()?)
}

/// As [`run`], but says that it was left out where there is no database.
pub fn run_where_possible() -> anyhow::Result<()> {
    match database() {
        Ok(database) => check(&database),
        Err(error) => {
            eprintln!("LEFT OUT: known vulnerabilities were not looked for: {error:#}");
            Ok(())
        }
    }
}

/// The folder of the database: the copy beside the repository, or one that is fetched into the peers.
fn database() -> anyhow::Result<PathBuf> {
    let beside = root().join("../shared/advisory-db");
    if beside.join("crates").is_dir() {
        return Ok(beside);
    }
    let fetched = peers::folder().join("advisory-db");
    let known = fetched.join(".git").is_dir();
    let mut git = Command::new("git");
    // A network that hangs is none.
    git.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20"]);
    if known {
        git.arg("-C").arg(&fetched).args(["pull", "--quiet", "--depth", "1", "--rebase"]);
    } else {
        git.args(["clone", "--quiet", "--depth", "1", SOURCE]).arg(&fetched);
    }
    git.env("GIT_TERMINAL_PROMPT", "0").stderr(Stdio::null());
    let got = git.status().context("running git")?;
    ensure!(
        got.success(),
        "there is no ../shared/advisory-db beside the repository, and {SOURCE} could not be fetched"
    );
    Ok(fetched)
}

fn check(folder: &Path) -> anyhow::Result<()> {
    let database = Database::open(folder).with_context(|| folder.display().to_string())?;
    let exceptions = std::fs::read_to_string(root().join(EXCEPTIONS)).context(EXCEPTIONS)?;
    let exceptions = read_exceptions(&exceptions).context(EXCEPTIONS)?;
    let mut found = Vec::new();
    for file in LOCK_FILES {
        let locked = Lockfile::load(root().join(file)).context(file)?;
        found.extend(affected(&database, &locked).into_iter().map(|finding| (file, finding)));
    }
    let met: BTreeSet<&str> = found.iter().map(|(_, finding)| finding.advisory.id.as_str()).collect();
    let stale: Vec<_> = exceptions.iter().filter(|id| !met.contains(id.as_str())).collect();
    ensure!(stale.is_empty(), "{EXCEPTIONS}: nothing is affected by {stale:?} any more: take it out");
    let mut open = 0;
    for (file, Vulnerability { advisory, versions, package, .. }) in &found {
        let known = exceptions.contains(advisory.id.as_str());
        let what = if known { "exception" } else { "AFFECTED" };
        eprintln!("{what}: {file}: {} {}: {} {}", package.name, package.version, advisory.id, advisory.title);
        if !known {
            open += 1;
            let patched: Vec<_> = versions.patched().iter().map(ToString::to_string).collect();
            eprintln!("    patched: {}; https://rustsec.org/advisories/{}", patched.join(", "), advisory.id);
        }
    }
    if open > 0 {
        bail!(
            "{open} known vulnerabilities: update, or put an exception into {EXCEPTIONS}, with reason and date"
        );
    }
    eprintln!("no known vulnerability in {} but {} exceptions", LOCK_FILES.join(" and "), exceptions.len());
    Ok(())
}

/// What of a lock file is vulnerable, or unsound.
fn affected(database: &Database, locked: &Lockfile) -> Vec<Vulnerability> {
    let vulnerable = database.query_vulnerabilities(locked, &Query::crate_scope());
    let told = database.query_vulnerabilities(locked, &Query::crate_scope().informational(true));
    let is_unsound = |finding: &Vulnerability| finding.advisory.informational == Some(Informational::Unsound);
    vulnerable.into_iter().chain(told.into_iter().filter(is_unsound)).collect()
}

/// The advisories that are excepted.
fn read_exceptions(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let file: toml::Table = text.parse()?;
    let ids = file.get("advisories").and_then(|section| section.get("ignore")).and_then(|ids| ids.as_array());
    let ids = ids.context("expected advisories.ignore, an array of advisories' ids")?;
    ids.iter().map(|id| Ok(id.as_str().context("an id must be a text")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = r#"
version = 4
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
"#;

    fn advisory(number: u32, more: &str, patched: &str) -> String {
        format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-{number:04}\"\npackage = \"a\"\ndate = \"2026-01-01\"\n{more}\n\
             [versions]\npatched = [{patched}]\n```\n\n# It is bad\n\nVery.\n"
        )
    }

    #[test]
    fn what_is_vulnerable_or_unsound_is_found() {
        let folder = tempfile::tempdir().expect("there is room");
        let package = folder.path().join("crates/a");
        std::fs::create_dir_all(&package).expect("there is room");
        for (number, more, patched) in [
            (1, "", "\">= 1.0.1\""),
            (2, "", "\">= 1.0.0\""),
            (3, "informational = \"unsound\"", ""),
            (4, "informational = \"unmaintained\"", ""),
        ] {
            let text = advisory(number, more, patched);
            std::fs::write(package.join(format!("RUSTSEC-2026-{number:04}.md")), text)
                .expect("there is room");
        }
        let database = Database::open(folder.path()).expect("it is one");
        let found = affected(&database, &LOCKED.parse().expect("it is right"));
        let mut ids: Vec<_> = found.iter().map(|finding| finding.advisory.id.as_str().to_owned()).collect();
        ids.sort();
        assert_eq!(ids, ["RUSTSEC-2026-0001", "RUSTSEC-2026-0003"]);
    }

    #[test]
    fn exceptions_are_read_as_cargo_audit_writes_them() {
        let text = "[advisories]\nignore = [\n    # Why.\n    \"RUSTSEC-2026-0001\",\n]\n";
        let ids = read_exceptions(text).expect("it is right");
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["RUSTSEC-2026-0001"]);
        assert!(read_exceptions("").is_err());
        assert!(read_exceptions("[advisories]\nignore = [5]").is_err());
    }

    #[test]
    fn the_exceptions_of_this_repository_can_be_read() {
        let text = std::fs::read_to_string(root().join(EXCEPTIONS)).expect("it is there");
        assert!(read_exceptions(&text).is_ok());
    }
}
