//! The index's files: what is read is what was written, and nothing that is damaged is used.

use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
use index::{FilesError, Filter, Index, Limits, Order, Predicate, Query, TextOperator};
use std::path::Path;
use uuid::Uuid;

const LIMITS: Limits = Limits {
    loose_rows: 10,
    seal_rows: 50,
    late_rows: 10,
    merge_segments: 3,
    segment_weight_max: 2000,
    heavy_rows: 20,
};

type Entry = (&'static str, i64, Uuid, Facets);

fn entry(random: &mut fastrand::Rng) -> Entry {
    let created_ms = 1_700_000_000_000 + random.i64(0..100_000);
    let random_octets = std::array::from_fn(|_| random.u8(..));
    let id = uuid::Builder::from_unix_timestamp_millis(created_ms as u64, &random_octets).into_uuid();
    (if random.bool() { "a" } else { "b" }, created_ms, id, facets(random))
}

fn facets(random: &mut fastrand::Rng) -> Facets {
    let to = |random: &mut fastrand::Rng| match random.u8(0..10) {
        0 => format!("sip:{}@example.com", random.u8(0..50)).into_boxed_str(),
        _ => format!("+3069{:04}", random.u32(0..2000)).into_boxed_str(),
    };
    let mut recipients = vec![to(random)];
    if random.u8(0..5) == 0 {
        recipients.push(to(random));
        recipients.sort_unstable();
        recipients.dedup();
    }
    Facets {
        kind: FlowKind::Plain,
        status: FlowStatus::ALL[random.usize(0..4)],
        termination: None,
        types: ChannelSet::default().with(Channel::ALL[random.usize(0..3)]),
        recipients: recipients.into(),
    }
}

fn load(index: &Index, entries: &[Entry]) {
    let mut loader = index.loader();
    entries.iter().for_each(|(application, created_ms, id, facets)| {
        loader.add(application, *created_ms, *id, facets);
    });
    loader.finish();
}

/// What an index answers to many questions.
fn answers(index: &Index) -> Vec<(usize, Vec<index::Key>)> {
    let mut random = fastrand::Rng::with_seed(9);
    let questions = (0..300).map(|i| {
        let term = random.u32(0..3000).to_string();
        let term = if random.bool() { term } else { format!("+3069{term}") };
        let operator =
            [TextOperator::Is, TextOperator::Contains, TextOperator::StartsWith, TextOperator::EndsWith]
                [random.usize(0..4)];
        let mut filters = vec![Filter { predicate: Predicate::To(operator, term), negated: random.bool() }];
        if random.bool() {
            let predicate = Predicate::Status(FlowStatus::ALL[random.usize(0..4)]);
            filters.push(Filter { predicate, negated: random.bool() });
        }
        Query {
            application: if i % 2 == 0 { "a".into() } else { "b".into() },
            from: None,
            until: None,
            filters,
            order: Order::NewestFirst,
            offset: random.usize(0..50),
            limit: 20,
        }
    });
    questions.map(|query| index.search(&query)).map(|found| (found.total, found.keys)).collect()
}

#[test]
fn what_is_read_is_what_was_written_through_many_changes_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let mut index = Index::with_limits(LIMITS);
    let mut known: Vec<Entry> = Vec::new();
    for position in 0..60 {
        for _ in 0..100 {
            if random.u8(0..3) > 0 || known.is_empty() {
                known.push(entry(&mut random));
            } else {
                let at = random.usize(0..known.len());
                if random.u8(0..10) == 0 {
                    let (application, created_ms, id, _) = known.swap_remove(at);
                    if random.bool() {
                        index.remove(application, created_ms, id);
                    } else {
                        index.erase(application, created_ms, id);
                    }
                    continue;
                }
                let changed = facets(&mut random);
                let same_recipients = random.u8(0..4) > 0;
                let recipients = known[at].3.recipients.clone();
                known[at].3 = if same_recipients { Facets { recipients, ..changed } } else { changed };
                let last = known.len() - 1;
                known.swap(at, last);
            }
            index.put(known.last().cloned());
        }
        while random.bool() && index.tidy() {}
        let before = answers(&index);
        index.save(directory.path(), "store", &[position]).unwrap();
        assert_eq!(answers(&index), before, "the index goes on with its files");
        if random.bool() {
            let read = Index::with_limits(LIMITS);
            let report = read.read(directory.path(), "store").unwrap();
            assert_eq!((&*report.position, read.len()), (&[position][..], known.len()));
            assert_eq!(answers(&read), before);
            index = read;
        }
    }
    for (application, created_ms, id, facets) in &known {
        assert_eq!(index.get(application, *created_ms, *id).as_ref(), Some(facets));
    }
    let fresh = Index::with_limits(LIMITS);
    load(&fresh, &known);
    assert_eq!(answers(&index), answers(&fresh));
}

