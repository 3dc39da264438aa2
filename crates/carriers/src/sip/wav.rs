//! WAV files (RIFF, and Microsoft's WAVEFORMATEX): what their head says is checked before a sample is read.

use super::g711::Law;
use std::ops::RangeInclusive;

/// Sample rates that are read, Hz.
const RATES: RangeInclusive<u32> = 4_000..=192_000;
/// Channels that are read.
const CHANNELS: RangeInclusive<u16> = 1..=2;
/// Octets of a `fmt ` chunk without its extension, and of the extension's format tag with what is before it.
const FORMAT: usize = 16;
const EXTENDED_FORMAT: usize = 26;

/// How a sample is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    G711(Law),
}

/// What a `fmt ` chunk says, within the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Format {
    coding: Coding,
    channels: u16,
    rate: u32,
}

/// Why a WAV file is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WavError {
    /// It has no `data` chunk.
    #[error("it has no sound")]
    NoSound,
    /// Its `data` chunk comes before a `fmt ` chunk.
    #[error("it has no format before its sound")]
    NoFormat,
    /// Its `fmt ` chunk is shorter than its format tag needs.
    #[error("its format is cut off")]
    CutOff,
    /// Its sample rate is not one that is read.
    #[error("its sample rate must be {} to {} Hz, not {rate}", RATES.start(), RATES.end())]
    Rate {
        /// Its sample rate, Hz.
        rate: u32,
    },
    /// Its number of channels is not one that is read.
    #[error("it must have 1 or 2 channels, not {0}")]
    Channels(u16),
    /// Its samples are in a format that is not read.
    #[error(
        "it must be PCM of 8, 16, 24 or 32 bits, floats of 32, A-law or µ-law of 8, not format {tag} of \
         {depth} bits"
    )]
    Coding {
        /// The format tag (RFC 2361).
        tag: u16,
        /// Bits of a sample.
        depth: u16,
    },
}

/// A WAV file.
pub(super) struct Wav<'a> {
    format: Format,
    data: &'a [u8],
}

/// Returns whether octets begin as a WAV file does.
pub(super) fn is_wav(octets: &[u8]) -> bool {
    octets.starts_with(b"RIFF") && octets.get(8..12) == Some(b"WAVE")
}

impl<'a> Wav<'a> {
    /// Reads the head of a file that [`is_wav`].
    ///
    /// # Errors
    /// [`WavError`].
    pub(super) fn read(octets: &'a [u8]) -> Result<Wav<'a>, WavError> {
        let mut rest = octets.get(12..).unwrap_or_default();
        let mut format = None;
        while let Some((head, body)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            // A file that was written to a pipe does not know its own length.
            let chunk = &body[..length.min(body.len())];
            match &head[..4] {
                b"fmt " => format = Some(Format::read(chunk)?),
                b"data" => {
                    let format = format.ok_or(WavError::NoFormat)?;
                    return Ok(Wav { format, data: chunk });
                }
                _ => {}
            }
            // Chunks begin at even positions.
            rest = body.get(length.saturating_add(length & 1)..).unwrap_or_default();
        }
        Err(WavError::NoSound)
    }

    /// Samples a second.
    pub(super) const fn rate(&self) -> u32 {
        self.format.rate
    }

    /// How many samples [`Wav::samples`] has.
    pub(super) fn len(&self) -> usize {
        self.data.len() / self.format.frame()
    }

    /// The samples, -1 to 1, the mean of the channels.
    pub(super) fn samples(&self) -> impl Iterator<Item = f32> {
        let Format { coding, channels, .. } = self.format;
        self.data.chunks_exact(self.format.frame()).map(move |frame| {
            let sum: f32 = frame.chunks_exact(coding.width()).map(|octets| coding.sample(octets)).sum();
            sum / f32::from(channels)
        })
    }
}

impl Format {
    fn read(chunk: &[u8]) -> Result<Format, WavError> {
        let short = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        if chunk.len() < FORMAT {
            return Err(WavError::CutOff);
        }
        let (channels, depth) = (short(2), short(14));
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        if !RATES.contains(&rate) {
            return Err(WavError::Rate { rate });
        }
        if !CHANNELS.contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        let coding = match (short(0), depth) {
            // WAVE_FORMAT_EXTENSIBLE has the tag in its sub-format.
            (0xfffe, _) if chunk.len() < EXTENDED_FORMAT => return Err(WavError::CutOff),
            (0xfffe, _) => Coding::of(short(EXTENDED_FORMAT - 2), depth),
            (tag, _) => Coding::of(tag, depth),
        };
        Ok(Format { coding: coding?, channels, rate })
    }

