//! The house is tidy: what documents and comments point at exists, lines and functions are short.

mod source;

use source::{crates, files, root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The longest line, in columns.
const COLUMNS: usize = 110;
/// The longest function, in lines.
const LINES: usize = 70;

/// Lines that are longer in each crate. It only shrinks.
const LONG_LINES: [(&str, usize); 2] = [("api", 1), ("server", 1)];

/// Functions that are longer. It only shrinks.
const LONG_FUNCTIONS: [&str; 7] = [
    "engine/src/submit.rs submit",
    "flow/tests/machine.rs invariants_hold_under_any_course",
    "server/tests/it/odd_smsc/answers.rs rule_03_answers_cut_anywhere_and_with_superfluous_octets",
    "server/tests/it/sandbox.rs viber_to_sms_with_every_field_of_the_contract",
    "server/tests/it/sending.rs bad_input_names_the_field_and_the_rule_and_stores_nothing",
    "server/tests/it/voice_trunks.rs a_challenge_that_can_be_answered_is_answered",
    "switchback/tests/it/secrets.rs nothing_secret_is_told",
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    files(&root(), "md")
}

/// Fails with what was found, a line each.
fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// A page's lines outside of code blocks, with their numbers from 1.
fn prose(page: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.starts_with("    ") {
            prose.push((number, line));
        }
    }
    prose
}

/// The anchors of a page's headings, as they are made of their texts on the common forges.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// What stands between backquotes in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let page = read(&path);
        for (number, line) in prose(&page) {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if link.contains("://") || link.contains('`') {
                    continue;
                }
                let (file, anchor) =
                    link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
                let target = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
                let found =
                    target.exists() && anchor.is_none_or(|anchor| anchors(&read(&target)).contains(anchor));
                if !found {
                    broken.push(format!("{}:{number}: {link}", shown(&path)));
                }
            }
        }
    }
    none(&broken, "links that lead nowhere");
}

/// Whether a file is in the repository: by its path, or by the end of it, `src` or not.
fn is_file(name: &str, all: &BTreeSet<String>) -> bool {
    all.contains(name) || all.iter().any(|path| path.ends_with(&format!("/{name}")))
}

#[test]
fn files_that_pages_name_exist() {
    let root = root();
    let mut all = BTreeSet::new();
    for extension in ["rs", "md", "toml", "c", "js", "py", "json", "sh"] {
        for path in files(&root, extension) {
            let path = shown(&path);
            all.insert(path.replace("/src/", "/"));
            all.insert(path);
        }
    }
    let mut missing = Vec::new();
    for path in pages() {
        for (number, line) in prose(&read(&path)) {
            let names = quoted(line).filter(|name| name.ends_with(".rs") || name.ends_with(".md"));
            let names = names.filter(|name| {
                !name.contains(|c: char| c.is_whitespace() || "{*…<".contains(c)) && !name.contains("NAME")
            });
            missing.extend(
                names
                    .filter(|name| !is_file(name, &all))
                    .map(|name| format!("{}:{number}: {name}", shown(&path))),
            );
        }
    }
    for path in files(&root.join("crates"), "rs") {
        for (number, line) in (1..).zip(read(&path).lines()) {
            for rest in line.split("docs/").skip(1) {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c)));
                let name = format!("docs/{}", rest[..end.unwrap_or(rest.len())].trim_end_matches('.'));
                if name.ends_with(".md") && !root.join(&name).exists() {
                    missing.push(format!("{}:{number}: {name}", shown(&path)));
                }
            }
        }
    }
    none(&missing, "files that are named and do not exist");
}

#[test]
fn tests_that_pages_name_exist() {
    let mut functions = BTreeSet::new();
    for path in files(&root().join("crates"), "rs") {
        for line in read(&path).lines() {
            let name = line.split("fn ").nth(1).unwrap_or_default();
            functions.insert(name.split(['(', '<']).next().unwrap_or_default().to_owned());
        }
    }
    let mut missing = Vec::new();
    for path in ["docs/guarantees.md", "docs/security.md", "ARCHITECTURE.md"].map(|page| root().join(page)) {
        for (number, line) in prose(&read(&path)) {
            for name in quoted(line) {
                let (start, is_cut) = name.strip_suffix('…').map_or((name, false), |start| (start, true));
                let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                if start.matches('_').count() < 3
                    || !start.chars().all(is_word)
                    || start.starts_with("switchback_")
                {
                    continue;
                }
                let found = match is_cut {
                    true => functions.iter().any(|function| function.starts_with(start)),
                    false => functions.contains(start),
                };
                if !found {
                    missing.push(format!("{}:{number}: {name}", shown(&path)));
                }
            }
        }
    }
    none(&missing, "tests that are named and do not exist");
}

#[test]
fn sections_of_the_contract_that_are_cited_exist() {
    let contract = read(&root().join("docs/contract.md"));
    let section = |line: &str| line.strip_prefix("## ")?.split('.').next()?.parse::<u32>().ok();
    let sections: BTreeSet<u32> = contract.lines().filter_map(section).collect();
    let mut missing = Vec::new();
    for path in files(&root().join("crates"), "rs") {
        // One line: a citation may be broken between two.
        let text = read(&path).replace('\n', " ").replace(" /// ", " ").replace(" //! ", " ");
        for rest in text.split("contract").skip(1) {
            let cited = rest.trim_start_matches(|c: char| "'s,( ".contains(c));
            let Some(cited) = cited.strip_prefix("section") else { continue };
            let cited = cited.trim_start_matches('s').split(|c: char| c != ' ' && !c.is_ascii_digit()).next();
            let numbers = cited.unwrap_or_default().split(' ').filter_map(|word| word.parse::<u32>().ok());
            let unknown = numbers.filter(|number| !sections.contains(number));
            missing.extend(unknown.map(|number| format!("{}: section {number}", shown(&path))));
        }
    }
    none(&missing, "sections of docs/contract.md that are cited and do not exist");
}

