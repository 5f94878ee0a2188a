//! What the engine keeps, tables of aggregations, dedup keys, windows that have run, made durable and kept within memory.
//!
//! The engine's state is ahead of the commits: events are applied when they are computed. That is harmless for tables, because an
//! entry remembers the offset of its last event and passes over what it has seen, so an image that is ahead of the log is read like
//! any other. It is not harmless for windows that have run: their entries are gone, and if an image of that reached the store
//! before the rows of the window reached the log, a crash would lose them. So a table of tumbling windows is written only while no window
//! that has run waits for its commit.
//!
//! Locks are taken in this order: `turn`, `closes`, a table, the images.
//!
//! This file must not know how entries are laid out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use chalk_artifact::manifest::AggregationKind;
use chalk_engine::keeper::log::{Entry, keys_of};
use chalk_engine::{Keeper, TableId};

use super::hot::lock;
use super::images::Images;
use super::key::table_prefix;
use super::key_files::KeyFiles;
use super::marks::read_entries;
use super::progress::{Awaited, Progress};
use super::slice::Slice;
use super::store::{Store, StoreError};
use crate::clock::now_us;

/// Entries written at once.
const SLICE_ENTRIES: usize = 50_000;
/// Entries taken or loaded under one lock of a table: queries wait for no more.
const PIECE_ENTRIES: usize = 1_024;
/// Entries of a table that is not wholly in memory that a sweep looks at, at each checkpoint.
const COLD_SWEEP_ENTRIES: usize = 20_000;
/// Entries of a table that one step of expiry looks at.
const EXPIRE_ENTRIES: usize = 4_096;
/// Lines of a dedup set that one call looks at.
const SWEEP_LINES: usize = 4096;
/// The wait for the commit of a window that has run.
const CLOSE_PATIENCE: Duration = Duration::from_secs(60);
const CLOSE_POLL: Duration = Duration::from_millis(2);

/// What the engine keeps, and where.
pub struct EngineState {
    keeper: Arc<Keeper>,
    images: Arc<Images>,
    keys: Mutex<KeyFiles>,
    /// Held by whoever moves entries between tables and store, so that an image that is on its way to the store is not replaced by
    /// an older one from there.
    turn: Mutex<()>,
    /// Held while windows run, and while tables of theirs are written.
    closes: Mutex<()>,
    /// Windows that have run and are not committed.
    uncommitted_closes: AtomicUsize,
    progress: Progress,
    /// Whether every entry of tumbling windows is in memory: before that none may run.
    is_ready: AtomicBool,
    /// Where the sweep of a table that is not wholly in memory goes on.
    swept: Mutex<BTreeMap<TableId, Vec<u8>>>,
}

/// Holds windows back, or tables of theirs.
pub struct ClosesGuard<'a>(#[allow(dead_code)] MutexGuard<'a, ()>);

impl EngineState {
    /// For a keeper whose cold entries are `images`. `within_us` says per resolver number how long dedup keys are remembered.
    pub fn new(
        keeper: Arc<Keeper>,
        images: Arc<Images>,
        keys_dir: &Path,
        within_us: BTreeMap<u32, i64>,
    ) -> Result<EngineState, StoreError> {
        Ok(EngineState {
            keeper,
            images,
            keys: Mutex::new(KeyFiles::open(keys_dir, within_us)?),
            turn: Mutex::new(()),
            closes: Mutex::new(()),
            uncommitted_closes: AtomicUsize::new(0),
            progress: Progress::default(),
            is_ready: AtomicBool::new(false),
            swept: Mutex::default(),
        })
    }

