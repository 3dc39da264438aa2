//! Makes what a call will say ready before anybody is called.

use super::audio;
use super::line::Line;
use super::media::Prompt;
use super::sounds::{Sounds, Source};
use super::speech::Saying;
use super::turns::Turn;
use super::unready::{PrepareError, SourceError, Unready};
use flow::Verb;
use std::sync::Arc;

impl Line {
    /// Makes everything ready that is to be heard; what is in `sounds` is not made again.
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
            let sound = match sounds.of(&source) {
                Some(sound) => sound,
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
        let sound = self.make(&source, sounds.left(), turn).await.map_err(|why| match &source {
            Source::Url(url) => PrepareError::Play { url: url.clone(), source: why },
            Source::Speech(_) => PrepareError::Say(why),
        })?;
        if let Source::Speech(saying) = &source {
            self.speech.keep(saying.clone(), &sound);
        }
        sounds.keep(source, Arc::clone(&sound))?;
        Ok(sound)
    }

    /// Fetches or speaks a sound of at most `samples_max` samples.
    async fn make(
        &self,
        source: &Source,
        samples_max: usize,
        turn: Arc<Turn>,
    ) -> Result<Arc<[i16]>, SourceError> {
        let file = match source {
            Source::Url(url) => self.fetch.get(url).await?,
            Source::Speech(saying) => self.speech.make(saying).await?,
        };
        // The turn lasts until the sound is made, also if this future is dropped before.
        let decoded = tokio::task::spawn_blocking(move || {
            let sound = audio::decode(file, samples_max);
            drop(turn);
            sound
        });
        Ok(decoded.await??)
    }
}
