//! The changelog: the commit itself. One append-only sequence of checksummed records per worker.
//!
//! Segment file `worker-WWW-SSSSSSSSSSSSSSSSSSSS.log` (worker, sequence number of its first record): the 8 bytes
//! `CHKLOG2\n`, then records: `CRC32 of what follows u32 · size u32 · payload`. Payload: `seq u64 · previous seq u64 ·
//! position count u32 · (source u32 · partition i32 · offset i64 · byte offset u64)… · row count u32 · (varint size,
//! key · varint size, row)… · events size u32 · events`, all little-endian. Rows are absolute, and entries of state remember the offset
//! of their last event, so replaying a record twice changes nothing. Events are what the engine logged, unread here.
//!
//! Files are rotated and deleted, never truncated or appended to by a later run: a torn tail stays where it is, reading
//! stops there, and the next run's first record says which record it follows. A chain that does not close means that
//! records are missing in the middle, which is refused.
//!
//! Sequence numbers are unique over all workers, in the order of the commits, so the later of two positions of a
//! partition is known even when it moved between workers.
//!
//! This file must not know what rows mean.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chalk_connectors::Position;

use super::pending::Pending;
use super::store::StoreError;
use chalk_types::varint;

const MAGIC: &[u8; 8] = b"CHKLOG2\n";
/// What the magic of every version begins with.
const MAGIC_FAMILY: &[u8] = b"CHKLOG";
/// CRC and size before each payload.
const FRAME_BYTES: usize = 8;

/// A record as it was read.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its number.
    pub seq: u64,
    /// The number of the record before it in the same log; 0 = none.
    pub previous: u64,
    /// Source, partition, position.
    pub positions: Vec<(u32, i32, Position)>,
    /// Keys and rows.
    pub rows: Vec<(&'a [u8], &'a [u8])>,
    /// What the engine logged: events, dedup keys, closed windows.
    pub events: &'a [u8],
}

/// A segment that is not written any more.
#[derive(Clone, Debug)]
struct Sealed {
    log: u32,
    path: PathBuf,
    last_seq: u64,
    size_bytes: u64,
}

/// The folder with every worker's segments.
#[derive(Debug)]
pub struct Changelogs {
    dir: PathBuf,
    segment_bytes: u64,
    sealed: Mutex<Vec<Sealed>>,
}

impl Changelogs {
    /// Opens the folder, creating it where it is missing.
    pub fn open(dir: &Path, segment_bytes: u64) -> Result<Changelogs, StoreError> {
        fs::create_dir_all(dir).map_err(|error| failed("create", dir, &error))?;
        Ok(Changelogs { dir: dir.to_owned(), segment_bytes, sealed: Mutex::default() })
    }

    fn sealed(&self) -> MutexGuard<'_, Vec<Sealed>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every record that is newer than `applied` says for its log, in the order of the numbers over all logs: a partition may
    /// have moved from one worker to another, and its events have an order. Returns the last number of each log. To be
    /// called once, before any writer is made.
    pub fn replay(
        &self,
        applied: &BTreeMap<u32, u64>,
        visit: &mut dyn FnMut(u32, &Record<'_>) -> Result<(), StoreError>,
    ) -> Result<BTreeMap<u32, u64>, StoreError> {
        let mut chains = Vec::new();
        for (log, segments) in self.segments()? {
            let mut chain = Chain::new(log, segments, applied.get(&log).copied().unwrap_or(0));
            chain.advance(self)?;
            chains.push(chain);
        }
        // The log whose next record has the least number; a handful of logs, so looking at each is as good as a heap.
        while let Some(chain) = chains.iter_mut().filter(|chain| chain.next.is_some()).min_by_key(|chain| chain.seq()) {
            if let Some(record) = chain.record()
                && record.seq > chain.applied
            {
                visit(chain.log, &record)?;
            }
            chain.advance(self)?;
        }
        let mut last_of = applied.clone();
        for chain in chains {
            // The chain is whole, so nothing in them was ever acknowledged; their names are wanted again.
            for path in &chain.empty {
                fs::remove_file(path).map_err(|error| failed("delete", path, &error))?;
            }
            if let Some(last) = chain.last {
                last_of.insert(chain.log, last.max(chain.applied));
            }
        }
        Ok(last_of)
    }

    /// The segments per log, in order.
    fn segments(&self) -> Result<BTreeMap<u32, Vec<PathBuf>>, StoreError> {
        let mut found: BTreeMap<(u32, u64), PathBuf> = BTreeMap::new();
        let entries = fs::read_dir(&self.dir).map_err(|error| failed("read", &self.dir, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| failed("read", &self.dir, &error))?.path();
            let numbers = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
                let (log, first) = name.strip_prefix("worker-")?.strip_suffix(".log")?.split_once('-')?;
                Some((log.parse().ok()?, first.parse().ok()?))
            });
            if let Some(numbers) = numbers {
                found.insert(numbers, path);
            }
        }
        let mut per_log: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
        for ((log, _), path) in found {
            per_log.entry(log).or_default().push(path);
        }
        Ok(per_log)
    }

    /// Deletes the segments whose every record is in the store. Returns how many.
    pub fn delete_applied(&self, applied: &BTreeMap<u32, u64>) -> Result<usize, StoreError> {
        let mut deleted = 0;
        let mut sealed = self.sealed();
        let mut kept = Vec::new();
        for segment in sealed.drain(..) {
            if segment.last_seq <= applied.get(&segment.log).copied().unwrap_or(0) {
                fs::remove_file(&segment.path).map_err(|error| failed("delete", &segment.path, &error))?;
                deleted += 1;
            } else {
                kept.push(segment);
            }
        }
        *sealed = kept;
        drop(sealed);
        if deleted > 0 {
            sync_dir(&self.dir)?;
        }
        Ok(deleted)
    }

    /// Bytes in sealed segments: what a start may have to replay, besides the segments being written.
    pub fn sealed_bytes(&self) -> u64 {
        self.sealed().iter().map(|segment| segment.size_bytes).sum()
    }
}

