//! Installs the peers that the tests run against, into the ignored folder `.peers`.

use crate::{root, run, works};
use anyhow::bail;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the peers are.
pub fn folder() -> PathBuf {
    root().join(".peers")
}

/// Installs what is missing.
pub fn install() -> anyhow::Result<()> {
    programs()?;
    node("node", "crates/server/tests/peers/package.json")?;
    python("python", "crates/server/tests/peers/requirements.txt")?;
    python("jasmin", "crates/server/tests/peers/jasmin.txt").map(drop)
}

/// A folder with the npm packages of a list; installs what is missing.
pub fn node(name: &str, list: &str) -> anyhow::Result<PathBuf> {
    let (modules, list) = (folder().join(name), root().join(list));
    std::fs::create_dir_all(&modules)?;
    install_list(&list, &modules.join("installed.json"), || {
        std::fs::copy(&list, modules.join("package.json"))?;
        run("npm", &["install", "--no-audit", "--no-fund", "--prefix", &modules.to_string_lossy()])
    })?;
    Ok(modules)
}

/// The programs of a Python environment with the packages of a list; installs what is missing.
pub fn python(name: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    let (environment, requirements) = (folder().join(name), root().join(requirements));
    std::fs::create_dir_all(folder())?;
    install_list(&requirements, &folder().join(format!("{name}.txt")), || {
        run("python3", &["-m", "venv", "--clear", &environment.to_string_lossy()])?;
        run(environment.join("bin/pip"), &["install", "--quiet", "-r", &requirements.to_string_lossy()])
    })?;
    Ok(environment.join("bin"))
}

/// Installs a list unless `installed` is a copy of it; makes it one afterwards.
fn install_list(
    list: &Path,
    installed: &Path,
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let wanted = std::fs::read(list)?;
    if std::fs::read(installed).is_ok_and(|known| known == wanted) {
        return Ok(());
    }
    install()?;
    Ok(std::fs::write(installed, wanted)?)
}

/// Node.js, npm, Python with venv and the programs below, from Debian where they are missing.
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
    for (program, package) in [
        ("chromium", "chromium"),
        ("curl", "curl"),
        ("sipp", "sip-tester"),
        ("baresip", "baresip-core"),
        ("espeak-ng", "espeak-ng"),
        ("redis-server", "redis-server"),
        ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
        ("/usr/lib/kannel/test/drive_smpp", "kannel-extras"),
    ] {
        if !works("sh", &["-c", &format!("command -v {program}")]) {
            packages.push(package);
        }
    }
    if !works("sh", &["-c", "command -v kamailio && ls /usr/lib/*/kamailio/modules/tls.so"]) {
        packages.extend(["kamailio", "kamailio-tls-modules"]);
    }
    if packages.is_empty() { Ok(()) } else { install_packages(&packages) }
}

/// Installs Debian packages, without starting the services that some of them bring.
pub fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    if !works("sh", &["-c", "command -v apt-get && test $(id -u) = 0"]) {
        bail!("this needs {}: install them, or run as root on Debian", packages.join(", "));
    }
    run("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    // What Debian's packages ask before they start a service.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    if policy.exists() {
        return run("apt-get", &arguments);
    }
    std::fs::write(policy, "#!/bin/sh\nexit 101\n")?;
    std::fs::set_permissions(policy, std::fs::Permissions::from_mode(0o755))?;
    let installed = run("apt-get", &arguments);
    std::fs::remove_file(policy)?;
    installed
}
