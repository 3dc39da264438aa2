//! What a relative path in a configuration is relative to: the directory of its file, in all keys, also where
//! the environment sets them.

use super::origin::Origin;
use super::sections::{Config, TlsConfig};
use engine::config::KindConfig;
use std::path::{Path, PathBuf};

/// Finds what relative paths mean.
pub(super) struct Paths<'a> {
    directory: &'a Path,
    origin: &'a Origin,
    warnings: Vec<String>,
}

impl<'a> Paths<'a> {
    /// Paths are relative to `directory`.
    pub(super) fn new(directory: &'a Path, origin: &'a Origin) -> Paths<'a> {
        Paths { directory, origin, warnings: Vec::new() }
    }

    /// Makes every path of a configuration one that holds in the current directory; answers with what was
    /// taken from another place than it should be. Providers' files are read already. `names_data`: whether
    /// `store.path` is written; where it is not, the data are in the current directory, as without any
    /// configuration.
    pub(super) fn resolve(mut self, config: &mut Config, names_data: bool) -> Vec<String> {
        // It was never relative to anything else.
        config.pricing.rates = config.pricing.rates.take().map(|path| self.directory.join(path));
        if names_data && !config.store.path.as_os_str().is_empty() {
            let written = config.store.path.clone();
            self.place("store.path", &mut config.store.path);
            self.note_other_data(&written, &config.store.path);
        }
        if let Some(TlsConfig { cert, key }) = &mut config.server.tls {
            self.place("server.tls.cert", cert);
            self.place("server.tls.key", key);
        }
        if let Some(path) = config.store.encryption_key.as_mut().and_then(|key| key.file_mut()) {
            self.place("store.encryption_key", path);
        }
        for (i, key) in config.store.old_encryption_keys.iter_mut().enumerate() {
            if let Some(path) = key.file_mut() {
                self.place(&format!("store.old_encryption_keys[{i}]"), path);
            }
        }
        for carrier in &mut config.carriers {
            self.resolve_carrier(&format!("carrier[{}]", carrier.position), &mut carrier.kind);
        }
        self.warnings
    }

    fn resolve_carrier(&mut self, at: &str, kind: &mut KindConfig) {
        match kind {
            KindConfig::Sandbox(_) => {}
            KindConfig::Smpp(smpp) => {
                if let Some(path) = &mut smpp.tls_ca {
                    self.place(&format!("{at}.tls_ca"), path);
                }
                for (key, path) in smpp.secret_files() {
                    self.place(&format!("{at}.{key}"), path);
                }
            }
            KindConfig::Http(http) => {
                for (name, setting) in &mut http.0.settings {
                    if let Some(path) = setting.file_mut() {
                        self.place(&format!("{at}.settings.{name}"), path);
                    }
                }
            }
            KindConfig::Sip(sip) => {
                for (i, trunk) in sip.trunk.iter_mut().enumerate() {
                    if let Some(path) = trunk.password.as_mut().and_then(|password| password.file_mut()) {
                        self.place(&format!("{at}.trunk[{i}].password"), path);
                    }
                    if let Some(path) = &mut trunk.tls_ca {
                        self.place(&format!("{at}.trunk[{i}].tls_ca"), path);
                    }
                }
                // A name without a slash is looked for in PATH.
                if let Some(program) = sip.speech.command.first_mut().filter(|program| program.contains('/'))
                {
                    let mut path = PathBuf::from(&*program);
                    self.place(&format!("{at}.speech.command"), &mut path);
                    *program = path.to_string_lossy().into_owned();
                }
            }
        }
    }

    /// Tells of data of before in the current directory that are not taken, since there are some beside the
    /// file as well.
    fn note_other_data(&mut self, written: &Path, taken: &Path) {
        let database = |directory: &Path| crate::database(directory).canonicalize().ok();
        if database(written).is_some_and(|other| database(taken) != Some(other)) {
            let (taken, other) = (taken.display(), written.display());
            let text =
                format!("{taken} is taken; there are data in {other} of the current directory as well");
            self.warnings.push(self.origin.tell("store.path", &text));
        }
    }

    /// Places a path that was relative to the current directory before.
    fn place(&mut self, key: &str, path: &mut PathBuf) {
        let beside = self.directory.join(&*path);
        if beside.exists() || !path.exists() {
            *path = beside;
            return;
        }
        let text = format!(
            "{} is taken from the current directory, as before; it should be relative to the configuration: {}",
            path.display(),
            beside.display()
        );
        self.warnings.push(self.origin.tell(key, &text));
    }
}