/// A log being read: its segments one after the other, and the record that is next.
struct Chain {
    log: u32,
    applied: u64,
    segments: std::vec::IntoIter<PathBuf>,
    segment: Option<(PathBuf, Vec<u8>)>,
    /// Where in the segment the next record is, and where it ends.
    next: Option<(usize, usize)>,
    /// The number of the last record so far.
    last: Option<u64>,
    /// Whether the segment has given a record.
    gave: bool,
    /// Segments without a record.
    empty: Vec<PathBuf>,
}

impl Chain {
    fn new(log: u32, segments: Vec<PathBuf>, applied: u64) -> Chain {
        let segments = segments.into_iter();
        Chain { log, applied, segments, segment: None, next: None, last: None, gave: false, empty: Vec::new() }
    }

    fn record(&self) -> Option<Record<'_>> {
        let ((_, bytes), (start, _)) = (self.segment.as_ref()?, self.next?);
        read_record(&mut &bytes[start..])
    }

    fn seq(&self) -> u64 {
        self.record().map_or(u64::MAX, |record| record.seq)
    }

    /// Goes to the record after the one that is next.
    fn advance(&mut self, logs: &Changelogs) -> Result<(), StoreError> {
        let mut at = self.next.take().map_or(MAGIC.len(), |(_, end)| end);
        loop {
            if let Some((path, bytes)) = &self.segment {
                let mut rest = bytes.get(at..).unwrap_or_default();
                if bytes.starts_with(MAGIC)
                    && let Some(record) = read_record(&mut rest)
                {
                    // It may also follow one that a checkpoint has made superfluous.
                    if self.last != Some(record.previous) && record.previous > self.applied {
                        return Err(broken(path, &record, self.last.unwrap_or(self.applied)));
                    }
                    self.last = Some(record.seq);
                    self.gave = true;
                    self.next = Some((at, bytes.len() - rest.len()));
                    return Ok(());
                }
                self.end_segment(logs, at);
            }
            let Some(path) = self.segments.next() else { return Ok(()) };
            let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
            if bytes.starts_with(MAGIC_FAMILY) && bytes.len() >= MAGIC.len() && !bytes.starts_with(MAGIC) {
                return Err(StoreError(format!(
                    "`{}` was written by another version of chalkd, whose changelog this one cannot read: run that version, or start \
                     with an empty data_dir to compute anew",
                    path.display()
                )));
            }
            self.segment = Some((path, bytes));
            self.gave = false;
            at = MAGIC.len();
        }
    }

    fn end_segment(&mut self, logs: &Changelogs, read: usize) {
        let Some((path, bytes)) = self.segment.take() else { return };
        if read < bytes.len() && self.segments.as_slice().is_empty() {
            tracing::warn!(
                segment = %path.display(),
                dropped_bytes = bytes.len() - read,
                "the changelog ends in a record that was not written to its end; it was not acknowledged and is passed over"
            );
        }
        match self.last {
            Some(last_seq) if self.gave => {
                logs.sealed().push(Sealed { log: self.log, path, last_seq, size_bytes: bytes.len() as u64 });
            }
            _ => self.empty.push(path),
        }
    }
}

fn broken(path: &Path, record: &Record<'_>, last: u64) -> StoreError {
    StoreError(format!(
        "the changelog is damaged: record {} in `{}` follows record {}, but what is there before it ends at {last}. Commits in between are \
         lost: restore data_dir from a copy, or start with an empty one to compute anew",
        record.seq,
        path.display(),
        record.previous,
    ))
}

/// One worker's end of its log.
#[derive(Debug)]
pub struct Writer {
    log: u32,
    last_seq: u64,
    segment: Option<Segment>,
    buffer: Vec<u8>,
    unsynced: bool,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    size_bytes: u64,
}

impl Writer {
    /// The end of the log after its record `last_seq`.
    pub fn new(log: u32, last_seq: u64) -> Writer {
        Writer { log, last_seq, segment: None, buffer: Vec::new(), unsynced: false }
    }

