//! No file of a crate stands in a circle of `use` paths: whoever reads a file can read what it stands on
//! first.
//!
//! It reads `use` items and inline paths, without `#[cfg(test)]`. A parent that only declares or re-exports
//! its children does not depend on them; a child that uses an item of its parent's file depends on the
//! parent. It does not see methods that are called on values, nor paths that macros put together.

mod source;

use source::{Crate, Module};
use std::collections::{BTreeMap, BTreeSet};

/// Crates whose circles are not untied yet. It only shrinks.
const NOT_YET: [&str; 0] = [];

/// What one file uses of others: the file to the names.
type Uses = BTreeMap<Module, BTreeSet<String>>;

#[test]
fn no_file_stands_in_a_circle() {
    let mut said = String::new();
    for name in source::crates() {
        let circles = circles(&Crate::read(&name));
        match (circles.is_empty(), NOT_YET.contains(&name.as_str())) {
            (true, true) => said += &format!("{name} has no circle: take it from NOT_YET\n"),
            (false, false) => said += &circles,
            _ => {}
        }
    }
    assert!(said.is_empty(), "\n{said}");
}

/// The circles of a crate for people: a line for each pair of files in one, with the names that tie it.
fn circles(of: &Crate) -> String {
    let graph: BTreeMap<&Module, Uses> = of.modules().map(|module| (module, uses(of, module))).collect();
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        graph.keys().map(|module| (*module, reachable(&graph, module))).collect();
    let tied = |from: &Module, to: &Module| reached[to].contains(from);
    let mut said = String::new();
    for (from, uses) in &graph {
        for (to, names) in uses.iter().filter(|(to, _)| tied(from, to)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            said += &format!("{}: {} uses {} of {}\n", of.name, of.file(from), names.join(", "), of.file(to));
        }
    }
    said
}

fn reachable(graph: &BTreeMap<&Module, Uses>, from: &Module) -> BTreeSet<Module> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = waiting.pop() {
        for to in graph[&module].keys() {
            if reached.insert(to.clone()) {
                waiting.push(to.clone());
            }
        }
    }
    reached
}

/// Which items of other files a file uses.
fn uses(of: &Crate, module: &Module) -> Uses {
    let file = of.get(module);
    let mut uses = Uses::new();
    // A name that is re-exported and not used in the file itself is not a use.
    let is_used = |alias: &str| file.idents.contains(alias);
    let imports = file.imports.iter().filter(|import| !import.is_public || is_used(&import.alias));
    for path in imports.map(|import| &import.path).chain(&file.paths) {
        if let Some((to, Some(item))) = of.resolve(module, path, 0).filter(|(to, _)| to != module) {
            uses.entry(to).or_default().insert(item);
        }
    }
    uses
}

#[test]
fn a_circle_is_found_and_a_re_export_is_none() {
    let of = |files: &[(&str, &str)]| circles(&Crate::of("sample", files));
    let parent = "mod a; mod b; pub use a::A; pub struct P;";
    assert_eq!(of(&[("", parent), ("a", "use crate::b::B; pub struct A;"), ("b", "pub struct B;")]), "");
    let told = of(&[("", parent), ("a", "pub struct A(super::b::B);"), ("b", "use crate::A; pub struct B;")]);
    assert_eq!(told, "sample: a.rs uses B of b.rs\nsample: b.rs uses A of a.rs\n");
    let told = of(&[("", "mod a; use a::A; pub struct P(A);"), ("a", "use super::P; pub struct A;")]);
    assert_eq!(told, "sample: lib.rs uses A of a.rs\nsample: a.rs uses P of lib.rs\n");
    let told = of(&[("", "mod a; pub struct P; fn f() { a::g() }"), ("a", "pub fn g() { vec![crate::P]; }")]);
    assert_eq!(told, "sample: lib.rs uses g of a.rs\nsample: a.rs uses P of lib.rs\n");
    let tests = "pub fn g() {} #[cfg(test)] mod tests { use crate::P; }";
    assert_eq!(of(&[("", "mod a; pub struct P; fn f() { a::g() }"), ("a", tests)]), "");
}
