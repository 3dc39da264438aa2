//! Makes what a call will say ready before anybody is called, within limits: on the sound of a call, on that
//! of all calls, and on the calls that are prepared at the same time.

use super::Line;
use super::audio::{self, RATE};
use super::media::Prompt;
use super::speech::Saying;
use flow::Verb;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a call waits for others that are being prepared.
const TURN_MAX: Duration = Duration::from_secs(10);
/// Sound of a call, seconds, that does not count towards that of all calls: what most calls have always finds
/// room.
const FREE_SECONDS: usize = 30;

/// Why a call is not ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unready {
    /// Others take the room now.
    Busy(&'static str),
    /// It can't be made.
    Never(String),
}

/// Who may prepare a call: few at the same time, and one application never takes all turns.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// Turns of one application.
    each: usize,
    by_application: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; it ends with its value.
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(most: usize) -> Turns {
        let each = most.saturating_sub(1).max(1);
        Turns { all: Arc::new(Semaphore::new(most)), each, by_application: Mutex::default() }
    }

    /// Waits for a turn of an application.
    pub(super) async fn take(&self, application: &str) -> Result<Turn, Unready> {
        let own = self.own(application);
        let turn = async {
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { _all: all, _own: own })
        };
        let turn = tokio::time::timeout(TURN_MAX, turn).await.ok().flatten();
        turn.ok_or(Unready::Busy("other calls are being prepared"))
    }

    fn own(&self, application: &str) -> Arc<Semaphore> {
        let mut known = self.by_application.lock();
        if let Some(own) = known.get(application).and_then(Weak::upgrade) {
            return own;
        }
        known.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.each));
        known.insert(application.to_owned(), Arc::downgrade(&own));
        own
    }
}

/// Where a sound comes from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Source {
    Url(String),
    Speech(Saying),
}

/// The sounds of a call, each once, however often it is played; with the room that they take while the call
/// lasts.
pub(super) struct Sounds {
    by_source: HashMap<Source, Arc<[i16]>>,
    /// Samples of all of them, and the most that there may be.
    samples: usize,
    samples_max: usize,
    /// Seconds of all calls' sound, and those that this call has taken.
    shared: Arc<Semaphore>,
    taken: Vec<OwnedSemaphorePermit>,
}

impl Sounds {
    /// No sounds yet; at most `longest` in all, with room from `shared`, in seconds.
    pub(super) fn new(longest: Duration, shared: Arc<Semaphore>) -> Sounds {
        let samples_max = longest.as_secs() as usize * RATE;
        Sounds { by_source: HashMap::new(), samples: 0, samples_max, shared, taken: Vec::new() }
    }

    /// Samples that may still come.
    fn left(&self) -> usize {
        self.samples_max - self.samples
    }

    fn keep(&mut self, source: Source, sound: Arc<[i16]>) -> Result<(), Unready> {
        let samples = self.samples + sound.len();
        if samples > self.samples_max {
            let seconds = self.samples_max / RATE;
            return Err(Unready::Never(format!("the call has more than {seconds} s of sound (sound_max)")));
        }
        let counted = |samples: usize| samples.div_ceil(RATE).saturating_sub(FREE_SECONDS);
        let more = counted(samples) - counted(self.samples);
        if more > 0 {
            let room = Arc::clone(&self.shared).try_acquire_many_owned(more as u32);
            self.taken.push(room.map_err(|_| Unready::Busy("other calls have much sound"))?);
        }
        self.samples = samples;
        self.by_source.insert(source, sound);
        Ok(())
    }
}

impl Line {
    /// Everything that is to be heard, ready; what is in `sounds` is not made again.
    pub(super) async fn prepare(
        &self,
        application: &str,
        verbs: &[Verb],
        sounds: &mut Sounds,
    ) -> Result<Vec<Prompt>, Unready> {
        let mut turn = None;
        let mut prompts = Vec::with_capacity(verbs.len());
        for verb in verbs {
            let (source, repeat, barge_in) = match verb {
                Verb::Say { language, gender, text, repeat, barge_in } => {
                    let (language, gender, text) = (language.clone(), gender.clone(), text.clone());
                    (Source::Speech(Saying { language, gender, text }), *repeat, *barge_in)
                }
                Verb::Play { url, repeat, barge_in } => (Source::Url(url.clone()), *repeat, *barge_in),
            };
            let sound = match sounds.by_source.get(&source) {
                Some(sound) => Arc::clone(sound),
                None => self.sound(application, source, sounds, &mut turn).await?,
            };
            prompts.push(Prompt { sound, repeat, barge_in });
        }
        Ok(prompts)
    }

