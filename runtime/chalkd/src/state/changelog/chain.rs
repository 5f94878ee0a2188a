//! One worker's log being read, record by record over its segments, each of which must follow the one before.
//!
//! This file must not know other workers' logs.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::store::StoreError;
use super::record::{Record, read_record};
use super::segment::BLOCK_BYTES;
use super::{Changelogs, MAGIC, Sealed, failed};

/// What the magic of every version begins with.
const MAGIC_FAMILY: &[u8] = b"CHKLOG";

/// A log being read: its segments one after the other, and the record that is next.
pub(super) struct Chain {
    pub(super) log: u32,
    pub(super) applied: u64,
    segments: std::vec::IntoIter<PathBuf>,
    segment: Option<(PathBuf, Vec<u8>)>,
    /// Where in the segment the next record is, and where it ends.
    pub(super) next: Option<(usize, usize)>,
    /// The number of the last record so far.
    pub(super) last: Option<u64>,
    /// Whether the segment has given a record.
    gave: bool,
    /// Segments without a record.
    pub(super) empty: Vec<PathBuf>,
}

impl Chain {
    pub(super) fn new(log: u32, segments: Vec<PathBuf>, applied: u64) -> Chain {
        let segments = segments.into_iter();
        Chain { log, applied, segments, segment: None, next: None, last: None, gave: false, empty: Vec::new() }
    }

    pub(super) fn record(&self) -> Option<Record<'_>> {
        let ((_, bytes), (start, _)) = (self.segment.as_ref()?, self.next?);
        read_record(&mut &bytes[start..])
    }

    pub(super) fn seq(&self) -> u64 {
        self.record().map_or(u64::MAX, |record| record.seq)
    }

    /// Goes to the record after the one that is next.
    pub(super) fn advance(&mut self, logs: &Changelogs) -> Result<(), StoreError> {
        let mut at = self.next.take().map_or(MAGIC.len(), |(_, end)| end);
        loop {
            if let Some((path, bytes)) = &self.segment {
                if let Some((start, record, end)) = next_record(bytes, at) {
                    // It may also follow one that a checkpoint has made superfluous.
                    if self.last != Some(record.previous) && record.previous > self.applied {
                        return Err(broken(path, &record, self.last.unwrap_or(self.applied)));
                    }
                    self.last = Some(record.seq);
                    self.gave = true;
                    self.next = Some((start, end));
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
        // A record that was written directly has zeros behind it.
        let is_torn = bytes.get(read..).unwrap_or_default().iter().any(|byte| *byte != 0);
        if is_torn && self.segments.as_slice().is_empty() {
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

/// The next record, with its place: where the one before ends or, if it was written directly, where the next block begins.
fn next_record(bytes: &[u8], at: usize) -> Option<(usize, Record<'_>, usize)> {
    let read = |start: usize| {
        let mut rest = bytes.get(start..)?;
        let record = read_record(&mut rest)?;
        Some((start, record, bytes.len() - rest.len()))
    };
    [at, at.next_multiple_of(BLOCK_BYTES)].into_iter().filter(|_| bytes.starts_with(MAGIC)).find_map(read)
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
