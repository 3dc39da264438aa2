//! Who answered: people say a word and wait, machines talk on.

use super::config::MachineConfig;
use std::time::Duration;

/// The length of a frame of sound.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Shorter sound is a click, not a word.
const WORD_MIN: Duration = Duration::from_millis(60);

/// Who answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answerer {
    Human,
    Machine,
}

impl Answerer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Answerer::Human => "human",
            Answerer::Machine => "machine",
        }
    }
}

/// Listens from the answer on.
pub(super) struct Detector<'a> {
    config: &'a MachineConfig,
    heard: Duration,
    /// Speech so far, the pauses in it included.
    greeting: Duration,
    /// Silence since the last speech.
    pause: Duration,
}

impl Detector<'_> {
    pub(super) fn new(config: &MachineConfig) -> Detector<'_> {
        Detector { config, heard: Duration::ZERO, greeting: Duration::ZERO, pause: Duration::ZERO }
    }

    /// Takes the next 20 ms; returns who answered once that is clear.
    pub(super) fn listen(&mut self, samples: &[i16]) -> Option<Answerer> {
        self.heard += FRAME;
        if loudness(samples) >= self.config.loudness {
            if self.greeting > Duration::ZERO {
                self.greeting += self.pause;
            }
            self.greeting += FRAME;
            self.pause = Duration::ZERO;
            return (self.greeting > self.config.greeting_max).then_some(Answerer::Machine);
        }
        self.pause += FRAME;
        if self.greeting < WORD_MIN {
            return (self.heard >= self.config.silence_max).then_some(Answerer::Human);
        }
        (self.pause >= self.config.pause).then_some(Answerer::Human)
    }
}

/// The root mean square.
fn loudness(samples: &[i16]) -> f64 {
    let squares: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (squares / samples.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who it is after pieces of speech and silence, in milliseconds, speech first.
    fn answerer(pieces: &[u64]) -> Option<Answerer> {
        let config = MachineConfig::default();
        let mut detector = Detector::new(&config);
        let frames = pieces.iter().enumerate().flat_map(|(i, ms)| {
            let sample = if i % 2 == 0 { 3000 } else { 10 };
            std::iter::repeat_n([sample; 160], (ms / 20) as usize)
        });
        frames.into_iter().find_map(|frame| detector.listen(&frame))
    }

    #[test]
    fn people_wait_and_machines_talk_on() {
        assert_eq!(answerer(&[600, 1000]), Some(Answerer::Human));
        assert_eq!(answerer(&[300, 300, 400, 1000]), Some(Answerer::Human));
        assert_eq!(answerer(&[0, 4000]), Some(Answerer::Human));
        assert_eq!(answerer(&[40, 2000, 2500]), Some(Answerer::Machine), "a click, then a machine");
        assert_eq!(answerer(&[2500]), Some(Answerer::Machine));
        assert_eq!(answerer(&[900, 300, 900]), Some(Answerer::Machine));
        assert_eq!(answerer(&[600, 300]), None);
    }
}
