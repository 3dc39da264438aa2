//! A flow's document: what is stored of it. MessagePack, whose maps name their members so that versions can
//! add some, compressed by zstd with a dictionary of what documents have in common. Versions up to 0.1 wrote
//! JSON, which is still read.

use flow::Flow;
use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// The first octet of a compressed document. The second one is the number of its dictionary, and a zstd frame
/// follows (RFC 8878). JSON starts with `{`, and what is sealed with 1.
const COMPRESSED: u8 = 2;

/// The dictionaries, from number 1 on. Documents need the one that they were written with for ever: the last
/// one is for writing, and none is changed or taken away. `store/examples/dictionary.rs` makes one.
const DICTIONARIES: [&[u8]; 2] =
    [include_bytes!("../dictionaries/1.zdict"), include_bytes!("../dictionaries/2.zdict")];
/// The number of the last one.
const NEWEST: u8 = DICTIONARIES.len() as u8;
/// Of zstd's levels: higher ones take four times as long for a twentieth less (docs/performance.md).
const LEVEL: i32 = 3;
/// The same for flows that have not ended: they are written again soon. It takes half the time, and documents
/// are a sixth larger.
const OPEN_LEVEL: i32 = -1;

/// Octets of a document before it was compressed: far beyond any that this or an older version can have
/// stored, and far from what a server has room for.
pub(crate) const PLAIN_MAX: usize = 64 << 20;
/// Octets that a thread keeps between two documents.
const KEPT_MAX: usize = 1 << 20;

static WRITING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| writing(LEVEL));
static WRITING_OPEN: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| writing(OPEN_LEVEL));
static READING: LazyLock<Vec<DecoderDictionary<'static>>> =
    LazyLock::new(|| DICTIONARIES.iter().map(|octets| DecoderDictionary::copy(octets)).collect());

fn writing(level: i32) -> EncoderDictionary<'static> {
    EncoderDictionary::copy(DICTIONARIES[usize::from(NEWEST) - 1], level)
}

/// A document as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) octets: Arc<[u8]>,
    /// Octets that it had before it was compressed: the flow's size in memory follows them.
    pub(crate) plain: usize,
}

/// Why a flow has no document, or a document no flow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The encoder fails; flows have nothing that makes it.
    #[error("a flow can't be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    /// It is no MessagePack of a flow.
    #[error("a document is no flow: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    /// It is an old document and no JSON of a flow.
    #[error("a document is no flow: {0}")]
    DecodeJson(#[from] serde_json::Error),
    /// It is damaged.
    #[error("a document can't be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    /// A newer version wrote it, or it is damaged.
    #[error("a document has a form that this version does not know")]
    Unknown,
}

/// What a thread needs for documents, kept between two of them. Most threads only read.
#[derive(Default)]
struct Codec {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
    plain: Vec<u8>,
    frame: Vec<u8>,
}

thread_local! {
    static CODEC: RefCell<Codec> = RefCell::default();
}

impl Codec {
    /// Does something with this thread's codec.
    fn with<T>(work: impl FnOnce(&mut Codec) -> Result<T, DocumentError>) -> Result<T, DocumentError> {
        CODEC.with_borrow_mut(|codec| {
            let done = work(codec);
            for buffer in [&mut codec.plain, &mut codec.frame] {
                buffer.clear();
                buffer.shrink_to(KEPT_MAX);
            }
            done
        })
    }

    fn encode(&mut self, flow: &Flow) -> Result<Document, DocumentError> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(compressor()?),
        };
        let dictionary = if flow.state.status.is_final() { &WRITING } else { &WRITING_OPEN };
        compressor.set_prepared_dictionary(dictionary)?;
        rmp_serde::encode::write_named(&mut self.plain, flow)?;
        self.frame.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        compressor.compress_to_buffer(&self.plain, &mut self.frame)?;
        let octets = [&[COMPRESSED, NEWEST], self.frame.as_slice()].concat();
        Ok(Document { octets: octets.into(), plain: self.plain.len() })
    }

    fn decode(&mut self, number: u8, frame: &[u8], plain: usize) -> Result<Flow, DocumentError> {
        let at = usize::from(number).checked_sub(1).ok_or(DocumentError::Unknown)?;
        let dictionary = READING.get(at).ok_or(DocumentError::Unknown)?;
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new()?),
        };
        decompressor.set_prepared_dictionary(dictionary)?;
        self.plain.reserve(plain);
        decompressor.decompress_to_buffer(frame, &mut self.plain)?;
        Ok(rmp_serde::from_slice(&self.plain)?)
    }
}

/// Makes a compressor, without a dictionary yet.
fn compressor() -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    // The dictionary's number stands before the frame, in an octet.
    compressor.include_dictid(false)?;
    compressor.include_checksum(false)?;
    Ok(compressor)
}