fn filled(directory: &Path) -> std::io::Result<Index> {
    let mut random = fastrand::Rng::with_seed(2);
    let entries: Vec<Entry> = (0..1000).map(|_| entry(&mut random)).collect();
    let index = Index::with_limits(LIMITS);
    load(&index, &entries);
    index.save(directory, "store", &[1])?;
    index.put(entries.into_iter().step_by(7).map(|(application, created_ms, id, facets)| {
        let status = FlowStatus::Failed;
        (application, created_ms, id, Facets { status, ..facets })
    }));
    index.put((0..5).map(|_| entry(&mut random)));
    index.save(directory, "store", &[2])?;
    Ok(index)
}

#[test]
fn damage_anywhere_in_any_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path()).unwrap());
    let open = || {
        let index = Index::with_limits(LIMITS);
        index.read(directory.path(), "store").map(|_| index)
    };
    assert!(open().is_ok());
    let mut random = fastrand::Rng::with_seed(3);
    let files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let kinds = ["segment", "patch", "loose"];
    assert!(kinds.iter().all(|kind| files.iter().any(|file| file.extension().is_some_and(|e| e == *kind))));
    for file in &files {
        let content = std::fs::read(file).unwrap();
        for _ in 0..60 {
            let mut damaged = content.clone();
            match random.u8(0..3) {
                0 => damaged.truncate(random.usize(0..content.len())),
                _ => {
                    let at = random.usize(0..content.len());
                    damaged[at] ^= 1 << random.u8(0..8);
                }
            }
            std::fs::write(file, &damaged).unwrap();
            // Between two sections there is nothing that anybody reads.
            match open() {
                Err(FilesError::Damaged { file: named, .. }) => assert_eq!(&named, file),
                Err(other) => panic!("{other} for {}", file.display()),
                Ok(index) => assert!(file.extension().is_some() && index.len() == 1005),
            }
        }
        std::fs::remove_file(file).unwrap();
        assert!(matches!(open(), Err(FilesError::Damaged { .. } | FilesError::Missing)));
        std::fs::write(file, &content).unwrap();
    }
    assert!(open().is_ok());
    assert!(matches!(Index::default().read(directory.path(), "another"), Err(FilesError::Foreign)));
}

#[test]
fn an_interrupted_save_leaves_the_last_one() {
    let directory = tempfile::tempdir().unwrap();
    let index = filled(directory.path()).unwrap();
    let before = answers(&index);
    // Files without a manifest that names them, as a crash leaves them.
    std::fs::write(directory.path().join("00000099.segment"), b"half").unwrap();
    std::fs::write(directory.path().join("manifest.new"), b"half").unwrap();
    let read = Index::with_limits(LIMITS);
    let report = read.read(directory.path(), "store").unwrap();
    assert_eq!((&*report.position, answers(&read)), (&[2][..], before));
    read.save(directory.path(), "store", &[3]).unwrap();
    assert!(!directory.path().join("00000099.segment").exists());
}

#[test]
fn removed_flows_free_their_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    let entries: Vec<Entry> = (0..5000).map(|_| entry(&mut random)).collect();
    let index = Index::with_limits(LIMITS);
    load(&index, &entries);
    let before = index.save(directory.path(), "store", &[1]).unwrap().bytes;
    for (application, created_ms, id, _) in &entries[..4500] {
        index.remove(application, *created_ms, *id);
    }
    while index.tidy() {}
    let after = index.save(directory.path(), "store", &[2]).unwrap().bytes;
    assert_eq!(index.len(), 500);
    assert!(after * 4 < before, "{after} of {before} octets");
}

