//! What a configuration finds where it is: files, programs, addresses. A start and `switchback config check`
//! look by the same function, so that they can't differ.

use super::certificate;
use super::sections::{Config, read_key};
use carriers::{Http, SipConfig};
use engine::config::KindConfig;
use rustix::fs::{Access, access};
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is wrong around a configuration, a line each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// What keeps a server from starting.
    pub refused: Vec<String>,
    /// What a server starts with, and fails later for certain.
    pub failing: Vec<String>,
    /// What can be used, and is unwise.
    pub unwise: Vec<String>,
}

/// Looks around, and tells where the keys are.
struct Survey<'a> {
    config: &'a Config,
    found: Surroundings,
}

impl Config {
    /// Looks whether everything is there that the configuration names. Nothing is made, nobody is called; an
    /// address that is in use is none of it, since a server may run.
    pub fn survey(&self) -> Surroundings {
        let mut survey = Survey { config: self, found: Surroundings::default() };
        survey.look_at_server();
        survey.look_at_store();
        survey.look_at_rates();
        for carrier in &self.carriers {
            let at = carrier.key();
            match &carrier.kind {
                KindConfig::Sandbox(_) => {}
                KindConfig::Smpp(smpp) => {
                    if let Err(error) = smpp.check_files() {
                        let text = error.to_string();
                        let (key, rule) = self.origin.split(&at, &text);
                        survey.refuse(&key, rule);
                    }
                    survey.look_at_host(&at, &smpp.host, Some(smpp.port));
                }
                KindConfig::Sip(sip) => survey.look_at_sip(&at, sip),
                KindConfig::Http(http) => {
                    let url = self.receipts_url(&carrier.common.name);
                    match Http::new(&http.1, &http.0, url.as_deref()) {
                        Ok(made) => survey.warn(&at, made.warning()),
                        Err(error) => {
                            let text = error.to_string();
                            let (key, rule) = self.origin.split(&at, &text);
                            survey.refuse(&key, rule);
                        }
                    }
                }
            }
        }
        survey.found
    }
}

impl Survey<'_> {
    fn refuse(&mut self, key: &str, rule: &str) {
        self.found.refused.push(self.config.origin.tell(key, rule));
    }

    /// Refuses a key if something around it can't be used.
    fn look<T, E: Display>(&mut self, key: &str, looked: Result<T, E>) {
        if let Err(error) = looked {
            self.refuse(key, &error.to_string());
        }
    }

    fn fail(&mut self, holds: bool, key: &str, rule: &str) {
        if !holds {
            self.found.failing.push(self.config.origin.tell(key, rule));
        }
    }

    fn warn(&mut self, key: &str, warning: Option<&str>) {
        let origin = &self.config.origin;
        self.found.unwise.extend(warning.map(|warning| {
            let (key, warning) = origin.split(key, warning);
            origin.tell(&key, warning)
        }));
    }

    fn look_at_host(&mut self, at: &str, host: &str, port: Option<u16>) {
        self.fail(is_host(host), &format!("{at}.host"), "must be a host name or an address");
        self.fail(port != Some(0), &format!("{at}.port"), "must be 1 to 65535");
    }

    fn look_at_server(&mut self) {
        let config = self.config;
        let listened = listens(TcpListener::bind(config.server.listen), config.server.listen);
        self.look("server.listen", listened);
        for (key, rule) in config.server.tls.iter().filter_map(|tls| certificate::read(tls).err()).flatten() {
            self.refuse(key, &rule);
        }
        for (key, url) in [
            ("server.public_url", &config.server.public_url),
            ("shortener.base_url", &config.shortener.base_url),
        ] {
            let leads = url.as_ref().is_none_or(|url| reqwest::Url::parse(url).is_ok());
            self.fail(leads, key, "must be an http or https URL with a host");
        }
    }

    fn look_at_store(&mut self) {
        self.look("store.path", can_hold_data(&self.config.store.path));
        for (key, secret) in self.config.store.named_keys() {
            self.look(&key, read_key(secret));
        }
    }

    fn look_at_rates(&mut self) {
        let rates = match self.config.pricing.rates_of_file() {
            Ok(rates) => rates,
            Err(error) => {
                return error.into_iter().for_each(|line| self.refuse("pricing.rates", &line));
            }
        };
        for name in rates.carriers() {
            if !self.config.carriers.iter().any(|carrier| carrier.common.name == name) {
                let text = format!("some rows are for a carrier {name}, and there is none");
                self.warn("pricing.rates", Some(&text));
            }
        }
    }

    fn look_at_sip(&mut self, at: &str, sip: &SipConfig) {
        for (key, bind) in [("bind", Some(sip.bind)), ("direct_bind", sip.direct_bind)] {
            if let Some(bind) = bind {
                self.look(&format!("{at}.{key}"), listens(UdpSocket::bind(bind), bind));
            }
        }
        for (i, trunk) in sip.trunk.iter().enumerate() {
            let at = format!("{at}.trunk[{i}]");
            let read = trunk.password.as_ref().map_or(Ok(()), |password| password.read().map(drop));
            self.look(&format!("{at}.password"), read);
            self.look(&format!("{at}.tls_ca"), trunk.look_at_files());
            self.look_at_host(&at, &trunk.host, trunk.port);
        }
        if let Some(url) = &sip.speech.url {
            let url = reqwest::Url::parse(url);
            let leads = url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            return self.fail(leads, &format!("{at}.speech.url"), "must be an http or https URL");
        }
        let (command, key) = (&sip.speech.command, format!("{at}.speech.command"));
        let Some(program) = command.first().filter(|program| !is_program(program)) else { return };
        let text = format!("there is no program {program}: texts can't be said");
        // Who names none may have no text to say.
        if *command == SipConfig::speech_command() {
            self.warn(&key, Some(&text))
        } else {
            self.fail(false, &key, &text)
        }
    }
}

/// This machine can't listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {source}")]
struct NotOurs {
    address: SocketAddr,
    source: std::io::Error,
}

/// Whether an address is ours to listen on. In use it may be by a server that runs; who starts another one is
/// told.
fn listens<T>(bound: std::io::Result<T>, address: SocketAddr) -> Result<(), NotOurs> {
    match bound {
        Err(source) if source.kind() != ErrorKind::AddrInUse => Err(NotOurs { address, source }),
        _ => Ok(()),
    }
}

/// Whether it may be the name or the address of a host.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-_.:[]%".contains(c))
}

/// Whether there is such a program: a file, or a name in `PATH`.
fn is_program(program: &str) -> bool {
    let is_executable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return is_executable(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty()
        && std::env::split_paths(&path).any(|directory| is_executable(&directory.join(program)))
}

/// Why data can't be in a directory.
#[derive(Debug, thiserror::Error)]
enum DataError {
    /// There is something else.
    #[error("{}: is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// This user lacks rights on it, or on the directory in which it would be made.
    #[error("{}: must be a directory that this user may read and write", .0.display())]
    NoRights(PathBuf),
    /// The system does not say what is there.
    #[error("{}: {source}", .directory.display())]
    Unknown { directory: PathBuf, source: std::io::Error },
}

/// Whether a directory is there for data, or can be made.
fn can_hold_data(path: &Path) -> Result<(), DataError> {
    // A relative path of one name is in the current directory.
    let around = path.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    for directory in around {
        match std::fs::metadata(directory) {
            Ok(file) if !file.is_dir() => return Err(DataError::NoDirectory(directory.into())),
            Ok(_) if access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() => {
                return Err(DataError::NoRights(directory.into()));
            }
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(source) => return Err(DataError::Unknown { directory: directory.into(), source }),
        }
    }
    Ok(())
}
