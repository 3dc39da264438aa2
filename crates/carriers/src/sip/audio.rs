//! Sound files as samples: mono, 8 kHz.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::io::Cursor;
use std::sync::Arc;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Samples a second.
pub(super) const RATE: usize = 8000;
/// The longest sound, seconds.
const SECONDS_MAX: usize = 600;

/// Reads a WAV or MP3 file.
pub(super) fn decode(octets: Vec<u8>) -> Result<Arc<[i16]>, String> {
    let words = |error: Error| format!("the sound can't be read: {error}");
    let stream = MediaSourceStream::new(Box::new(Cursor::new(octets)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(words)?;
    let track = format.default_track(TrackType::Audio).ok_or("the file has no sound")?;
    let track_id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or("the file has no sound")?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(words)?;
    let (mut mono, mut rate, mut interleaved) = (Vec::new(), 0, Vec::<f32>::new());
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // A file that was written to a pipe does not know its own length.
            Ok(None) | Err(Error::IoError(_)) => break,
            Err(error) => return Err(words(error)),
        };
        if packet.track_id != track_id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_)) => continue,
            Err(error) => return Err(words(error)),
        };
        let channels = decoded.spec().channels().count().max(1);
        rate = decoded.spec().rate() as usize;
        decoded.copy_to_vec_interleaved(&mut interleaved);
        mono.extend(interleaved.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32));
        if mono.len() > SECONDS_MAX * rate {
            return Err(format!("the sound is longer than {SECONDS_MAX} s"));
        }
    }
    if mono.is_empty() {
        return Err("the file has no sound".into());
    }
    let samples = if rate == RATE { mono } else { resample(&mono, rate)? };
    Ok(samples.into_iter().map(|sample| (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16).collect())
}

fn resample(samples: &[f32], rate: usize) -> Result<Vec<f32>, String> {
    let words = |error: &dyn std::error::Error| format!("the sound can't be resampled: {error}");
    let mut resampler =
        Fft::<f32>::new(rate, RATE, 1024, 1, FixedSync::Both).map_err(|error| words(&error))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| words(&error))?;
    let output = resampler.process_all(&input, samples.len(), None).map_err(|error| words(&error))?;
    Ok(output.take_data())
}

/// A WAV file of samples, for tests.
#[cfg(test)]
pub(super) fn wav(samples: &[i16], rate: u32) -> Vec<u8> {
    let size = samples.len() as u32 * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_its_length() {
        for rate in [8000, 22_050, 44_100] {
            let tone = |i: usize| {
                ((i as f64 * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin() * 8000.0) as i16
            };
            let samples: Vec<i16> = (0..rate as usize).map(tone).collect();
            let decoded = decode(wav(&samples, rate)).unwrap();
            assert!((decoded.len() as i64 - 8000).abs() < 200, "{}", decoded.len());
            let crossings = decoded.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!((430..=450).contains(&crossings), "{crossings}");
        }
        assert!(decode(b"no sound at all".to_vec()).is_err());
    }
}