#[test]
fn nothing_is_left_of_what_was_erased() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    // Each has a recipient of its own.
    let entries: Vec<Entry> = (0..1000)
        .map(|i| {
            let (_, created_ms, id, facets) = entry(&mut random);
            let recipients = [format!("+3069{i:06}").into_boxed_str()].into();
            ("a", created_ms, id, Facets { recipients, ..facets })
        })
        .collect();
    let index = Index::with_limits(LIMITS);
    load(&index, &entries);
    index.put(entries[..30].iter().map(|(application, created_ms, id, facets)| {
        let recipients = [format!("+4479{}", created_ms % 1_000_000).into_boxed_str()].into();
        (*application, *created_ms, *id, Facets { recipients, ..facets.clone() })
    }));
    index.save(directory.path(), "store", &[1]).unwrap();
    let recipients = || index::stats(directory.path()).unwrap().applications[0].recipients;
    // Those of the first 30 are in the segments and among the loose rows.
    assert_eq!(recipients(), 1000);
    for (application, created_ms, id, _) in &entries[..50] {
        index.erase(application, *created_ms, *id);
    }
    assert!(index.is_erasing());
    while index.tidy() {}
    assert!(!index.is_erasing());
    index.save(directory.path(), "store", &[2]).unwrap();
    assert_eq!((recipients(), index.len()), (950, 950));
}

/// A manifest's content with its checksum, as it stands in the file.
fn manifest(body: &str) -> String {
    format!("{:016x}\n{body}", xxhash_rust::xxh3::xxh3_64(body.as_bytes()))
}

/// Files of the first format, which named none and had a number as their position, are not damaged: they are
/// only made anew. So are those of a format to come.
#[test]
fn files_of_another_format_are_told_from_damaged_ones() {
    let directory = tempfile::tempdir().unwrap();
    let first = r#"{"identity":"store","position":7,"writer":3,"applications":[]}"#;
    let coming = r#"{"format":3,"all":"else"}"#;
    for (body, format) in [(first, 1), (coming, 3)] {
        std::fs::write(directory.path().join("manifest"), manifest(body)).unwrap();
        let read = Index::default().read(directory.path(), "store");
        assert!(matches!(read, Err(FilesError::OtherFormat { found, expected: 2 }) if found == format));
        let stats = index::stats(directory.path());
        assert!(matches!(stats, Err(FilesError::OtherFormat { .. })));
    }
    let broken = r#"{"format":2,"identity":"store"}"#;
    std::fs::write(directory.path().join("manifest"), manifest(broken)).unwrap();
    let read = Index::default().read(directory.path(), "store");
    assert!(matches!(read, Err(FilesError::Damaged { .. })));
    // They go with the next save, and its files have names that none of them had.
    std::fs::write(directory.path().join("00000007.segment"), b"of before").unwrap();
    let index = filled(directory.path()).unwrap();
    let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name == "manifest" || name.as_str() > "00000008"), "{names:?}");
    assert_eq!(index::stats(directory.path()).unwrap().applications.len(), 2);
    let read = Index::default().read(directory.path(), "store").unwrap();
    assert_eq!(read.bytes, size_of(directory.path()).unwrap());
    assert_eq!(index.len(), 1005);
}

fn size_of(directory: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

#[test]
fn a_position_comes_back_as_it_was_and_has_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::default();
    let position: Vec<u8> = (0..index::POSITION_OCTETS_MAX).map(|at| at as u8).collect();
    let saved = index.save(directory.path(), "store", &position).unwrap();
    assert_eq!(*saved.position, position);
    assert_eq!(*Index::default().read(directory.path(), "store").unwrap().position, position);
    assert_eq!(*index::stats(directory.path()).unwrap().position, position);
    let too_long = [&position[..], &[0]].concat();
    let error = index.save(directory.path(), "store", &too_long).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(*index::stats(directory.path()).unwrap().position, position);
}

/// What is saved already is not written again, and its patch only if something changed in it since.
#[test]
fn a_save_writes_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let index = filled(directory.path()).unwrap();
    let names = |directory: &Path| {
        let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".segment") || name.ends_with(".patch"));
        names.sort_unstable();
        names
    };
    let before = names(directory.path());
    index.save(directory.path(), "store", &[3]).unwrap();
    assert_eq!(names(directory.path()), before);
    let read = Index::with_limits(LIMITS);
    read.read(directory.path(), "store").unwrap();
    read.save(directory.path(), "store", &[4]).unwrap();
    assert_eq!(names(directory.path()), before);
    let mut random = fastrand::Rng::with_seed(2);
    let (application, created_ms, id, facets) = entry(&mut random);
    let changed = Facets { kind: FlowKind::Transactional, ..facets };
    read.put([(application, created_ms, id, changed)]);
    read.save(directory.path(), "store", &[5]).unwrap();
    let after = names(directory.path());
    let segments = |names: &[String]| names.iter().filter(|name| name.ends_with(".segment")).count();
    assert_eq!((after.len(), segments(&after)), (before.len(), segments(&before)));
    assert_eq!(after.iter().filter(|name| !before.contains(name)).count(), 1);
}
