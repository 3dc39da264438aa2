//! The files of an index, changed in any way: reading them must fail, or yield what was written.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{Index, Limits};
use std::path::PathBuf;
use tempfile::TempDir;
use uuid::Uuid;

const FLOWS: usize = 300;

struct Written {
    directory: TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
}

// Of the thread, not of the process: it is dropped at the end, and its directory removed.
thread_local! {
    static WRITTEN: Written = write();
}

fn write() -> Written {
    let directory = tempfile::tempdir().expect("there is room");
    let index =
        Index::with_limits(Limits { loose_rows: 10, seal_rows: 50, heavy_rows: 20, ..Limits::default() });
    let entry = |i: usize, status| {
        let facets = Facets {
            kind: FlowKind::Plain,
            status,
            termination: None,
            types: ChannelSet::default().with(Channel::Sms),
            recipients: [format!("+3069{:04}", i * 7919 % 500).into()].into(),
        };
        ("a", i as i64, Uuid::from_u128(i as u128), facets)
    };
    index.put((0..FLOWS).map(|i| entry(i, FlowStatus::Queued)));
    while index.tidy() {}
    index.save(directory.path(), "fuzz", &[1]).expect("there is room");
    index.put((0..FLOWS).step_by(3).map(|i| entry(i, FlowStatus::Failed)));
    index.save(directory.path(), "fuzz", &[2]).expect("there is room");
    let files = std::fs::read_dir(directory.path()).expect("it is there").flatten().map(|file| file.path());
    let files = files.map(|file| (file.clone(), std::fs::read(&file).expect("it is there"))).collect();
    Written { directory, files }
}

pub(crate) fn feed(data: &[u8]) {
    WRITTEN.with(|written| change(written, data));
}

fn change(Written { directory, files }: &Written, data: &[u8]) {
    let [which, at @ .., length] = data.get(..6).unwrap_or_default() else { return };
    let (file, content) = &files[usize::from(*which) % files.len()];
    let mut changed = content.clone();
    let at = at.iter().fold(0, |at, octet| at << 8 | usize::from(*octet)) % content.len();
    changed.truncate(if *length < 8 { at } else { content.len() });
    for (octet, new) in changed.iter_mut().skip(at).zip(&data[6..]) {
        *octet = *new;
    }
    std::fs::write(file, &changed).expect("there is room");
    let index = Index::default();
    if index.read(directory.path(), "fuzz").is_ok() {
        assert_eq!(index.len(), FLOWS);
    }
    std::fs::write(file, content).expect("there is room");
}
