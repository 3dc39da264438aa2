//! Sound files as samples: mono, 8 kHz. What a file becomes is bounded while it is decoded.

use super::wav::{Wav, WavError, is_wav};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, ResamplerConstructionError};
use std::io::Cursor;
use std::sync::Arc;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadBytes, ReadOnlySource};
use symphonia::default::codecs::MpaDecoder;
use symphonia::default::formats::MpaReader;

/// Samples a second.
pub(super) const RATE: usize = 8000;
/// Octets at the start of an MP3 file, after its tag, in which its sound must begin.
const LEAD_MAX: usize = 64 * 1024;
/// Octets that surely hold two frames of MP3.
const FRAMES: usize = 8 * 1024;
/// Rates are rounded to a multiple of this, Hz. Usual rates are multiples; for others, an inaudible error
/// bounds the work, which grows as the greatest common divisor of a rate and ours falls.
const RATE_STEP: u32 = 25;
/// Samples that the resampler takes at a time; it rounds this up to what its ratio allows.
const CHUNK: usize = 1024;

/// Why a sound file is not read.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// It is a WAV file that is not read.
    #[error("the sound can't be read: {0}")]
    Wav(#[from] WavError),
    /// It is no WAV file, and has no frames of MP3 at its beginning.
    #[error("the sound can't be read: it is neither WAV nor MP3")]
    Unknown,
    /// It has no sample.
    #[error("the sound can't be read: it has no sound")]
    Empty,
    /// Its MP3 frames don't give a sample rate.
    #[error("the sound can't be read: it has no sample rate")]
    NoRate,
    /// Its MP3 frames can't be decoded.
    #[error("the sound can't be read: {0}")]
    Mp3(#[from] Error),
    /// It has more sound than the call may still have, seconds.
    #[error("the sound can't be read: it is longer than the {0} s that are left to the call (sound_max)")]
    TooLong(usize),
    /// Its sample rate can't be converted to ours.
    #[error("the sound can't be read: {rate} Hz can't be resampled: {source}")]
    Rate {
        /// Its sample rate, Hz.
        rate: u32,
        /// Why.
        source: ResamplerConstructionError,
    },
    /// Its samples can't be converted.
    #[error("the sound can't be read: it can't be resampled: {0}")]
    Resample(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads a WAV or MP3 file that has at most `samples_max` samples at [`RATE`].
///
/// # Errors
/// [`AudioError`].
pub(super) fn decode(octets: Vec<u8>, samples_max: usize) -> Result<Arc<[i16]>, AudioError> {
    let read = if is_wav(&octets) { decode_wav } else { decode_mp3 };
    let samples = read(&octets, samples_max)?;
    // The copy below needs its room.
    drop(octets);
    Ok(samples.into())
}

fn decode_wav(octets: &[u8], samples_max: usize) -> Result<Vec<i16>, AudioError> {
    let wav = Wav::read(octets)?;
    let mut sound = Sound::new(wav.rate(), samples_max)?;
    sound.expect(wav.len())?;
    wav.samples().try_for_each(|sample| sound.push(sample))?;
    sound.finish()
}

fn decode_mp3(octets: &[u8], samples_max: usize) -> Result<Vec<i16>, AudioError> {
    let octets = &octets[lead(octets)..];
    // Finding the first frame takes time quadratic in what is searched, so little is searched.
    let start = &octets[..octets.len().min(LEAD_MAX)];
    let found = Box::new(mp3_reader(start)?).into_inner().pos() as usize;
    if start.len() < octets.len() && found + FRAMES > start.len() {
        return Err(AudioError::Unknown);
    }
    let mut reader = mp3_reader(octets)?;
    let parameters = reader.tracks().first().and_then(|track| track.codec_params.as_ref()?.audio());
    let parameters = parameters.ok_or(AudioError::Empty)?.clone();
    let rate = parameters.sample_rate.ok_or(AudioError::NoRate)?;
    let mut decoder = MpaDecoder::try_new(&parameters, &AudioDecoderOptions::default())?;
    let mut sound = Sound::new(rate, samples_max)?;
    let (mut frames, mut interleaved) = (0usize, Vec::<f32>::new());
    // What follows the last frame, such as a tag, is no sound.
    while let Ok(Some(packet)) = reader.next_packet() {
        // Frames that can't be decoded, or are trimmed at the ends, count: they take time, too.
        let whole = packet.dur.get() + packet.trim_start.get() + packet.trim_end.get();
        frames = frames.saturating_add(whole as usize);
        sound.expect(frames)?;
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let channels = decoded.spec().channels().count().max(1);
        decoded.copy_to_vec_interleaved(&mut interleaved);
        let mono = interleaved.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32);
        mono.into_iter().try_for_each(|sample| sound.push(sample))?;
    }
    sound.finish()
}

fn mp3_reader(octets: &[u8]) -> Result<MpaReader<'_>, AudioError> {
    let source = ReadOnlySource::new(Cursor::new(octets));
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let reader = MpaReader::try_new(stream, FormatOptions::default());
    reader.map_err(|_| AudioError::Unknown)
}

/// Octets before the sound of an MP3 file: its ID3v2 tag, if it has one.
fn lead(octets: &[u8]) -> usize {
    let Some(&[b'I', b'D', b'3', _, _, _, a, b, c, d]) = octets.first_chunk() else { return 0 };
    let length = [a, b, c, d].into_iter().fold(0, |length, octet| length << 7 | usize::from(octet & 0x7f));
    (10 + length).min(octets.len())
}

/// Samples at [`RATE`] of samples at another rate, as they come.
struct Sound {
    rate: u32,
    samples: Vec<i16>,
    samples_max: usize,
    /// `None` if the rate is ours already.
    resampler: Option<Resampling>,
    /// Samples that came.
    pushed: usize,
}

struct Resampling {
    fft: Fft<f32>,
    /// Samples that wait for a whole chunk.
    waiting: Vec<f32>,
    output: Vec<f32>,
    /// Samples of the output that come before the sound.
    delay: usize,
}

impl Sound {
    /// `rate`: samples a second that come, 4,000 to 192,000.
    fn new(rate: u32, samples_max: usize) -> Result<Sound, AudioError> {
        let rate = (rate + RATE_STEP / 2) / RATE_STEP * RATE_STEP;
        let resampler = (rate as usize != RATE).then(|| Resampling::new(rate)).transpose()?;
        Ok(Sound { rate, samples: Vec::new(), samples_max, resampler, pushed: 0 })
    }

    /// Samples at [`RATE`] of a number of those that come.
    fn length_of(&self, pushed: usize) -> usize {
        (pushed as u64 * RATE as u64).div_ceil(u64::from(self.rate)) as usize
    }

    /// Reserves room for a sound of this many samples that come, unless it would be too long.
    fn expect(&mut self, pushed: usize) -> Result<(), AudioError> {
        let length = self.length_of(pushed);
        if length > self.samples_max {
            return Err(AudioError::TooLong(self.samples_max / RATE));
        }
        // In steps: doubling would take up to twice the room of the sound.
        let last_chunk = self.resampler.as_ref().map_or(0, |resampling| resampling.output.len());
        let room = length.next_multiple_of(10 * RATE) + last_chunk;
        self.samples.reserve_exact(room.saturating_sub(self.samples.len()));
        Ok(())
    }

    /// Takes the next sample, -1 to 1.
    fn push(&mut self, sample: f32) -> Result<(), AudioError> {
        self.pushed += 1;
        match &mut self.resampler {
            None => self.samples.push(quantize(sample)),
            Some(resampling) => resampling.push(sample, &mut self.samples)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<i16>, AudioError> {
        let length = self.length_of(self.pushed);
        if length == 0 {
            return Err(AudioError::Empty);
        }
        if let Some(resampling) = &mut self.resampler {
            while self.samples.len() < length {
                resampling.push(0.0, &mut self.samples)?;
            }
        }
        self.samples.truncate(length);
        Ok(self.samples)
    }
}

impl Resampling {
    fn new(rate: u32) -> Result<Resampling, AudioError> {
        let fft = Fft::<f32>::new(rate as usize, RATE, CHUNK, 1, FixedSync::Both);
        let fft = fft.map_err(|source| AudioError::Rate { rate, source })?;
        let (waiting, output) =
            (Vec::with_capacity(fft.input_frames_max()), vec![0.0; fft.output_frames_max()]);
        let delay = fft.output_delay();
        Ok(Resampling { fft, waiting, output, delay })
    }

    fn push(&mut self, sample: f32, samples: &mut Vec<i16>) -> Result<(), AudioError> {
        self.waiting.push(sample);
        if self.waiting.len() < self.fft.input_frames_next() {
            return Ok(());
        }
        let made = self.resample().map_err(AudioError::Resample)?;
        self.waiting.clear();
        let late = self.delay.min(made);
        self.delay -= late;
        samples.extend(self.output[late..made].iter().map(|sample| quantize(*sample)));
        Ok(())
    }
}

impl Resampling {
    /// Resamples a whole chunk into `output`; returns the samples that this makes.
    fn resample(&mut self) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        let (came, room) = (self.waiting.len(), self.output.len());
        let input = InterleavedSlice::new(&self.waiting, 1, came)?;
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, room)?;
        let (_, made) = self.fft.process_into_buffer(&input, &mut output, None)?;
        Ok(made)
    }
}

fn quantize(sample: f32) -> i16 {
    (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
}

/// Reads any octets as a sound file of at most a minute.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    const MINUTE: usize = 60 * RATE;
    if let Ok(sound) = decode(data.to_vec(), MINUTE) {
        assert!(!sound.is_empty() && sound.len() <= MINUTE, "{}", sound.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::wav;
    use super::*;

    const MAX: usize = 600 * RATE;

    fn pcm(samples: &[i16], rate: u32) -> Vec<u8> {
        let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        wav::file(1, 1, rate, 16, &octets)
    }

    fn tone(rate: u32, seconds: f64) -> Vec<i16> {
        let sample =
            |i: usize| ((i as f64 * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin() * 8000.0) as i16;
        (0..(f64::from(rate) * seconds) as usize).map(sample).collect()
    }

    /// Frames of MPEG 2.5, layer 3, 8 kbit/s, 8 kHz, mono: silence of 72 ms in 72 octets each.
    fn mp3(frames: usize) -> Vec<u8> {
        let mut frame = vec![0xff, 0xe3, 0x18, 0xc4];
        frame.resize(72, 0);
        frame.repeat(frames)
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_its_length() {
        // Rates of files, the ends of what is read, and some that have nothing in common with ours.
        for rate in [4000, 4013, 8000, 8009, 11_025, 16_000, 22_050, 44_100, 48_000, 191_999, 192_000] {
            for seconds in [0.05, 1.0, 2.5] {
                let decoded = decode(pcm(&tone(rate, seconds), rate), MAX).unwrap();
                let length = (seconds * RATE as f64) as i64;
                let off = length / 250 + 1;
                assert!((decoded.len() as i64 - length).abs() <= off, "{rate}: {}", decoded.len());
                let crossings = decoded.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
                let wanted = 440.0 * seconds;
                let off = 3.0 + wanted / 250.0;
                assert!((crossings as f64 - wanted).abs() <= off, "{rate}: {crossings} of {wanted}");
            }
        }
        assert!(decode(b"no sound at all".to_vec(), MAX).is_err());
    }

    #[test]
    fn absurd_heads_are_refused_before_anything_is_made_from_them() {
        for octets in [
            wav::file(1, 1, 4_294_967_291, 16, &[0; 200]),
            wav::file(1, 1, 100_000_007, 16, &[0; 200]),
            wav::file(1, u16::MAX, 8000, 32, &[0; 200]),
            wav::file(1, 2, 8000, u16::MAX, &[0; 200]),
        ] {
            let why = decode(octets, MAX).unwrap_err().to_string();
            assert!(why.starts_with("the sound can't be read: it"), "{why}");
        }
        for nothing in [pcm(&[], 8000), vec![], b"RIFF".to_vec(), b"RIFF\0\0\0\0WAVE".to_vec()] {
            assert!(decode(nothing, MAX).is_err());
        }
    }

    #[test]
    fn no_more_is_decoded_than_a_call_may_have() {
        let second = pcm(&tone(44_100, 1.0), 44_100);
        assert_eq!(decode(second.clone(), RATE).unwrap().len(), RATE);
        let why = decode(second, RATE - 1).unwrap_err().to_string();
        assert!(why.contains("longer than"), "{why}");
        // 72 ms a frame: 14 of them are a second and a little more.
        assert!(decode(mp3(13), RATE).is_ok());
        let why = decode(mp3(14), RATE).unwrap_err().to_string();
        assert!(why.contains("longer than"), "{why}");
    }

    #[test]
    fn an_mp3_is_read_after_its_tag_and_a_lie_about_the_tag_costs_nothing() {
        let tagged = [&b"ID3\x04\0\0\0\0\x02\x01"[..], &[0xff; 257], &mp3(5)].concat();
        let sound = decode(tagged, MAX).unwrap();
        assert!(sound.len().abs_diff(5 * 576) <= 576, "{}", sound.len());
        let lying = [&b"ID3\x04\0\0\x7f\x7f\x7f\x7f"[..], &mp3(5)].concat();
        assert!(decode(lying, MAX).is_err());
    }

    #[test]
    fn octets_that_look_like_frames_everywhere_are_not_searched_for_long() {
        // Each fourth octet begins what may be a frame, and none is followed by another one.
        let everywhere = [0xff, 0xfb, 0xe2, 0x00].repeat(5 << 20);
        let why = decode(everywhere, MAX).unwrap_err().to_string();
        assert!(why.contains("neither WAV nor MP3"), "{why}");
    }
}
