//! One segment being written: records one behind the other, large ones past the page cache.
//!
//! What a commit writes is read after a crash at most, so the page cache gains nothing from it: copying into fresh pages is what a large
//! commit would cost most, and they push out what is read. So records from [`DIRECT_FROM_BYTES`] on that are brought to the disk at once are
//! written from whole aligned blocks with `O_DIRECT`. Blocks that hold a record are never written again: what is left of the last one
//! is zeros, and the next record, be it small, goes behind them.
//!
//! This file must not know what records hold.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::super::store::StoreError;
use super::{MAGIC, failed, sync_dir};

/// What places, sizes and addresses of direct writes are multiples of, on all common disks.
pub(super) const BLOCK_BYTES: usize = 4096;
/// The least size of a record that is written directly: less costs little to copy, and half a block of zeros would be much of it.
const DIRECT_FROM_BYTES: usize = 128 << 10;

/// The end of a log.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    /// The same file, for direct writes; none where they are not to be had.
    direct: Option<File>,
    pub(super) path: PathBuf,
    pub(super) size_bytes: u64,
}

/// A record to write, at the start of a block of memory.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where the record begins, and where it ends: behind it may be zeros.
    start: usize,
    end: usize,
}

impl Buffer {
    /// Empties it, with room for a record of so many bytes, behind which `fill` puts one.
    pub(super) fn fill(&mut self, size_bytes: usize, fill: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
        self.bytes.clear();
        self.bytes.reserve(size_bytes + 2 * BLOCK_BYTES);
        self.start = self.bytes.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        self.bytes.resize(self.start, 0);
        let filled = fill(&mut self.bytes);
        self.end = self.bytes.len();
        filled
    }

    pub(super) fn record(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The record and the rest of its last block, from the start of a block of memory; none where it needed more room than was said.
    fn blocks(&mut self) -> Option<&[u8]> {
        self.bytes.resize(self.start + self.record().len().next_multiple_of(BLOCK_BYTES), 0);
        let blocks = &self.bytes[self.start..];
        blocks.as_ptr().addr().is_multiple_of(BLOCK_BYTES).then_some(blocks)
    }
}

impl Segment {
    /// Creates the segment of a log that begins with a record.
    pub(super) fn create(dir: &Path, log: u32, first_seq: u64) -> Result<Segment, StoreError> {
        let path = dir.join(format!("worker-{log:03}-{first_seq:020}.log"));
        let file = File::create_new(&path).map_err(|error| failed("create", &path, &error))?;
        write_at(&file, MAGIC, 0).map_err(|error| failed("write", &path, &error))?;
        sync_dir(dir)?;
        let direct = open_direct(&path).ok();
        Ok(Segment { file, direct, path, size_bytes: MAGIC.len() as u64 })
    }

    /// Writes a record at its end; past the page cache where it may be: where all before it is on the disk, and this one is wanted there at once.
    pub(super) fn append(&mut self, record: &mut Buffer, may_be_direct: bool) -> Result<(), StoreError> {
        if may_be_direct && record.record().len() >= DIRECT_FROM_BYTES && self.append_directly(record)? {
            return Ok(());
        }
        let bytes = record.record();
        write_at(&self.file, bytes, self.size_bytes).map_err(|error| failed("write", &self.path, &error))?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Whether it could be.
    fn append_directly(&mut self, record: &mut Buffer) -> Result<bool, StoreError> {
        let (Some(direct), Some(blocks)) = (&self.direct, record.blocks()) else { return Ok(false) };
        let at = self.size_bytes.next_multiple_of(BLOCK_BYTES as u64);
        match write_at(direct, blocks, at) {
            Ok(()) => self.size_bytes = at + blocks.len() as u64,
            // The disk wants other multiples, or the file system has no such writes after all. What was written perhaps is written over.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.direct = None;
                return Ok(false);
            }
            Err(error) => return Err(failed("write", &self.path, &error)),
        }
        Ok(true)
    }

    /// Brings everything appended to the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| failed("sync", &self.path, &error))
    }
}

fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).custom_flags(libc::O_DIRECT).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::state::changelog::record::read_record;

    /// A file whose writes say that they are invalid stands for a disk that wants other blocks. Records of its page cache follow each other
    /// without zeros between them.
    #[test]
    fn where_direct_writes_are_refused_records_go_through_the_page_cache() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(dir.path(), 0, 1).unwrap();
        segment.direct = Some(File::options().write(true).open("/proc/self/oom_score_adj").unwrap());
        let mut buffer = Buffer::default();
        let mut pending = crate::state::pending::Pending::default();
        for (seq, size_bytes) in [(1, 10), (2, DIRECT_FROM_BYTES + 77), (3, 10), (4, DIRECT_FROM_BYTES)] {
            pending.events = vec![7; size_bytes];
            let encode = |bytes: &mut Vec<u8>| super::super::encode_record(bytes, seq, seq - 1, &pending);
            buffer.fill(super::super::size_bytes(&pending), encode).unwrap();
            segment.append(&mut buffer, true).unwrap();
        }
        assert!(segment.direct.is_none(), "it was tried once");
        let bytes = std::fs::read(&segment.path).unwrap();
        let mut rest = &bytes[MAGIC.len()..];
        let seqs: Vec<u64> = std::iter::from_fn(|| read_record(&mut rest).map(|record| record.seq)).collect();
        assert_eq!((seqs, rest.len()), (vec![1, 2, 3, 4], 0));
    }
}