    /// The keeper.
    pub fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    /// Leave to run windows; none while entries of theirs are still being loaded, while a checkpoint waits for windows that have run to be
    /// committed, and while another worker runs some. Who is refused goes on, commits, and asks again.
    pub fn may_close(&self) -> Option<ClosesGuard<'_>> {
        let guard = match self.closes.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.is_ready.load(Ordering::Acquire).then_some(ClosesGuard(guard))
    }

    /// Windows have run; said once for each commit that they go into, before the guard is given back.
    pub fn closes_begin(&self) {
        self.uncommitted_closes.fetch_add(1, Ordering::AcqRel);
    }

    /// That commit is done.
    pub(super) fn closes_committed(&self) {
        self.uncommitted_closes.fetch_sub(1, Ordering::AcqRel);
    }

    /// The worker is about to apply events that go into its next commit.
    pub fn begins(&self, worker: u32) {
        self.progress.begins(worker);
    }

    /// The worker has applied nothing since its last commit.
    pub fn rests(&self, worker: u32) {
        self.progress.rests(worker);
    }

    /// The worker has handed its commit over; the one before it is done.
    pub fn submits(&self, worker: u32) {
        self.progress.submits(worker);
    }

    /// The commit that was handed over is done.
    pub(super) fn commits(&self, worker: u32) {
        self.progress.commits(worker);
    }

    /// The commits of other workers with everything that is applied now: a window's rows must not be committed before the events
    /// that they were made from.
    pub fn awaited(&self, worker: u32) -> Awaited {
        self.progress.awaited(worker)
    }

    /// Whether those commits are done.
    pub fn are_done(&self, awaited: &Awaited) -> bool {
        self.progress.are_done(awaited)
    }

    /// Takes up keys of a record that was appended to the log.
    pub(super) fn add_keys(&self, log: u32, seq: u64, events: &[u8]) -> Result<(), StoreError> {
        let mut result = Ok(());
        read_entries(events, |entry| {
            if let Entry::Keys { resolver, partition, keys } = entry
                && result.is_ok()
            {
                result = lock(&self.keys).add(log, seq, resolver, partition, keys);
            }
        })
        .map_err(StoreError)?;
        result
    }

    /// Gives the keeper the dedup keys of all files; `last_seqs` is the last record of each log that survived.
    pub(super) fn load_keys(&self, last_seqs: &BTreeMap<u32, u64>) -> Result<(), StoreError> {
        lock(&self.keys).load(last_seqs, &mut |resolver, partition, keys| {
            self.keeper.load_keys(resolver, partition, keys_of(keys));
        })
    }

    fn is_tumbling(&self, id: &TableId) -> bool {
        let kind = &self.keeper.program().manifest().aggregations[id.aggregation as usize].kind;
        matches!(kind, AggregationKind::Tumbling { .. } | AggregationKind::Messages { .. })
    }

    /// Makes the tables of these feeds and partitions, so that reads look for them in the store.
    pub fn make_tables(&self, tables: impl IntoIterator<Item = (u32, i64)>) {
        for (feed, partition) in tables {
            if let Some(id) = self.keeper.table_id(feed, partition) {
                self.keeper.with_table(&id, |_| ());
            }
        }
    }

    /// Loads entries into memory, those of tumbling windows first, until tables hold `max_bytes` or `stop` says so. Gives how many.
    pub fn load(&self, store: &dyn Store, max_bytes: usize, stop: &dyn Fn() -> bool) -> Result<usize, StoreError> {
        let (first, then): (Vec<_>, Vec<_>) = self.keeper.tables().into_iter().partition(|id| self.is_tumbling(id));
        let mut loaded = 0;
        for id in &first {
            loaded += self.load_table(store, id, usize::MAX, stop)?;
        }
        if !stop() {
            // Images may be older than the last windows that have run.
            let mut log = Vec::new();
            self.keeper.log_times(&mut log);
            self.keeper.replay(&log, now_us()).map_err(StoreError)?;
            self.is_ready.store(true, Ordering::Release);
        }
        for id in &then {
            loaded += self.load_table(store, id, max_bytes, stop)?;
        }
        Ok(loaded)
    }

    fn load_table(
        &self,
        store: &dyn Store,
        id: &TableId,
        max_bytes: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<usize, StoreError> {
        let (mut loaded, mut after) = (0, None);
        if self.images.is_complete(id.feed, id.partition)? {
            return Ok(0);
        }
        loop {
            if stop() || max_bytes != usize::MAX && self.keeper.size().table_bytes >= max_bytes {
                return Ok(loaded);
            }
            let _turn = lock(&self.turn);
            let (count, next) = self.load_piece(store, id, after.as_deref(), PIECE_ENTRIES)?;
            loaded += count;
            after = next;
            if after.is_none() {
                // Nothing is evicted before loading is through (`evict` comes after it, in the same thread).
                self.images.set_complete(id.feed, id.partition, true);
                return Ok(loaded);
            }
        }
    }

    /// Loads entries behind `after`; the caller has the turn.
    fn load_piece(
        &self,
        store: &dyn Store,
        id: &TableId,
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<(usize, Option<Vec<u8>>), StoreError> {
        let prefix = table_prefix(id.feed, id.partition);
        let mut piece = Vec::with_capacity(max);
        let next = store.scan(&prefix, after, max, &mut |key, image| {
            piece.push((key[prefix.len()..].to_vec(), image.to_vec()));
            Ok(())
        })?;
        self.keeper
            .with_table(id, |table| piece.iter().try_for_each(|(key, image)| table.load(key, image)))
            .map_err(|error| StoreError(format!("a stored entry of an aggregation cannot be read: {error}")))?;
        Ok((piece.len(), next))
    }

    /// Writes what changed in tables to the store. Gives how many entries.
    pub(super) fn checkpoint_tables(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let mut entries = 0;
        for id in self.keeper.tables() {
            let prefix = table_prefix(id.feed, id.partition);
            loop {
                let _turn = lock(&self.turn);
                let closes = if self.is_tumbling(&id) { Some(self.wait_for_closes()?) } else { None };
                let mut slice = Slice::default();
                let mut more = true;
                while more && slice.len() < SLICE_ENTRIES {
                    more = self.keeper.with_table(&id, |table| {
                        table.take_dirty(PIECE_ENTRIES, &mut |key, image| {
                            let store_key = [&prefix[..], key].concat();
                            if image.is_none() {
                                self.images.is_going(store_key.clone());
                            }
                            slice.put(store_key, image.map(<[u8]>::to_vec));
                        })
                    });
                }
                drop(closes);
                let (images, removed) = slice.finish();
                if !images.is_empty() || !removed.is_empty() {
                    store.apply(&images, &removed)?;
                }
                self.images.are_removed();
                entries += images.len() + removed.len();
                if !more {
                    break;
                }
            }
        }
        Ok(entries)
    }

    /// Brings dedup keys to the disk, and deletes those that are forgotten.
    pub(super) fn checkpoint_keys(&self) -> Result<usize, StoreError> {
        lock(&self.keys).checkpoint()
    }

    /// Lets no window run while the guard lives, and waits until every one that has run is committed. No window runs meanwhile, either: where old
    /// messages are read fast, some window has always just run.
    fn wait_for_closes(&self) -> Result<ClosesGuard<'_>, StoreError> {
        let guard = lock(&self.closes);
        let started = Instant::now();
        while self.uncommitted_closes.load(Ordering::Acquire) > 0 {
            if started.elapsed() > CLOSE_PATIENCE {
                return Err(StoreError("windows that have run are not being committed".to_owned()));
            }
            std::thread::sleep(CLOSE_POLL);
        }
        Ok(ClosesGuard(guard))
    }

    /// One step of expiry in every table: frees what no window can see at or after `low_of` its source (position in the manifest). Gives
    /// how many keys are gone.
    pub fn expire(&self, low_of: &dyn Fn(u32) -> Option<i64>) -> usize {
        let mut gone = 0;
        for id in self.keeper.tables() {
            if let Some(low_us) = low_of(id.source) {
                gone += self.keeper.with_table(&id, |table| table.expire(low_us, EXPIRE_ENTRIES));
            }
        }
        // Forgotten keys are free slots already; this gives back memory after a flood.
        for (resolver, partition) in self.keeper.dedup_sets() {
            self.keeper.with_dedup(resolver, partition, |set| set.sweep(SWEEP_LINES));
        }
        gone
    }

    /// Keeps memory within bounds, after a checkpoint: drops entries that are in the store where tables hold more than `max_bytes`, and looks
    /// at some of those that are only there, so that they expire too. Gives how many were dropped.
    pub fn evict(&self, store: &dyn Store, max_bytes: usize) -> Result<usize, StoreError> {
        let size_bytes = self.keeper.size().table_bytes;
        let mut evicted = 0;
        for id in self.keeper.tables().into_iter().filter(|id| !self.is_tumbling(id)) {
            let _turn = lock(&self.turn);
            if size_bytes > max_bytes {
                self.images.set_complete(id.feed, id.partition, false);
                evicted += self.keeper.with_table(&id, |table| {
                    // A tenth less, so that not every checkpoint has to.
                    let keep = table.len() as f64 * (max_bytes as f64 / size_bytes as f64) * 0.9;
                    table.evict(keep as usize)
                });
            } else if !self.images.is_complete(id.feed, id.partition)? {
                self.sweep_store(store, &id)?;
            }
        }
        Ok(evicted)
    }

    /// Removes entries of a table from the store that no window sees any more, looking at some; the caller has the turn.
    fn sweep_store(&self, store: &dyn Store, id: &TableId) -> Result<(), StoreError> {
        let after = lock(&self.swept).remove(id);
        let mut forgotten = Vec::new();
        let prefix = table_prefix(id.feed, id.partition);
        let next = store.scan(&prefix, after.as_deref(), COLD_SWEEP_ENTRIES, &mut |key, image| {
            if self.keeper.with_table(id, |table| table.is_forgotten(image)) {
                forgotten.push(key.to_vec());
            }
            Ok(())
        })?;
        if let Some(next) = next {
            lock(&self.swept).insert(*id, next);
        }
        if forgotten.is_empty() { Ok(()) } else { store.apply(&[], &forgotten) }
    }
}
