//! What a changelog gives back after being cut, damaged, rotated and taken over by another version.
//!
//! This file must not know what rows mean.

use chalk_connectors::Position;

use super::super::key;
use super::super::row::Stamp;
use super::*;

fn pending(offset: i64) -> Pending {
    let mut pending = Pending::default();
    let mut store_key = Vec::new();
    key::values_key(&mut store_key, 0, format!("key {}", offset % 3).as_bytes());
    let stamp = Stamp { timed: true, time_us: offset, offset, partition: 0, source: 0 };
    pending.put(&store_key, 0, &stamp, format!("value {offset}").as_bytes());
    pending.advance(0, 0, Position { offset: offset + 1, byte_offset: offset as u64 * 10 });
    pending.events.extend_from_slice(&offset.to_le_bytes());
    pending
}

/// With so many bytes of events behind the number.
fn large(offset: i64, size_bytes: usize) -> Pending {
    let mut pending = pending(offset);
    pending.events.extend((0..size_bytes).map(|at| (at as i64 * offset) as u8));
    pending
}

fn write(dir: &Path, seqs: std::ops::Range<u64>, last_seq: u64, segment_bytes: u64) {
    let logs = Changelogs::open(dir, segment_bytes).unwrap();
    let mut writer = Writer::new(0, last_seq);
    for seq in seqs {
        writer.append(&logs, seq, &pending(seq as i64), true).unwrap();
    }
}

fn replay(dir: &Path, applied: u64) -> Result<Vec<u64>, StoreError> {
    let logs = Changelogs::open(dir, 100).unwrap();
    let mut seqs = Vec::new();
    logs.replay(&BTreeMap::from([(0, applied)]), &mut |_, record| {
        assert_eq!(
            record.positions,
            [(0, 0, Position { offset: record.seq as i64 + 1, byte_offset: record.seq * 10 })]
        );
        let (number, more) = record.events.split_at(8);
        assert_eq!(number, record.seq.to_le_bytes());
        assert!(more.iter().enumerate().all(|(at, byte)| *byte == (at as u64 * record.seq) as u8));
        seqs.push(record.seq);
        Ok(())
    })?;
    Ok(seqs)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn records_come_back_in_order_over_rotated_segments() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1..20, 0, 300);
    assert!(files(dir.path()).len() > 3, "{:?}", files(dir.path()));
    assert_eq!(replay(dir.path(), 0).unwrap(), (1..20).collect::<Vec<_>>());
    assert_eq!(replay(dir.path(), 12).unwrap(), (13..20).collect::<Vec<_>>());
}

/// Large records are written in blocks, past the page cache; small ones lie between them, and both are in one order.
#[test]
fn large_and_small_records_come_back_in_order() {
    let sizes = [0, 200 << 10, (128 << 10) + 1, 10, 0, 128 << 10, 4096 * 50 - 100, 0];
    // Of the folder of the test, which is on a disk, and of one in memory, which may have no direct writes.
    let places = [tempfile::tempdir().ok(), tempfile::tempdir_in("/dev/shm").ok()];
    for dir in places.iter().flatten() {
        let logs = Changelogs::open(dir.path(), 64 << 20).unwrap();
        let mut writer = Writer::new(0, 0);
        let mut is_synced = true;
        for (seq, size_bytes) in (1..).zip(sizes.iter().chain(&sizes)) {
            writer.append(&logs, seq, &large(seq as i64, *size_bytes), is_synced).unwrap();
            // Those that are not brought to the disk one by one go through the page cache.
            is_synced = seq % 5 != 0;
        }
        assert_eq!(replay(dir.path(), 0).unwrap(), (1..17).collect::<Vec<_>>());
        // A cut at a block, or beside it, leaves a beginning of them.
        let path = &files(dir.path())[0];
        let bytes = fs::read(path).unwrap();
        let mut most = 0;
        for size in (0..bytes.len()).step_by(4096 * 5).flat_map(|block| [block, block + 1, block + 4000]) {
            fs::write(path, &bytes[..size.min(bytes.len())]).unwrap();
            let seqs = replay(dir.path(), 0).unwrap();
            assert_eq!(seqs, (1..1 + seqs.len() as u64).collect::<Vec<_>>(), "cut to {size} bytes");
            assert!(seqs.len() >= most, "cut to {size} bytes");
            most = seqs.len();
            fs::write(path, &bytes).unwrap();
        }
        assert!(most >= 14);
    }
}

