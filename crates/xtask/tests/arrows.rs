//! Crates know each other in one direction, and each does without what is another's business.

mod source;

use std::collections::BTreeSet;
use toml::{Table, Value};

/// Each crate and those that it knows; it may also name what those know. A crate that is not there yet is
/// skipped.
const KNOWS: [(&str, &[&str]); 14] = [
    ("flow", &[]),
    ("smpp", &[]),
    ("index", &["flow"]),
    ("wire", &["flow", "index"]),
    ("store", &["flow"]),
    ("carriers", &["flow", "smpp"]),
    ("engine", &["store", "index", "carriers", "flow", "wire"]),
    ("api", &["engine", "wire"]),
    ("console", &["engine", "api"]),
    ("server", &["api", "console", "engine", "store", "index", "carriers", "flow", "wire"]),
    ("switchback", &["server", "wire"]),
    ("simulation", &["server", "store", "carriers", "smpp", "flow"]),
    // The fuzz targets: nobody knows them.
    ("fuzzing", &["server", "store", "index", "carriers", "smpp", "flow", "wire"]),
    ("xtask", &[]),
];

/// What a crate must not depend on, and why.
const WITHOUT: [(&str, &[&str], &str); 5] = [
    ("flow", &["tokio", "async-trait", "fastrand", "getrandom", "jiff", "utoipa"], "it is pure"),
    ("index", &["tokio", "utoipa", "axum"], "it knows neither the API nor a runtime"),
    (
        "wire",
        &["axum", "hyper", "reqwest", "tokio", "tower-http", "utoipa-swagger-ui"],
        "it has no HTTP and no I/O",
    ),
    ("engine", &["axum", "tower-http", "utoipa", "utoipa-swagger-ui"], "it serves no HTTP"),
    ("smpp", &["serde", "serde_json", "metrics"], "it is a protocol"),
];

/// Words that must not stand in a crate's sources, and why.
const UNSAID: [(&str, &str, &str); 4] = [
    ("flow", "camelCase", "the API's JSON is wire's"),
    ("index", "camelCase", "the API's JSON is wire's"),
    ("engine", "hyper::server", "it serves no HTTP"),
    ("wire", "std::net", "it has no I/O"),
];

/// Crates that read configuration files, or files in the same language.
const READS_TOML: [&str; 4] = ["carriers", "server", "switchback", "xtask"];

/// The dependencies of a crate by their names, but for tests.
fn dependencies(name: &str) -> BTreeSet<String> {
    let path = source::root().join("crates").join(name).join("Cargo.toml");
    let manifest: Table = std::fs::read_to_string(path).expect("a manifest").parse().expect("TOML");
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([&manifest]);
    let tables = tables.filter_map(|table| table.get("dependencies")?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// A crate's own and all that those know which it knows.
fn may_know(name: &str) -> BTreeSet<&'static str> {
    let (_, direct) = KNOWS.iter().find(|(of, _)| *of == name).unwrap_or(&("", &[]));
    direct.iter().copied().chain(direct.iter().flat_map(|of| may_know(of))).collect()
}

#[test]
fn crates_know_each_other_in_one_direction() {
    let crates = source::crates();
    for name in &crates {
        assert!(KNOWS.iter().any(|(of, _)| of == name), "{name} is not in the table of who knows whom");
        let allowed = may_know(name);
        for other in dependencies(name).iter().filter(|other| crates.contains(other)) {
            assert!(allowed.contains(other.as_str()), "{name} must not know {other}");
        }
    }
}

#[test]
fn each_crate_does_without_what_is_anothers() {
    let crates = source::crates();
    for (name, without, why) in WITHOUT.iter().filter(|(name, ..)| crates.iter().any(|of| of == name)) {
        let dependencies = dependencies(name);
        let found: Vec<_> = without.iter().filter(|other| dependencies.contains(**other)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}, and {why}");
    }
    for (name, word, why) in UNSAID.iter().filter(|(name, ..)| crates.iter().any(|of| of == name)) {
        for path in source::files(&source::root().join("crates").join(name).join("src"), "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            assert!(!text.contains(word), "{} has {word}, and {why}", path.display());
        }
    }
    for name in crates.iter().filter(|name| !READS_TOML.contains(&name.as_str())) {
        assert!(
            !dependencies(name).contains("toml"),
            "{name} reads configuration files, which is the server's"
        );
    }
}