/// A flow's document.
///
/// # Errors
/// [`DocumentError::Encode`]; [`DocumentError::Compression`] where there is no memory.
pub(crate) fn encode(flow: &Flow) -> Result<Document, DocumentError> {
    Codec::with(|codec| codec.encode(flow))
}

/// Octets that a document had before it was compressed; none if it can't be read.
pub(crate) fn plain_octets(document: &[u8]) -> Option<usize> {
    match document {
        [b'{', ..] => Some(document.len()),
        [COMPRESSED, _, frame @ ..] => {
            let plain = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten()?;
            usize::try_from(plain).ok().filter(|plain| *plain <= PLAIN_MAX)
        }
        _ => None,
    }
}

/// Reads a flow from its document.
///
/// # Errors
/// All but [`DocumentError::Encode`].
pub(crate) fn decode(document: &[u8]) -> Result<Flow, DocumentError> {
    match document {
        [b'{', ..] => {
            let mut flow: Flow = serde_json::from_slice(document)?;
            flow.adopt_old_callbacks();
            Ok(flow)
        }
        [COMPRESSED, number, frame @ ..] => {
            let plain = plain_octets(document).ok_or(DocumentError::Unknown)?;
            Codec::with(|codec| codec.decode(*number, frame, plain))
        }
        _ => Err(DocumentError::Unknown),
    }
}

/// Returns whether a document has the form in which documents are written now.
pub(crate) fn is_current(document: &[u8]) -> bool {
    document.starts_with(&[COMPRESSED, NEWEST])
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::sample;

    fn flows(count: usize) -> Vec<Flow> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..count).map(|_| sample::made_up(&mut |below| random.usize(..below))).collect()
    }

    #[test]
    fn a_flow_is_read_as_it_was_written_and_from_json() {
        for flow in flows(2000) {
            let document = encode(&flow).unwrap();
            assert!(is_current(&document.octets));
            assert_eq!(plain_octets(&document.octets), Some(document.plain));
            assert_eq!(decode(&document.octets).unwrap(), flow);
            let json = serde_json::to_vec(&flow).unwrap();
            assert!(!is_current(&json));
            assert_eq!(plain_octets(&json), Some(json.len()));
            assert_eq!(decode(&json).unwrap(), flow);
        }
    }

    #[test]
    fn what_was_written_with_an_older_dictionary_is_read() {
        for flow in flows(100) {
            let plain = rmp_serde::to_vec_named(&flow).unwrap();
            for (number, dictionary) in (1..).zip(DICTIONARIES) {
                let mut compressor = Compressor::with_dictionary(LEVEL, dictionary).unwrap();
                compressor.include_dictid(false).unwrap();
                let frame = compressor.compress(&plain).unwrap();
                let document = [&[COMPRESSED, number], frame.as_slice()].concat();
                assert_eq!(decode(&document).unwrap(), flow);
                assert_eq!(is_current(&document), number == NEWEST);
            }
        }
    }

    #[test]
    fn documents_of_ended_flows_are_a_quarter_of_their_json() {
        let ended: Vec<Flow> = flows(1000).into_iter().filter(|flow| flow.state.status.is_final()).collect();
        let of = |size: fn(&Flow) -> usize| ended.iter().map(size).sum::<usize>();
        let json = of(|flow| serde_json::to_vec(flow).unwrap().len());
        let packed = of(|flow| encode(flow).unwrap().octets.len());
        assert!(packed * 4 < json, "{packed} of {json}");
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        let document = encode(&flows(1)[0]).unwrap().octets;
        for end in 0..document.len() {
            assert!(decode(&document[..end]).is_err());
        }
        for at in 0..document.len() {
            for bit in 0..8 {
                let mut damaged = document.to_vec();
                damaged[at] ^= 1 << bit;
                // Some damage reads as another flow; none panics.
                let _ = decode(&damaged);
            }
        }
        let with = |number: u8| [&[COMPRESSED, number], &document[2..]].concat();
        assert!(matches!(decode(&with(0)), Err(DocumentError::Unknown)));
        assert!(matches!(decode(&with(NEWEST + 1)), Err(DocumentError::Unknown)));
        assert!(matches!(decode(b""), Err(DocumentError::Unknown)));
        assert!(matches!(decode(b"{}"), Err(DocumentError::DecodeJson(_))));
    }

    #[test]
    fn a_size_that_nobody_writes_is_refused_before_there_is_room_for_it() {
        let large = zstd::bulk::compress(&vec![0; PLAIN_MAX + 1], 1).unwrap();
        let document = [&[COMPRESSED, NEWEST], large.as_slice()].concat();
        assert!(matches!(decode(&document), Err(DocumentError::Unknown)));
    }
}
