//! The changelog: the commit itself. One append-only sequence of checksummed records per worker.
//!
//! Segment file `worker-WWW-SSSSSSSSSSSSSSSSSSSS.log` (worker, sequence number of its first record): the 8 bytes
//! `CHKLOG3\n`, then records, each behind the one before or, after zeros, at the next multiple of 4096 (`segment.rs`):
//! `CRC32 of what follows u32 · size u32 · payload`. Payload: `seq u64 · previous seq u64 · position count u32 ·
//! (source u32 · partition i32 · offset i64 · byte offset u64)… · row count u32 · (varint size, key · varint size, row)… ·
//! events size u32 · events`, all little-endian. Rows are absolute, and entries of state remember the offset
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

mod chain;
mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::chain::Chain;
pub use self::record::Record;
use self::record::{encode_record, size_bytes};
use self::segment::{Buffer, Segment};
use super::pending::Pending;
use super::store::StoreError;

const MAGIC: &[u8; 8] = b"CHKLOG3\n";

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

/// One worker's end of its log.
#[derive(Debug)]
pub struct Writer {
    log: u32,
    last_seq: u64,
    segment: Option<Segment>,
    buffer: Buffer,
    unsynced: bool,
}

impl Writer {
    /// The end of the log after its record `last_seq`.
    pub fn new(log: u32, last_seq: u64) -> Writer {
        Writer { log, last_seq, segment: None, buffer: Buffer::default(), unsynced: false }
    }

    /// Appends the record; `sync` brings it to the disk before this returns.
    pub fn append(&mut self, logs: &Changelogs, seq: u64, pending: &Pending, sync: bool) -> Result<(), StoreError> {
        let encode = |buffer: &mut Vec<u8>| encode_record(buffer, seq, self.last_seq, pending);
        if self.buffer.fill(size_bytes(pending), encode).is_none() {
            return Err(StoreError("a commit is larger than 4 GiB; make commit.interval shorter".to_owned()));
        }
        if self.segment.as_ref().is_some_and(|segment| segment.size_bytes >= logs.segment_bytes) {
            self.rotate(logs)?;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(Segment::create(&logs.dir, self.log, seq)?),
        };
        // Were something before it not on the disk yet, a power cut could leave this record without that.
        segment.append(&mut self.buffer, sync && !self.unsynced)?;
        self.last_seq = seq;
        self.unsynced = true;
        if sync { self.sync() } else { Ok(()) }
    }

    /// Brings everything appended to the disk.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(segment) = &self.segment
            && self.unsynced
        {
            segment.sync()?;
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

/// Makes names in the folder durable.
fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed("sync", dir, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError(format!("cannot {what} `{}`: {error}", path.display()))
}
