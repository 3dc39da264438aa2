//! Speech from texts, by a program or over HTTP; recent speech is kept.

use super::audio::RATE;
use super::config::SpeechConfig;
use crate::body::{self, BodyError, FILE_MAX, TooLarge};
use crate::outbound;
use lru::LruCache;
use parking_lot::Mutex;
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// Octets of all sounds that are kept, with their texts: about a quarter of an hour.
const KEPT_MAX: usize = 16 * 1024 * 1024;
/// The longest sound that is kept, samples: a minute.
const KEPT_SAMPLES_MAX: usize = 60 * RATE;

/// Why there is no speech.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// Neither a program nor a URL is configured.
    #[error("no speech engine is configured")]
    None,
    /// It took longer than `timeout`.
    #[error("the speech engine takes too long")]
    TooSlow,
    /// The program can't be run, or its input or output failed.
    #[error("{program}: {source}")]
    Program {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program writes more than a sound file may have.
    #[error("{program}: its sound is {source}")]
    TooLarge {
        /// The program.
        program: String,
        /// The limit.
        source: TooLarge,
    },
    /// The program ended with an error.
    #[error("{program} failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The query for the engine's URL can't be written.
    #[error(transparent)]
    Query(#[from] serde_urlencoded::ser::Error),
    /// The engine's URL gave no answer, or one with another status than 2xx.
    #[error("the speech engine: {0}")]
    Request(#[from] reqwest::Error),
    /// The body of the answer could not be read.
    #[error("the speech engine: {0}")]
    Body(#[from] BodyError),
}

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
    kept: Mutex<Kept>,
}

/// The most recently used sounds.
struct Kept {
    sounds: LruCache<Saying, Arc<[i16]>>,
    /// Octets of all of them, and the most that there may be.
    octets: usize,
    octets_max: usize,
}

impl Kept {
    fn new(octets_max: usize) -> Kept {
        Kept { sounds: LruCache::unbounded(), octets: 0, octets_max }
    }

    fn put(&mut self, saying: Saying, sound: &Arc<[i16]>) {
        let weight = |saying: &Saying, sound: &Arc<[i16]>| {
            size_of::<Saying>()
                + saying.language.len()
                + saying.gender.len()
                + saying.text.len()
                + size_of_val::<[i16]>(sound)
        };
        self.octets += weight(&saying, sound);
        if let Some((saying, sound)) = self.sounds.push(saying, Arc::clone(sound)) {
            self.octets -= weight(&saying, &sound);
        }
        while self.octets > self.octets_max
            && let Some((saying, sound)) = self.sounds.pop_lru()
        {
            self.octets -= weight(&saying, &sound);
        }
    }
}

impl Speech {
    pub(super) fn new(config: SpeechConfig) -> Result<Speech, reqwest::Error> {
        let client =
            outbound::client(config.timeout).redirect(reqwest::redirect::Policy::default()).build()?;
        Ok(Speech { config, client, kept: Mutex::new(Kept::new(KEPT_MAX)) })
    }

    /// The sound of a text, if it is kept.
    pub(super) fn kept(&self, saying: &Saying) -> Option<Arc<[i16]>> {
        self.kept.lock().sounds.get(saying).cloned()
    }

    /// Keeps the sound of a text.
    pub(super) fn keep(&self, saying: Saying, sound: &Arc<[i16]>) {
        if sound.len() <= KEPT_SAMPLES_MAX {
            self.kept.lock().put(saying, sound);
        }
    }

    /// A sound file of a text.
    pub(super) async fn make(&self, saying: &Saying) -> Result<Vec<u8>, SpeechError> {
        match &self.config.url {
            Some(url) => self.ask(url, saying).await,
            None => tokio::time::timeout(self.config.timeout, self.run(saying))
                .await
                .map_err(|_| SpeechError::TooSlow)?,
        }
    }

    /// The engine's name of the voice: the configured one, else one that espeak-ng knows.
    fn voice(&self, saying: &Saying) -> String {
        let Saying { language, gender, .. } = saying;
        let primary = language.split('-').next().unwrap_or_default();
        let names =
            [format!("{language} {gender}"), format!("{primary} {gender}"), language.clone(), primary.into()];
        let known = names.iter().find_map(|name| self.config.voices.get(name));
        let variant = if gender.eq_ignore_ascii_case("male") { "m3" } else { "f3" };
        known.cloned().unwrap_or_else(|| format!("{}+{variant}", language.to_ascii_lowercase()))
    }

    async fn run(&self, saying: &Saying) -> Result<Vec<u8>, SpeechError> {
        let voice = self.voice(saying);
        let mut words = self
            .config
            .command
            .iter()
            .map(|word| word.replace("{voice}", &voice).replace("{language}", &saying.language));
        let program = words.next().ok_or(SpeechError::None)?;
        let at = |source| SpeechError::Program { program: program.clone(), source };
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(at)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        // It may write before it has read everything.
        let (written, read) = tokio::join!(write_text(input, &saying.text), read_sound(output));
        written.map_err(at)?;
        let too_large = || SpeechError::TooLarge { program: program.clone(), source: TooLarge(FILE_MAX) };
        let sound = read.map_err(at)?.ok_or_else(too_large)?;
        let status = child.wait().await.map_err(at)?;
        if !status.success() {
            return Err(SpeechError::Failed { program, status });
        }
        Ok(sound)
    }

    async fn ask(&self, url: &str, saying: &Saying) -> Result<Vec<u8>, SpeechError> {
        let voice = self.voice(saying);
        let query = [("language", &saying.language), ("gender", &saying.gender), ("voice", &voice)];
        let query = serde_urlencoded::to_string(query)?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let request = self.client.post(format!("{url}{separator}{query}")).body(saying.text.clone());
        let answer = request.send().await?.error_for_status()?;
        Ok(body::read(answer, FILE_MAX).await?)
    }
}

/// Writes a text to a program. One that does not read all of it may have succeeded: its exit status decides.
async fn write_text(input: Option<ChildStdin>, text: &str) -> std::io::Result<()> {
    let Some(mut input) = input else { return Ok(()) };
    let written = async {
        input.write_all(text.as_bytes()).await?;
        input.shutdown().await
    };
    match written.await {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// What a program writes; `None` if that is more than a sound file may have.
async fn read_sound(output: Option<ChildStdout>) -> std::io::Result<Option<Vec<u8>>> {
    let mut sound = Vec::new();
    if let Some(output) = output {
        output.take(FILE_MAX as u64 + 1).read_to_end(&mut sound).await?;
    }
    Ok((sound.len() <= FILE_MAX).then_some(sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(command: &[&str]) -> Speech {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Speech::new(SpeechConfig { command, ..SpeechConfig::default() }).unwrap()
    }

    fn saying(text: &str) -> Saying {
        Saying { language: "en-US".into(), gender: "female".into(), text: text.into() }
    }

    #[tokio::test]
    async fn a_command_that_does_not_read_its_input_may_speak_all_the_same() {
        // More than a pipe holds, so that some of it is written after the program has gone.
        let long = saying(&"a".repeat(1 << 20));
        let silent = speech(&["sh", "-c", "exec <&-; printf sound"]);
        assert_eq!(silent.make(&long).await.unwrap(), b"sound");
        let echo = speech(&["cat"]);
        assert_eq!(echo.make(&long).await.unwrap().len(), 1 << 20);
        // How it ends still counts.
        let failing = speech(&["sh", "-c", "exec <&-; printf sound; exit 3"]);
        assert!(failing.make(&long).await.is_err_and(|why| why.to_string().contains("exit status: 3")));
    }

    #[tokio::test]
    async fn a_command_that_writes_for_ever_is_ended() {
        let endless = speech(&["cat", "/dev/zero"]);
        let why = endless.make(&saying("x")).await.unwrap_err().to_string();
        assert!(why.contains("20 MiB"), "{why}");
    }

    #[test]
    fn what_is_kept_is_weighed() {
        let mut kept = Kept::new(100_000);
        let sound: Arc<[i16]> = vec![0; 10_000].into();
        for i in 0..50 {
            kept.put(saying(&i.to_string()), &sound);
            kept.put(saying(&i.to_string()), &sound);
            assert!(kept.octets <= 100_000);
        }
        assert_eq!(kept.sounds.len(), 4);
        assert!(kept.sounds.contains(&saying("49")));
        kept.put(saying(&"x".repeat(200_000)), &sound);
        assert_eq!((kept.sounds.len(), kept.octets), (0, 0));
    }
}
