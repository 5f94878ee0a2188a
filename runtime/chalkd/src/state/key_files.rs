//! Dedup keys on disk: per resolver and partition a few append-only files, each with the keys of a part of the time that they are remembered.
//!
//! Keys never go through the embedded store: they are written once, read once at a start, and forgotten all together, by deleting a file
//! when its latest key is forgotten.
//!
//! File `RESOLVER-PARTITION-NUMBER.keys`: the 8 bytes `CHKDED1\n`, then frames: `CRC32 of what follows u32 · size u32 · log u32 · seq u64 ·
//! keys`, the keys as the engine logs them (`key u128 · time i64`), all little-endian. A frame holds the keys of one record of
//! the changelog and says which: a frame whose record did not survive (a power cut may take the tail of the log) is dropped at the
//! next start, because a message that is read again must not be its own duplicate. A run only ever appends to files of its own.
//!
//! This file must not know how keys were made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chalk_engine::keeper::log::keys_of;
use chalk_types::varint;

use super::store::StoreError;

const MAGIC: &[u8; 8] = b"CHKDED1\n";
/// Frames are gathered up to this size before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// The time that keys are remembered is cut into so many files.
const FILES_PER_WITHIN: i64 = 16;

/// The files of all sets.
pub(super) struct KeyFiles {
    dir: PathBuf,
    /// Resolver number → how long a key is remembered.
    within_us: BTreeMap<u32, i64>,
    sets: BTreeMap<(u32, i64), SetFiles>,
    /// Files of earlier runs that are not read yet.
    found: BTreeMap<(u32, i64, u64), PathBuf>,
}

#[derive(Default)]
struct SetFiles {
    /// Files that are not written any more, with the time of their latest key.
    closed: Vec<(PathBuf, i64)>,
    open: Option<OpenFile>,
    next_number: u64,
    latest_us: Option<i64>,
}

struct OpenFile {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    unsynced: bool,
    first_us: i64,
    latest_us: i64,
}

impl KeyFiles {
    /// The folder, created where it is missing; `within_us` says per resolver number how long a key is remembered.
    pub(super) fn open(dir: &Path, within_us: BTreeMap<u32, i64>) -> Result<KeyFiles, StoreError> {
        fs::create_dir_all(dir).map_err(|error| failed("create", dir, &error))?;
        let mut files = KeyFiles { dir: dir.to_owned(), within_us, sets: BTreeMap::new(), found: BTreeMap::new() };
        for entry in fs::read_dir(dir).map_err(|error| failed("read", dir, &error))? {
            let path = entry.map_err(|error| failed("read", dir, &error))?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(parse_name) {
                let set = files.sets.entry((name.0, name.1)).or_default();
                set.next_number = set.next_number.max(name.2 + 1);
                files.found.insert(name, path);
            }
        }
        Ok(files)
    }

    /// Reads the keys of earlier runs, as resolver number, partition and the bytes that the engine logged. To be called once;
    /// `last_seqs` is the last record of each log that survived.
    pub(super) fn load(
        &mut self,
        last_seqs: &BTreeMap<u32, u64>,
        visit: &mut dyn FnMut(u32, i64, &[u8]),
    ) -> Result<(), StoreError> {
        for ((resolver, partition, _), path) in std::mem::take(&mut self.found) {
            let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
            let mut latest_us = None;
            let mut kept = MAGIC.to_vec();
            let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
            while let Some((log, seq, frame, keys)) = take_frame(&mut rest) {
                if seq <= last_seqs.get(&log).copied().unwrap_or(0) {
                    latest_us = latest_us.max(keys_of(keys).map(|(_, time_us)| time_us).max());
                    visit(resolver, partition, keys);
                    kept.extend_from_slice(frame);
                }
            }
            if kept.len() < bytes.len() {
                tracing::warn!(
                    file = %path.display(),
                    dropped_bytes = bytes.len() - kept.len(),
                    "dedup keys of commits that did not survive are dropped; their messages are read again"
                );
                let temporary = path.with_extension("tmp");
                fs::write(&temporary, &kept)
                    .and_then(|()| File::open(&temporary)?.sync_all())
                    .and_then(|()| fs::rename(&temporary, &path))
                    .map_err(|error| failed("write", &path, &error))?;
            }
            let set = self.sets.entry((resolver, partition)).or_default();
            set.latest_us = set.latest_us.max(latest_us);
            set.closed.push((path, latest_us.unwrap_or(i64::MIN)));
        }
        sync_dir(&self.dir)
    }

