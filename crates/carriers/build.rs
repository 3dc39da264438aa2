//! Lists the presets, so that a file in `presets/` is all that a new one takes.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=presets");
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("presets");
    let files = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let mut presets: Vec<_> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?, path)))
        .collect();
    presets.sort_unstable();
    let mut list = String::new();
    for (name, path) in presets {
        writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    let code = format!(
        "/// The presets by name, each with its file.\n\
         pub(super) const ALL: &[(&str, &str)] = &[\n{list}];\n"
    );
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("presets.rs"), code)
}
