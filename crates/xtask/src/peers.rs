//! Installs the peers that the tests run against, into the ignored folder `.peers`.

use crate::{root, run, works};
use anyhow::bail;
use std::path::{Path, PathBuf};

/// Where the peers are.
pub fn folder() -> PathBuf {
    root().join(".peers")
}

/// Installs what is missing.
pub fn install() -> anyhow::Result<()> {
    programs()?;
    let lists = root().join("crates/server/tests/peers");
    let node = folder().join("node");
    std::fs::create_dir_all(&node)?;
    if renew(&lists.join("package.json"), &node.join("package.json"))?
        || !node.join("node_modules/smpp").exists()
    {
        run("npm", &["install", "--no-audit", "--no-fund", "--prefix", &node.to_string_lossy()])?;
    }
    let python = folder().join("python");
    let pip = python.join("bin/pip");
    if !pip.exists() {
        run("python3", &["-m", "venv", &python.to_string_lossy()])?;
    }
    let list = lists.join("requirements.txt");
    let installed = folder().join("requirements.txt");
    if renew(&list, &installed)? || !python.join("bin/schemathesis").exists() {
        if let Err(error) = run(&pip, &["install", "--quiet", "-r", &list.to_string_lossy()]) {
            // Half an installation must not look like a whole one next time.
            std::fs::remove_file(&installed)?;
            return Err(error);
        }
    }
    Ok(())
}

/// Node.js, npm and Python with venv, from Debian where they are missing.
fn programs() -> anyhow::Result<()> {
    let mut packages = Vec::new();
    if !works("node", &["--version"]) {
        packages.push("nodejs");
    }
    if !works("npm", &["--version"]) {
        packages.push("npm");
    }
    if !works("python3", &["-c", "import venv, ensurepip"]) {
        packages.extend(["python3", "python3-venv"]);
    }
    if packages.is_empty() {
        return Ok(());
    }
    if !works("sh", &["-c", "command -v apt-get && test $(id -u) = 0"]) {
        bail!("the tests need {}: install them, or run as root on Debian", packages.join(", "));
    }
    run("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    run("apt-get", &arguments)
}

/// Copies a list where it differs from the one that was installed; answers whether it did.
fn renew(list: &Path, installed: &Path) -> anyhow::Result<bool> {
    let wanted = std::fs::read(list)?;
    if std::fs::read(installed).is_ok_and(|known| known == wanted) {
        return Ok(false);
    }
    std::fs::write(installed, wanted)?;
    Ok(true)
}