    /// Adds the keys of a record that was appended to the changelog.
    pub(super) fn add(
        &mut self,
        log: u32,
        seq: u64,
        resolver: u32,
        partition: i64,
        keys: &[u8],
    ) -> Result<(), StoreError> {
        let (mut first_us, mut latest_us) = (i64::MAX, i64::MIN);
        for (_, time_us) in keys_of(keys) {
            (first_us, latest_us) = (first_us.min(time_us), latest_us.max(time_us));
        }
        let slice_us = self.within_us.get(&resolver).copied().unwrap_or(i64::MAX) / FILES_PER_WITHIN;
        let set = self.sets.entry((resolver, partition)).or_default();
        if set.open.as_ref().is_some_and(|open| latest_us.saturating_sub(open.first_us) > slice_us) {
            set.close()?;
        }
        let open = match &mut set.open {
            Some(open) => open,
            none => {
                let path = self.dir.join(format!("{resolver}-{partition}-{:010}.keys", set.next_number));
                let file = File::create_new(&path).map_err(|error| failed("create", &path, &error))?;
                set.next_number += 1;
                let buffer = MAGIC.to_vec();
                none.insert(OpenFile { file, path, buffer, unsynced: true, first_us, latest_us })
            }
        };
        open.latest_us = open.latest_us.max(latest_us);
        set.latest_us = set.latest_us.max(Some(latest_us));
        put_frame(&mut open.buffer, log, seq, keys);
        if open.buffer.len() >= BUFFER_BYTES { open.write() } else { Ok(()) }
    }

    /// Brings everything that was added to the disk, and deletes files whose every key is forgotten. Gives how many.
    pub(super) fn checkpoint(&mut self) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for ((resolver, _), set) in &mut self.sets {
            if let Some(open) = &mut set.open {
                open.sync()?;
            }
            let Some(within_us) = self.within_us.get(resolver) else { continue };
            let forgotten_us = set.latest_us.and_then(|latest_us| latest_us.checked_sub(*within_us));
            let mut kept = Vec::new();
            for (path, latest_us) in set.closed.drain(..) {
                if Some(latest_us) <= forgotten_us {
                    fs::remove_file(&path).map_err(|error| failed("delete", &path, &error))?;
                    deleted += 1;
                } else {
                    kept.push((path, latest_us));
                }
            }
            set.closed = kept;
        }
        sync_dir(&self.dir)?;
        Ok(deleted)
    }
}

impl SetFiles {
    fn close(&mut self) -> Result<(), StoreError> {
        if let Some(mut open) = self.open.take() {
            open.sync()?;
            self.closed.push((open.path, open.latest_us));
        }
        Ok(())
    }
}

impl OpenFile {
    fn write(&mut self) -> Result<(), StoreError> {
        self.file.write_all(&self.buffer).map_err(|error| failed("write", &self.path, &error))?;
        self.buffer.clear();
        self.unsynced = true;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if !self.buffer.is_empty() {
            self.write()?;
        }
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data().map_err(|error| failed("sync", &self.path, &error))?;
        }
        Ok(())
    }
}

fn parse_name(name: &str) -> Option<(u32, i64, u64)> {
    let (resolver, rest) = name.strip_suffix(".keys")?.split_once('-')?;
    // A partition may be negative.
    let (partition, number) = rest.rsplit_once('-')?;
    Some((resolver.parse().ok()?, partition.parse().ok()?, number.parse().ok()?))
}

