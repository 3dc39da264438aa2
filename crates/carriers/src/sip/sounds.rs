//! The sounds of a call, within the limits on the sound of one call and of all.

use super::audio::RATE;
use super::speech::Saying;
use super::unready::{PrepareError, Unready};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Sound of a call, seconds, that does not count towards that of all calls: what most calls have always finds
/// room.
const FREE_SECONDS: usize = 30;

/// Where a sound comes from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
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

    /// The sound of a source that was kept.
    pub(super) fn of(&self, source: &Source) -> Option<Arc<[i16]>> {
        self.by_source.get(source).cloned()
    }

    /// Samples that the call may still have.
    pub(super) fn left(&self) -> usize {
        self.samples_max - self.samples
    }

    /// Keeps the sound of a source.
    pub(super) fn keep(&mut self, source: Source, sound: Arc<[i16]>) -> Result<(), Unready> {
        let samples = self.samples + sound.len();
        if samples > self.samples_max {
            let seconds = self.samples_max / RATE;
            return Err(PrepareError::TooLong(seconds).into());
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let keep = |sounds: &mut Sounds, name, length| {
            sounds.keep(url(name), seconds(length)).map_err(|why| why.to_string())
        };
        assert_eq!(keep(&mut first, "a", 20), Ok(()));
        assert_eq!(shared.available_permits(), 100, "what most calls have is free");
        assert_eq!(keep(&mut first, "b", 40), Ok(()));
        assert_eq!((first.left(), shared.available_permits()), (0, 70));
        let why = first.keep(url("c"), seconds(1));
        assert!(matches!(&why, Err(Unready::Never(why)) if why.to_string().contains("60 s")), "{why:?}");
        let mut others: Vec<Sounds> = (0..3).map(|_| call()).collect();
        let kept: Vec<_> = others.iter_mut().map(|sounds| keep(sounds, "a", 60)).collect();
        assert_eq!(kept, [Ok(()), Ok(()), Err("other calls have much sound".to_owned())]);
        assert_eq!(keep(&mut others[2], "a", 30), Ok(()), "a usual call still finds room");
        drop((first, others));
        assert_eq!(shared.available_permits(), 100);
    }
}