/// The rows of the table of metrics in docs/operating.md: name and type.
fn documented_metrics() -> BTreeSet<(String, String)> {
    let page = read(&root().join("docs/operating.md"));
    let rows = page.lines().filter(|line| line.starts_with("| `switchback_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let mut cell = || cells.next().unwrap_or_default().trim_matches('`').to_owned();
        (cell(), cell())
    })
    .collect()
}

#[test]
fn every_metric_is_documented_with_its_type() {
    let mut raised = BTreeSet::new();
    for name in crates() {
        for path in files(&root().join("crates").join(name).join("src"), "rs") {
            let text = read(&path);
            for kind in ["counter", "gauge", "histogram"] {
                let call = format!("{kind}!(");
                let names = text.split(&call).skip(1);
                let names = names.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                let names = names.filter(|name| name.starts_with("switchback_"));
                raised.extend(names.map(|name| (name.to_owned(), kind.to_owned())));
            }
        }
    }
    let documented = documented_metrics();
    let difference = raised.symmetric_difference(&documented);
    let told: Vec<String> = difference.map(|(name, kind)| format!("{name} ({kind})")).collect();
    none(&told, "metrics that are either raised or in docs/operating.md, and not both");
}

/// The commands of the command line, as its help lists them.
fn commands() -> BTreeSet<String> {
    let help = read(&root().join("crates/switchback/tests/help.txt"));
    let commands = help.lines().filter_map(|line| line.strip_prefix("$ ")?.strip_suffix(" --help"));
    commands.map(str::to_owned).collect()
}

#[test]
fn commands_that_pages_name_exist() {
    let commands = commands();
    let mut missing = Vec::new();
    for path in pages() {
        for (number, line) in (1..).zip(read(&path).lines()) {
            for rest in line.split("switchback ").skip(1) {
                let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
                let named = line.trim_start().starts_with("switchback ")
                    || line.contains(&format!("`switchback {rest}"));
                let words: Vec<&str> = rest
                    .split([' ', '`', '|'])
                    .take_while(|word| !word.is_empty() && is_word(word))
                    .take(2)
                    .collect();
                let [first, ..] = words.as_slice() else { continue };
                let known = |words: &[&str]| commands.contains(&format!("switchback {}", words.join(" ")));
                let group = commands.iter().any(|name| name.starts_with(&format!("switchback {first} ")));
                if named && !(known(&words) || known(&words[..1]) && !(group && words.len() > 1)) {
                    missing.push(format!("{}:{number}: switchback {}", shown(&path), words.join(" ")));
                }
            }
        }
    }
    none(&missing, "commands that are named and do not exist");
}

#[test]
fn lines_are_short() {
    let mut said = Vec::new();
    for name in crates() {
        let mut long = Vec::new();
        for path in files(&root().join("crates").join(&name), "rs") {
            let text = read(&path);
            let lines = (1..).zip(text.lines()).filter(|(_, line)| line.chars().count() > COLUMNS);
            // Nobody breaks a text for the sake of its columns.
            let lines = lines.filter(|(_, line)| !line.contains('"'));
            long.extend(lines.map(|(number, _)| format!("{}:{number}", shown(&path))));
        }
        let most = LONG_LINES.iter().find(|(of, _)| *of == name).map_or(0, |(_, most)| *most);
        if long.len() != most {
            said.push(format!(
                "{name} has {} of them, LONG_LINES says {most}: {}",
                long.len(),
                long.join(" ")
            ));
        }
    }
    none(&said, "lines of more than 110 columns");
}

#[test]
fn nothing_is_published() {
    let mut open = Vec::new();
    for name in crates() {
        let manifest = read(&root().join("crates").join(&name).join("Cargo.toml"));
        if !manifest.contains("\npublish.workspace = true\n") {
            open.push(name);
        }
    }
    none(&open, "crates without `publish.workspace = true`");
}

/// The functions of a file, as rustfmt writes it: each with its number of lines.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = ["pub ", "pub(crate) ", "pub(super) ", "async ", "const ", "unsafe "];
        let mut rest = code;
        while let Some(next) = words.iter().find_map(|word| rest.strip_prefix(word)) {
            rest = next;
        }
        let Some(name) = rest.strip_prefix("fn ") else { continue };
        let indent = &line[..line.len() - code.len()];
        // A body ends with a brace under its `fn`; a signature without one with a semicolon.
        let ends = |line: &&str| {
            line.strip_prefix(indent)
                .is_some_and(|rest| rest == "}" || rest.starts_with(')') && rest.ends_with(';'))
        };
        if line.ends_with([';', '}']) {
            continue;
        }
        let length = lines[start..].iter().position(ends).map_or(0, |end| end + 1);
        found.push((name.split(['(', '<']).next().unwrap_or_default().to_owned(), length));
    }
    found
}

#[test]
fn functions_are_short() {
    let mut long = BTreeSet::new();
    let mut said = Vec::new();
    for path in files(&root().join("crates"), "rs") {
        for (name, length) in functions(&read(&path)).into_iter().filter(|(_, length)| *length > LINES) {
            let name = format!("{} {name}", shown(&path).trim_start_matches("crates/"));
            if !LONG_FUNCTIONS.contains(&name.as_str()) {
                said.push(format!("{name} has {length} lines"));
            }
            long.insert(name);
        }
    }
    let short = LONG_FUNCTIONS.iter().filter(|name| !long.contains(**name));
    said.extend(short.map(|name| format!("{name} is short now: take it from LONG_FUNCTIONS")));
    none(&said, "functions of more than 70 lines");
}