    /// A sound that the call does not have yet.
    async fn sound(
        &self,
        application: &str,
        source: Source,
        sounds: &mut Sounds,
        turn: &mut Option<Arc<Turn>>,
    ) -> Result<Arc<[i16]>, Unready> {
        if let Source::Speech(saying) = &source
            && let Some(sound) = self.speech.kept(saying)
        {
            sounds.keep(source, Arc::clone(&sound))?;
            return Ok(sound);
        }
        let turn = match turn {
            Some(turn) => Arc::clone(turn),
            None => Arc::clone(turn.insert(Arc::new(self.turns.take(application).await?))),
        };
        let named = |why: String| match &source {
            Source::Url(url) => Unready::Never(format!("PLAY {url}: {why}")),
            Source::Speech(_) => Unready::Never(format!("SAY: {why}")),
        };
        let file = match &source {
            Source::Url(url) => self.fetch.get(url).await,
            Source::Speech(saying) => self.speech.make(saying).await,
        };
        let (file, left) = (file.map_err(named)?, sounds.left());
        // The turn lasts until the sound is made, also where nobody waits for it any more.
        let decoded = tokio::task::spawn_blocking(move || {
            let sound = audio::decode(file, left);
            drop(turn);
            sound
        });
        let sound = decoded.await.unwrap_or_else(|_| Err("the sound can't be read".into())).map_err(named)?;
        if let Source::Speech(saying) = &source {
            self.speech.keep(saying.clone(), &sound);
        }
        sounds.keep(source, Arc::clone(&sound))?;
        Ok(sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn seconds(seconds: usize) -> Arc<[i16]> {
        vec![0; seconds * RATE].into()
    }

    fn url(name: &str) -> Source {
        Source::Url(name.into())
    }

    #[test]
    fn the_sound_of_a_call_and_of_all_calls_is_bounded() {
        let shared = Arc::new(Semaphore::new(100));
        let call = || Sounds::new(Duration::from_secs(60), Arc::clone(&shared));
        let mut first = call();
        assert_eq!(first.keep(url("a"), seconds(20)), Ok(()));
        assert_eq!(shared.available_permits(), 100, "what most calls have is free");
        assert_eq!(first.keep(url("b"), seconds(40)), Ok(()));
        assert_eq!((first.left(), shared.available_permits()), (0, 70));
        let why = first.keep(url("c"), seconds(1));
        assert!(matches!(&why, Err(Unready::Never(why)) if why.contains("60 s")), "{why:?}");
        let mut others: Vec<Sounds> = (0..3).map(|_| call()).collect();
        let kept: Vec<_> = others.iter_mut().map(|sounds| sounds.keep(url("a"), seconds(60))).collect();
        assert_eq!(kept, [Ok(()), Ok(()), Err(Unready::Busy("other calls have much sound"))]);
        assert_eq!(others[2].keep(url("a"), seconds(30)), Ok(()), "a usual call still finds room");
        drop((first, others));
        assert_eq!(shared.available_permits(), 100);
    }

    #[tokio::test]
    async fn one_application_never_takes_all_turns() {
        let turns = Turns::new(3);
        let now = |application| turns.take(application).now_or_never().map(Result::unwrap);
        let (_one, _two) = (now("a").unwrap(), now("a").unwrap());
        assert!(now("a").is_none(), "it waits for its own");
        let other = now("b").unwrap();
        assert!(now("c").is_none(), "there are three in all");
        drop(other);
        assert!(now("c").is_some());
        assert!(turns.by_application.lock().len() <= 3, "who has gone is forgotten");
    }
}
