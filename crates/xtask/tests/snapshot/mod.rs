//! Snapshots: what a program says now is what a checked-in file has, so that a review sees each change of it.
//! Tests of other crates include this file by its path.

use std::path::Path;

/// Set to write the files anew.
const REWRITE: &str = "REWRITE_SNAPSHOTS";

/// Compares a text with a file of a crate, whose directory is `crate_dir` (`CARGO_MANIFEST_DIR`).
///
/// # Panics
/// With the first line that differs.
pub fn compare(crate_dir: &str, file: &str, now: &str) {
    let path = Path::new(crate_dir).join(file);
    if std::env::var_os(REWRITE).is_some() {
        std::fs::create_dir_all(path.with_file_name("")).expect("a directory");
        std::fs::write(&path, now).expect("it is written");
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    if now == before {
        return;
    }
    let (mut now, mut before) = (now.lines(), before.lines());
    for number in 1.. {
        let (now, before) = (now.next(), before.next());
        let shown = |line: Option<&str>| line.map_or("(the end)".to_owned(), str::to_owned);
        if now != before || now.is_none() {
            let (before, now) = (shown(before), shown(now));
            panic!(
                "line {number} of {file}:\n  was {before}\n  is  {now}\nif it is meant, run the test with {REWRITE}=1"
            );
        }
    }
}