/// A record that cannot be read is not passed over for one that was written behind it.
#[test]
fn damage_before_a_large_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Changelogs::open(dir.path(), 64 << 20).unwrap();
    let mut writer = Writer::new(0, 0);
    for (seq, size_bytes) in [(1, 0), (2, 0), (3, 1 << 20)] {
        writer.append(&logs, seq, &large(seq as i64, size_bytes), true).unwrap();
    }
    let path = &files(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let second = bytes.windows(7).rposition(|window| window == b"value 2").expect("it is there");
    bytes[second] ^= 1;
    fs::write(path, bytes).unwrap();
    let error = replay(dir.path(), 0).unwrap_err();
    assert!(error.to_string().contains("follows record 2"), "{error}");
}

#[test]
fn a_torn_tail_stops_replay_and_the_next_run_goes_on_behind_it() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), 1..4, 0, 1 << 20);
    let bytes = fs::read(&files(whole.path())[0]).unwrap();
    for size in 0..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(files(whole.path())[0].file_name().unwrap());
        fs::write(&path, &bytes[..size]).unwrap();
        let seqs = replay(dir.path(), 0).unwrap();
        assert_eq!(seqs, (1..1 + seqs.len() as u64).collect::<Vec<_>>(), "cut to {size} bytes");
        let last = seqs.len() as u64;
        write(dir.path(), last + 1..last + 3, last, 1 << 20);
        assert_eq!(replay(dir.path(), 0).unwrap(), (1..last + 3).collect::<Vec<_>>(), "cut to {size} bytes, then on");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), 1..3, 0, 1 << 20);
    let path = &files(whole.path())[0];
    let bytes = fs::read(path).unwrap();
    for at in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(path.file_name().unwrap()), &flipped).unwrap();
        match replay(dir.path(), 0) {
            Ok(seqs) => assert!(seqs.is_empty() || seqs == [1], "bit {at}: {seqs:?}"),
            Err(error) => assert!(at < 8 * 8 && error.to_string().contains("another version"), "bit {at}: {error}"),
        }
    }
}

#[test]
fn damage_in_the_middle_is_refused_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1..20, 0, 300);
    let middle = &files(dir.path())[1];
    let mut bytes = fs::read(middle).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(middle, bytes).unwrap();
    let error = replay(dir.path(), 0).unwrap_err();
    assert!(error.to_string().contains("the changelog is damaged"), "{error}");
    fs::remove_file(middle).unwrap();
    assert!(replay(dir.path(), 0).is_err(), "a missing segment is found too");
}

#[test]
fn only_segments_that_are_wholly_applied_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1..20, 0, 300);
    let logs = Changelogs::open(dir.path(), 300).unwrap();
    logs.replay(&BTreeMap::new(), &mut |_, _| Ok(())).unwrap();
    let before = files(dir.path()).len();
    let applied = BTreeMap::from([(0, 10)]);
    assert!(logs.delete_applied(&applied).unwrap() > 0);
    assert!(files(dir.path()).len() < before);
    assert_eq!(replay(dir.path(), 10).unwrap(), (11..20).collect::<Vec<_>>());
    assert!(replay(dir.path(), 0).is_err(), "without the checkpoint that allowed it, they are missed");
}

#[test]
fn records_of_several_logs_come_back_in_the_order_of_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Changelogs::open(dir.path(), 300).unwrap();
    let mut writers = [Writer::new(0, 0), Writer::new(1, 0), Writer::new(2, 0)];
    for seq in 1..60u64 {
        let writer = &mut writers[(seq * seq % 7 % 3) as usize];
        writer.append(&logs, seq, &pending(seq as i64), true).unwrap();
    }
    assert_eq!(replay(dir.path(), 0).unwrap(), (1..60).collect::<Vec<_>>());
}

#[test]
fn the_log_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("worker-000-00000000000000000001.log"), b"CHKLOG1\nanything").unwrap();
    let error = replay(dir.path(), 0).unwrap_err();
    assert!(error.to_string().contains("another version of chalkd"), "{error}");
}
