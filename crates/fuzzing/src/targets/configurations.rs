//! Configurations and providers' files, and what an operator may fill in as settings: read, or refused with
//! an error of one line, or for a configuration of one line for each mistake.

use carriers::{Http, HttpConfig, Provider, config::Secret};
use server::config::Config;
use std::path::Path;
use std::time::Duration;

fn check(error: &str) {
    assert!(!error.is_empty() && error.lines().count() <= 1, "{error:?}");
}

fn check_each(errors: &str) {
    assert!(!errors.is_empty());
    errors.split('\n').for_each(check);
}

/// Sets a provider up, each of its settings as filled in.
fn set_up(provider: &Provider, filled: &str) {
    let config = HttpConfig {
        provider: String::new(),
        settings: provider
            .settings
            .keys()
            .map(|name| (name.clone(), Secret::Text(filled.to_owned())))
            .collect(),
        base_url: Some("http://localhost".into()),
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
    };
    if let Ok(http) = Http::new(provider, &config, Some("https://a.example/r")) {
        let _ = http.warning();
    }
}

pub(crate) fn feed(data: &[u8]) {
    // Somebody may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some((which, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    // Files that a configuration names are read: those of the system may never end.
    if text.contains("/dev") || text.contains("/proc") || text.contains("/sys") {
        return;
    }
    match which % 4 {
        0 => {
            let at = usize::from(*which) / 4 % Provider::presets().count();
            let preset = Provider::presets().nth(at).and_then(Provider::preset).expect("it is one");
            set_up(&preset, &text);
        }
        1 => match Provider::parse(&text) {
            Ok(provider) => set_up(&provider, "0123456789abcdef"),
            Err(error) => check(&error.to_string()),
        },
        2 => {
            let variable = ("SWITCHBACK__STORE__ENCRYPTION_KEY".to_owned(), text.into_owned());
            let _ = Config::parse("", Path::new("/nonexistent"), [variable])
                .map_err(|error| check_each(&error.to_string()));
        }
        _ => {
            let _ = Config::parse(&text, Path::new("/nonexistent"), [])
                .map_err(|error| check_each(&error.to_string()));
        }
    }
}