    /// Appends the record; `sync` brings it to the disk before this returns.
    pub fn append(&mut self, logs: &Changelogs, seq: u64, pending: &Pending, sync: bool) -> Result<(), StoreError> {
        self.buffer.clear();
        if encode_record(&mut self.buffer, seq, self.last_seq, pending).is_none() {
            return Err(StoreError("a commit is larger than 4 GiB; make commit.interval shorter".to_owned()));
        }
        if self.segment.as_ref().is_some_and(|segment| segment.size_bytes >= logs.segment_bytes) {
            self.rotate(logs)?;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(create_segment(&logs.dir, self.log, seq)?),
        };
        segment.file.write_all(&self.buffer).map_err(|error| failed("write", &segment.path, &error))?;
        segment.size_bytes += self.buffer.len() as u64;
        self.last_seq = seq;
        self.unsynced = true;
        if sync { self.sync() } else { Ok(()) }
    }

    /// Brings everything appended to the disk.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(segment) = &self.segment
            && self.unsynced
        {
            segment.file.sync_data().map_err(|error| failed("sync", &segment.path, &error))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Ends the segment; the next record begins another.
    fn rotate(&mut self, logs: &Changelogs) -> Result<(), StoreError> {
        // A later segment must never be there without the earlier one.
        self.sync()?;
        if let Some(Segment { path, size_bytes, .. }) = self.segment.take() {
            logs.sealed().push(Sealed { log: self.log, path, last_seq: self.last_seq, size_bytes });
        }
        Ok(())
    }
}

fn create_segment(dir: &Path, log: u32, first_seq: u64) -> Result<Segment, StoreError> {
    let path = dir.join(format!("worker-{log:03}-{first_seq:020}.log"));
    let mut file = File::create_new(&path).map_err(|error| failed("create", &path, &error))?;
    file.write_all(MAGIC).map_err(|error| failed("write", &path, &error))?;
    sync_dir(dir)?;
    Ok(Segment { file, path, size_bytes: MAGIC.len() as u64 })
}

/// Makes names in the folder durable.
fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed("sync", dir, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError(format!("cannot {what} `{}`: {error}", path.display()))
}

/// Appends the framed record; `None` where it would be larger than a frame can say.
fn encode_record(out: &mut Vec<u8>, seq: u64, previous: u64, pending: &Pending) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_BYTES]);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&previous.to_le_bytes());
    out.extend_from_slice(&(pending.positions.len() as u32).to_le_bytes());
    for ((source, partition), position) in &pending.positions {
        out.extend_from_slice(&source.to_le_bytes());
        out.extend_from_slice(&partition.to_le_bytes());
        out.extend_from_slice(&position.offset.to_le_bytes());
        out.extend_from_slice(&position.byte_offset.to_le_bytes());
    }
    out.extend_from_slice(&u32::try_from(pending.rows.len()).ok()?.to_le_bytes());
    for (key, row) in &pending.rows {
        varint::put(out, key.len() as u64);
        out.extend_from_slice(key);
        varint::put(out, row.len() as u64);
        out.extend_from_slice(row);
    }
    out.extend_from_slice(&u32::try_from(pending.events.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&pending.events);
    let size = u32::try_from(out.len() - start - FRAME_BYTES).ok()?;
    out[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    Some(())
}

fn read_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let mut input = *rest;
    let crc = u32::from_le_bytes(varint::take_array(&mut input)?);
    let summed = input;
    let size = u32::from_le_bytes(varint::take_array(&mut input)?) as usize;
    let payload = varint::take_bytes(&mut input, size)?;
    if crc32fast::hash(&summed[..4 + size]) != crc {
        return None;
    }
    *rest = input;
    decode_payload(payload)
}

fn decode_payload(mut input: &[u8]) -> Option<Record<'_>> {
    let input = &mut input;
    let seq = u64::from_le_bytes(varint::take_array(input)?);
    let previous = u64::from_le_bytes(varint::take_array(input)?);
    let positions = (0..u32::from_le_bytes(varint::take_array(input)?))
        .map(|_| {
            let source = u32::from_le_bytes(varint::take_array(input)?);
            let partition = i32::from_le_bytes(varint::take_array(input)?);
            let offset = i64::from_le_bytes(varint::take_array(input)?);
            let byte_offset = u64::from_le_bytes(varint::take_array(input)?);
            Some((source, partition, Position { offset, byte_offset }))
        })
        .collect::<Option<_>>()?;
    let rows = (0..u32::from_le_bytes(varint::take_array(input)?))
        .map(|_| Some((varint::take_sized(input)?, varint::take_sized(input)?)))
        .collect::<Option<_>>()?;
    let size = u32::from_le_bytes(varint::take_array(input)?) as usize;
    let events = varint::take_bytes(input, size)?;
    Some(Record { seq, previous, positions, rows, events })
}

#[cfg(test)]
mod tests {
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
            assert_eq!(record.events, record.seq.to_le_bytes());
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
            assert_eq!(
                replay(dir.path(), 0).unwrap(),
                (1..last + 3).collect::<Vec<_>>(),
                "cut to {size} bytes, then on"
            );
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
}