    /// Octets of a sample of each channel.
    fn frame(&self) -> usize {
        usize::from(self.channels) * self.coding.width()
    }
}

impl Coding {
    /// By the format tag of RFC 2361 and the bits of a sample.
    fn of(tag: u16, depth: u16) -> Result<Coding, WavError> {
        match (tag, depth) {
            (1, 8) => Ok(Coding::Unsigned8),
            (1, 16) => Ok(Coding::Signed16),
            (1, 24) => Ok(Coding::Signed24),
            (1, 32) => Ok(Coding::Signed32),
            (3, 32) => Ok(Coding::Float32),
            (6, 8) => Ok(Coding::G711(Law::A)),
            (7, 8) => Ok(Coding::G711(Law::Mu)),
            _ => Err(WavError::Coding { tag, depth }),
        }
    }

    /// Octets of a sample.
    const fn width(self) -> usize {
        match self {
            Coding::Unsigned8 | Coding::G711(_) => 1,
            Coding::Signed16 => 2,
            Coding::Signed24 => 3,
            Coding::Signed32 | Coding::Float32 => 4,
        }
    }

    /// A sample of `width` octets, -1 to 1.
    fn sample(self, octets: &[u8]) -> f32 {
        match (self, octets) {
            (Coding::Unsigned8, [a]) => (f32::from(*a) - 128.0) / 128.0,
            (Coding::G711(law), [a]) => f32::from(law.decode(*a)) / 32_768.0,
            (Coding::Signed16, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
            (Coding::Signed24, [a, b, c]) => i32::from_le_bytes([0, *a, *b, *c]) as f32 / 2_147_483_648.0,
            (Coding::Signed32, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]) as f32 / 2_147_483_648.0,
            (Coding::Float32, [a, b, c, d]) => {
                let sample = f32::from_le_bytes([*a, *b, *c, *d]);
                if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
            }
            // A frame has whole samples.
            _ => 0.0,
        }
    }
}

/// A WAV file, for tests.
#[cfg(test)]
pub(super) fn file(tag: u16, channels: u16, rate: u32, depth: u16, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    // What follows from the others, and is not read.
    file.extend([0; 6]);
    file.extend(depth.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_that_is_read_means_the_same() {
        let half = 0.5f32;
        for (tag, depth, octets) in [
            (1, 8, vec![192]),
            (1, 16, 0x4000i16.to_le_bytes().to_vec()),
            (1, 24, vec![0, 0, 0x40]),
            (1, 32, 0x4000_0000i32.to_le_bytes().to_vec()),
            (3, 32, half.to_le_bytes().to_vec()),
            (6, 8, vec![Law::A.encode(0x4000)]),
            (7, 8, vec![Law::Mu.encode(0x4000)]),
        ] {
            let (left, silence) =
                (octets.clone(), vec![if (tag, depth) == (1, 8) { 128 } else { 0 }; octets.len()]);
            let mono = file(tag, 1, 8000, depth, &left);
            let samples: Vec<f32> = Wav::read(&mono).unwrap().samples().collect();
            assert!(samples.len() == 1 && (samples[0] - half).abs() < 0.02, "{tag} {depth}: {samples:?}");
            if tag == 1 {
                let stereo = file(tag, 2, 8000, depth, &[left, silence].concat());
                let samples: Vec<f32> = Wav::read(&stereo).unwrap().samples().collect();
                assert!(samples.len() == 1 && (samples[0] - half / 2.0).abs() < 0.02, "{samples:?}");
            }
        }
    }

    #[test]
    fn what_nobody_uses_is_refused_by_its_head() {
        let refused = |octets: &[u8], word: &str| {
            let why = Wav::read(octets).err().unwrap().to_string();
            assert!(why.contains(word), "{why}");
        };
        let data = [0; 64];
        for rate in [0, 1, 3_999, 192_001, 100_000_007, 4_294_967_291, u32::MAX] {
            refused(&file(1, 1, rate, 16, &data), "sample rate");
        }
        for channels in [0, 3, 255, 0x8000, u16::MAX] {
            refused(&file(1, channels, 8000, 16, &data), "channels");
        }
        for (tag, depth) in
            [(1, 0), (1, 1), (1, 12), (1, 64), (1, u16::MAX), (3, 64), (2, 4), (0x11, 4), (0x55, 0)]
        {
            refused(&file(tag, 1, 8000, depth, &data), "bits");
        }
        // The head of an extensible format without its extension.
        refused(&file(0xfffe, 1, 8000, 16, &data), "cut off");
        let good = file(1, 1, 8000, 16, &data);
        for cut in 12..44 {
            assert!(Wav::read(&good[..cut]).is_err_and(|why| !why.to_string().is_empty()), "{cut}");
        }
    }

    #[test]
    fn a_length_that_is_not_so_reads_what_is_there() {
        for length in [0u32, 1, 7, 0x7fff_f000, u32::MAX] {
            let mut octets = file(1, 1, 8000, 16, &[1; 64]);
            octets[40..44].copy_from_slice(&length.to_le_bytes());
            let there = (length as usize).min(64) / 2;
            assert_eq!(Wav::read(&octets).unwrap().samples().count(), there, "{length}");
        }
    }
}
