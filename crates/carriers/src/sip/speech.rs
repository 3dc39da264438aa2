//! Speech from texts, by a program or over HTTP; what was made is kept.

use super::audio;
use super::config::SpeechConfig;
use lru::LruCache;
use parking_lot::Mutex;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Sounds that are kept.
const KEPT_MAX: std::num::NonZeroUsize = std::num::NonZeroUsize::new(1000).unwrap();
/// The longest of them, samples: a minute.
const KEPT_SAMPLES_MAX: usize = 60 * audio::RATE;

/// What is said, and how.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Saying {
    pub(super) language: String,
    pub(super) gender: String,
    pub(super) text: String,
}

/// Makes speech.
pub(super) struct Speech {
    config: SpeechConfig,
    client: reqwest::Client,
    kept: Mutex<LruCache<Saying, Arc<[i16]>>>,
}

impl Speech {
    pub(super) fn new(config: SpeechConfig) -> Result<Speech, String> {
        let client = reqwest::Client::builder().timeout(config.timeout).build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Speech { config, client, kept: Mutex::new(LruCache::new(KEPT_MAX)) })
    }

    /// The sound of a text.
    pub(super) async fn say(&self, saying: Saying) -> Result<Arc<[i16]>, String> {
        if let Some(known) = self.kept.lock().get(&saying) {
            return Ok(Arc::clone(known));
        }
        let made = match &self.config.url {
            Some(url) => self.ask(url, &saying).await?,
            None => tokio::time::timeout(self.config.timeout, self.run(&saying))
                .await
                .map_err(|_| "the speech engine takes too long")??,
        };
        let sound = audio::decode(made)?;
        if sound.len() <= KEPT_SAMPLES_MAX {
            self.kept.lock().put(saying, Arc::clone(&sound));
        }
        Ok(sound)
    }

    /// What the engine calls the voice: the configured name, else one that espeak-ng knows.
    fn voice(&self, saying: &Saying) -> String {
        let Saying { language, gender, .. } = saying;
        let primary = language.split('-').next().unwrap_or_default();
        let names =
            [format!("{language} {gender}"), format!("{primary} {gender}"), language.clone(), primary.into()];
        let known = names.iter().find_map(|name| self.config.voices.get(name));
        let variant = if gender.eq_ignore_ascii_case("male") { "m3" } else { "f3" };
        known.cloned().unwrap_or_else(|| format!("{}+{variant}", language.to_ascii_lowercase()))
    }

    async fn run(&self, saying: &Saying) -> Result<Vec<u8>, String> {
        let voice = self.voice(saying);
        let mut words = self
            .config
            .command
            .iter()
            .map(|word| word.replace("{voice}", &voice).replace("{language}", &saying.language));
        let program = words.next().ok_or("no speech engine is configured")?;
        let at = |error: std::io::Error| format!("{program}: {error}");
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(at)?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(saying.text.as_bytes()).await.map_err(at)?;
        }
        let output = child.wait_with_output().await.map_err(at)?;
        if !output.status.success() {
            return Err(format!("{program} failed: {}", output.status));
        }
        Ok(output.stdout)
    }

    async fn ask(&self, url: &str, saying: &Saying) -> Result<Vec<u8>, String> {
        let voice = self.voice(saying);
        let query = [("language", &saying.language), ("gender", &saying.gender), ("voice", &voice)];
        let query = serde_urlencoded::to_string(query).map_err(|error| error.to_string())?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let request = self.client.post(format!("{url}{separator}{query}")).body(saying.text.clone());
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| format!("the speech engine: {error}"))?;
        Ok(answer.bytes().await.map_err(|error| format!("the speech engine: {error}"))?.to_vec())
    }
}
