//! What dependencies may be: their licences, their sources, and which are not wanted. `deny.toml` says it, in
//! the form that cargo-deny reads as well; that tool takes longer to build than everything else that the
//! checks need.

use crate::root;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use spdx::{Expression, ParseMode};
use std::collections::BTreeSet;
use std::process::Command;

/// Where crates come from.
const REGISTRIES: [&str; 2] =
    ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];

/// The part of `deny.toml` that is checked here.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

/// What `cargo metadata` tells.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// Checks every dependency on the platforms that `deny.toml` names; fails with all that break a rule.
pub fn check() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(root().join("deny.toml"))?;
    let rules: Rules = toml::from_str(&text).context("deny.toml")?;
    let mut broken = BTreeSet::new();
    let mut checked = BTreeSet::new();
    for target in &rules.graph.targets {
        let arguments =
            ["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform"];
        let output = Command::new("cargo").args(arguments).arg(target).current_dir(root()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        for package in &metadata.packages {
            checked.insert(format!("{} {}", package.name, package.version));
            broken.extend(package.broken(&rules));
        }
    }
    if !broken.is_empty() {
        bail!("deny.toml: {}", broken.into_iter().collect::<Vec<_>>().join("\n"));
    }
    println!("{} crates: licences, sources and bans as deny.toml wants them", checked.len());
    Ok(())
}

impl Package {
    fn broken(&self, rules: &Rules) -> Vec<String> {
        let Package { name, version, license, source } = self;
        let mut broken = Vec::new();
        if rules.bans.deny.iter().any(|banned| banned.name == *name) {
            broken.push(format!("{name} {version} is not wanted"));
        }
        if source.as_ref().is_some_and(|source| !REGISTRIES.contains(&source.as_str())) {
            broken.push(format!("{name} {version} does not come from the registry"));
        }
        let text = license.as_deref().unwrap_or_default();
        let may = |expression: Expression| {
            expression.evaluate(|licence| rules.licenses.allow.contains(&licence.to_string()))
        };
        if !Expression::parse_mode(text, ParseMode::LAX).is_ok_and(may) {
            broken.push(format!("{name} {version} has a licence that is not allowed: \"{text}\""));
        }
        broken
    }
}