fn put_frame(out: &mut Vec<u8>, log: u32, seq: u64, keys: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&((keys.len() + 12) as u32).to_le_bytes());
    out.extend_from_slice(&log.to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(keys);
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Log, seq, the whole frame and the keys.
fn take_frame<'a>(rest: &mut &'a [u8]) -> Option<(u32, u64, &'a [u8], &'a [u8])> {
    let mut input = *rest;
    let crc = u32::from_le_bytes(varint::take_array(&mut input)?);
    let summed = input;
    let size = u32::from_le_bytes(varint::take_array(&mut input)?) as usize;
    let mut payload = varint::take_bytes(&mut input, size)?;
    if crc32fast::hash(&summed[..4 + size]) != crc {
        return None;
    }
    let frame = &rest[..8 + size];
    let log = u32::from_le_bytes(varint::take_array(&mut payload)?);
    let seq = u64::from_le_bytes(varint::take_array(&mut payload)?);
    *rest = input;
    Some((log, seq, frame, payload))
}

/// Makes names in the folder durable.
fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed("sync", dir, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError(format!("cannot {what} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(of: &[(u128, i64)]) -> Vec<u8> {
        of.iter().flat_map(|(key, time_us)| [&key.to_le_bytes()[..], &time_us.to_le_bytes()].concat()).collect()
    }

    fn open(dir: &Path) -> KeyFiles {
        KeyFiles::open(dir, BTreeMap::from([(1, 1_600), (2, 1_600)])).unwrap()
    }

    fn load(dir: &Path, last_seq: u64) -> Vec<(u32, i64, u128)> {
        let mut found = Vec::new();
        open(dir)
            .load(&BTreeMap::from([(0, last_seq)]), &mut |resolver, partition, keys| {
                found.extend(keys_of(keys).map(|(key, _)| (resolver, partition, key.0)));
            })
            .unwrap();
        found
    }

    fn count(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn keys_come_back_by_resolver_and_partition() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = open(dir.path());
        files.add(0, 1, 1, 0, &keys(&[(7, 10), (8, 11)])).unwrap();
        files.add(0, 1, 2, -3, &keys(&[(9, 10)])).unwrap();
        files.add(0, 2, 1, 0, &keys(&[(10, 12)])).unwrap();
        files.checkpoint().unwrap();
        assert_eq!(load(dir.path(), 2), [(1, 0, 7), (1, 0, 8), (1, 0, 10), (2, -3, 9)]);
    }

    /// A power cut may take the tail of the changelog and leave the keys: their messages are read again.
    #[test]
    fn keys_of_records_that_did_not_survive_are_dropped_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = open(dir.path());
        files.add(0, 1, 1, 0, &keys(&[(7, 10)])).unwrap();
        files.add(0, 2, 1, 0, &keys(&[(8, 11)])).unwrap();
        files.checkpoint().unwrap();
        drop(files);
        assert_eq!(load(dir.path(), 1), [(1, 0, 7)]);
        assert_eq!(load(dir.path(), 2), [(1, 0, 7)], "the number 2 is another record's now");
    }

    #[test]
    fn a_torn_frame_is_dropped_and_the_next_run_writes_its_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = open(dir.path());
        files.add(0, 1, 1, 0, &keys(&[(7, 10)])).unwrap();
        files.add(0, 2, 1, 0, &keys(&[(8, 11)])).unwrap();
        files.checkpoint().unwrap();
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for cut in [3, 8, 20, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(load(dir.path(), 2).len(), usize::from(cut > 40), "cut to {cut} bytes");
        }
        let mut files = open(dir.path());
        files.load(&BTreeMap::from([(0, 2)]), &mut |_, _, _| {}).unwrap();
        files.add(0, 3, 1, 0, &keys(&[(8, 11)])).unwrap();
        files.checkpoint().unwrap();
        assert_eq!(load(dir.path(), 3), [(1, 0, 7), (1, 0, 8)]);
        assert_eq!(count(dir.path()), 2);
    }

    #[test]
    fn forgotten_keys_take_their_files_along() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = open(dir.path());
        for step in 0..100u64 {
            files.add(0, step + 1, 1, 0, &keys(&[(u128::from(step), step as i64 * 100)])).unwrap();
            files.checkpoint().unwrap();
            assert!(count(dir.path()) <= 20, "{} files at {step}", count(dir.path()));
        }
        let found = load(dir.path(), 100);
        assert!(found.len() <= 20 && found.contains(&(1, 0, 84)) && found.contains(&(1, 0, 99)), "{found:?}");
    }
}
