//! The state of a running program: what its aggregations, dedups and tumbling windows have seen, and how far time is.
//!
//! Workers hand over each batch that an [`Executor`](crate::Executor) computed ([`Keeper::admit`]): messages of the future, late ones and
//! duplicates are sorted out, the others become events, which update tables and are appended to a log. Whoever commits
//! writes the log with positions and rows; [`Keeper::replay`] reads it back after a crash. Queries ask for aggregates at any time.
//!
//! A table belongs to one aggregation, one resolver that feeds it and one partition of its source, so that one worker at a time
//! updates it, in the order of offsets; a read folds a key's partials over tables in the order of [`TableId`].
//!
//! This module must not know where logs and images are kept, nor brokers.

mod admit;
mod clock;
mod close;
pub mod log;
mod options;
mod read;
mod replay;
mod resolver;
mod tables;

use std::sync::Arc;

use arrow_array::RecordBatch;
use chalk_state::{DedupKey, DedupSet, Table};
use chalk_types::{Type, Value};

pub(crate) use self::admit::Admission;
pub(crate) use self::close::order_of;
pub use self::options::{ColdEntries, KeeperOptions, Numbers, SqlRunner};
pub use self::read::ReadScratch;
use self::resolver::ResolverState;
use self::tables::Tables;
use crate::executor::OutputBatch;
use crate::input::InputBatch;
use crate::program::Program;

/// Which table. Tables are folded in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Position of the aggregation in the manifest.
    pub aggregation: u32,
    /// Position of the source.
    pub source: u32,
    /// The partition.
    pub partition: i64,
    /// Position of the resolver whose messages are the events.
    pub resolver: u32,
    /// The number of this resolver's feed of this aggregation ([`Numbers::feeds`]): what stores call it.
    pub feed: u32,
}

/// Rows of a tumbling window that is over; a window of many keys comes in several pieces.
pub struct Closed {
    /// The resolver, by position in the manifest.
    pub resolver: usize,
    /// The window's length.
    pub window_us: i64,
    /// Its start.
    pub start_us: i64,
    /// Its end: the event time of every row.
    pub end_us: i64,
    /// Positions of the features in the class, one per column; the primary key is among them.
    pub features: Vec<u32>,
    /// The language's type of each column.
    pub types: Vec<Type>,
    /// One row per key, in the order of keys; columns have fully qualified names.
    pub batch: RecordBatch,
    /// Keys whose values failed, and why. A null key: the whole window failed.
    pub failures: Vec<(Value, String)>,
}

/// What state there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Entries of tables in memory.
    pub entries: usize,
    /// Bytes of tables in memory.
    pub table_bytes: usize,
    /// Keys that dedups remember, about.
    pub dedup_keys: usize,
    /// Bytes of dedups.
    pub dedup_bytes: usize,
}

/// The state of a running program; shared by all threads.
pub struct Keeper {
    program: Arc<Program>,
    options: KeeperOptions,
    /// Per aggregation.
    tables: Vec<Tables>,
    /// Per resolver.
    resolvers: Vec<ResolverState>,
}

impl Keeper {
    /// Empty state of a program. An error says what the program needs that is not there (a runner of SQL).
    pub fn new(program: &Arc<Program>, options: KeeperOptions) -> Result<Keeper, String> {
        let manifest = program.manifest();
        let is_sql = |resolver: &&chalk_artifact::manifest::Resolver| {
            resolver.window.as_ref().is_some_and(|window| window.sql.is_some())
        };
        if let (Some(resolver), None) = (manifest.resolvers.iter().find(is_sql), &options.sql) {
            return Err(format!(
                "the resolver `{}` runs SQL, and this binary was built without it; build it with the feature `sql`",
                resolver.name
            ));
        }
        assert_eq!(options.numbers.resolvers.len(), manifest.resolvers.len(), "a number per resolver");
        Ok(Keeper {
            tables: program.layouts().iter().map(Tables::new).collect(),
            resolvers: resolver::of_manifest(manifest, &options),
            program: Arc::clone(program),
            options,
        })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Takes what a resolver made of a batch: decides which messages are of the future, late for every tumbling window, without an event time that
    /// is needed, or duplicates, and changes statuses, rows, errors and fates of `output` accordingly; updates the tables from the rest, and appends
    /// to `log` what a replay needs. Offsets of a partition ascend from batch to batch. `now_us` is the wall clock (for sources that are idle).
    ///
    /// An error is of the store behind [`ColdEntries`]: the batch was taken in part, and only a restart helps.
    pub fn admit(
        &self,
        resolver: usize,
        input: &InputBatch,
        output: &mut OutputBatch,
        now_us: i64,
        log: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.admit_batch(resolver, input, output, now_us, log)
    }

    /// Resolvers with tumbling windows, by position in the manifest.
    pub fn tumbling(&self) -> Vec<usize> {
        let has_windows = |(position, state): (usize, &ResolverState)| state.tumbling.is_some().then_some(position);
        self.resolvers.iter().enumerate().filter_map(has_windows).collect()
    }

    /// Runs the tumbling windows of a resolver that are over by its watermark at `now_us`, in the order of their ends. What `emit` gets and
    /// what is appended to `log` belong into one commit, which must not come before those of the events in the windows.
    pub fn close_due(
        &self,
        resolver: usize,
        now_us: i64,
        log: &mut Vec<u8>,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let Some(tumbling) = &self.resolvers[resolver].tumbling else { return Ok(()) };
        // Messages that are being judged go into their windows first.
        let _gate = tumbling.gate.write().expect("nobody panicked");
        let watermark_us = {
            let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
            clock.begin(now_us);
            clock.watermark_us()
        };
        let Some(watermark_us) = watermark_us else { return Ok(()) };
        self.close_until(resolver, watermark_us.saturating_sub(tumbling.allowed_lateness_us), log, emit)
    }

    /// The end of the last window of a resolver that has events and is over by its watermark at `now_us`; none where none is.
    pub fn due_until_us(&self, resolver: usize, now_us: i64) -> Option<i64> {
        let tumbling = self.resolvers[resolver].tumbling.as_ref()?;
        let until_us = self.watermark_us(resolver, now_us)?.saturating_sub(tumbling.allowed_lateness_us);
        self.last_end_us(tumbling, until_us)
    }

    /// The end of the last window of a resolver that has events.
    pub fn open_until_us(&self, resolver: usize) -> Option<i64> {
        self.last_end_us(self.resolvers[resolver].tumbling.as_ref()?, i64::MAX)
    }

    /// As [`Keeper::close_due`], of the windows that end at or before `until_us`, which are over.
    pub fn close_to(
        &self,
        resolver: usize,
        until_us: i64,
        log: &mut Vec<u8>,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let Some(tumbling) = &self.resolvers[resolver].tumbling else { return Ok(()) };
        let _gate = tumbling.gate.write().expect("nobody panicked");
        self.close_until(resolver, until_us, log, emit)
    }

    /// As [`Keeper::close_due`], of all windows with events, whatever the watermark: the source has come to its end.
    pub fn close_all(&self, resolver: usize, log: &mut Vec<u8>, emit: &mut dyn FnMut(Closed)) -> Result<(), String> {
        let Some(tumbling) = &self.resolvers[resolver].tumbling else { return Ok(()) };
        let _gate = tumbling.gate.write().expect("nobody panicked");
        self.close_until(resolver, i64::MAX, log, emit)
    }

    /// The watermark of a resolver with tumbling windows; none where nothing was accepted yet.
    pub fn watermark_us(&self, resolver: usize, now_us: i64) -> Option<i64> {
        let tumbling = self.resolvers[resolver].tumbling.as_ref()?;
        let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
        clock.begin(now_us);
        clock.watermark_us()
    }

    /// A worker reads a partition of a source from now on: watermarks wait for it until it is idle.
    pub fn assign(&self, source: usize, partition: i64, now_us: i64) {
        self.for_each_clock(source, |clock| clock.assign(partition, now_us));
    }

    /// No worker of this process reads the partition any more.
    pub fn revoke(&self, source: usize, partition: i64, now_us: i64) {
        self.for_each_clock(source, |clock| clock.revoke(partition, now_us));
    }

    fn for_each_clock(&self, source: usize, mut visit: impl FnMut(&mut clock::Clock)) {
        for state in self.resolvers.iter().filter(|state| state.source as usize == source) {
            if let Some(tumbling) = &state.tumbling {
                visit(&mut tumbling.clock.lock().expect("nobody panicked at this clock"));
            }
        }
    }

    /// Tables, in their order.
    pub fn tables(&self) -> Vec<TableId> {
        let mut ids = Vec::new();
        self.tables.iter().for_each(|tables| tables.for_each(|cell| ids.push(cell.id)));
        ids
    }

    /// Works on a table (images, expiry, eviction); it is made where it is not there yet. Others wait for it meanwhile.
    pub fn with_table<T>(&self, id: &TableId, work: impl FnOnce(&mut Table) -> T) -> T {
        let cell = self.tables[id.aggregation as usize].cell(id);
        let result = work(&mut cell.lock());
        cell.give_way();
        result
    }

    /// The table that a store calls by that feed number and partition; none where the program has no such feed.
    pub fn table_id(&self, feed: u32, partition: i64) -> Option<TableId> {
        self.resolvers.iter().find_map(|state| {
            let plan = state.feeds.iter().find(|plan| plan.number == feed)?;
            Some(TableId {
                aggregation: plan.aggregation as u32,
                source: state.source,
                partition,
                resolver: state.position,
                feed,
            })
        })
    }

    /// Dedup sets, by resolver (position in the manifest) and partition.
    pub fn dedup_sets(&self) -> Vec<(usize, i64)> {
        let mut found = Vec::new();
        for (position, state) in self.resolvers.iter().enumerate() {
            let sets = state.dedup.iter().flat_map(|sets| sets.all());
            found.extend(sets.map(|(partition, _)| (position, partition)));
        }
        found
    }

    /// Works on a dedup set, which is made where it is not there yet; none where the resolver has no dedup.
    pub fn with_dedup<T>(&self, resolver: usize, partition: i64, work: impl FnOnce(&mut DedupSet) -> T) -> Option<T> {
        let set = self.resolvers[resolver].dedup.as_ref()?.set(partition);
        let mut set = set.lock().expect("nobody panicked at this set");
        Some(work(&mut set))
    }

    /// Remembers keys that a store kept for the resolver of that number; passed over where the program has no such dedup.
    pub fn load_keys(&self, number: u32, partition: i64, keys: impl IntoIterator<Item = (DedupKey, i64)>) {
        let sets = self.resolvers.iter().find(|state| state.number == number).and_then(|state| state.dedup.as_ref());
        if let Some(sets) = sets {
            sets.set(partition).lock().expect("nobody panicked at this set").load(keys);
        }
    }

    /// How much there is.
    pub fn size(&self) -> StateSize {
        let mut size = StateSize::default();
        for cell in self.tables.iter().flat_map(Tables::all) {
            let table = cell.lock();
            size.entries += table.len();
            size.table_bytes += table.size_bytes();
        }
        for (resolver, partition) in self.dedup_sets() {
            let measure = |set: &mut DedupSet| (set.estimated_count(), set.size_bytes());
            let (keys, bytes) = self.with_dedup(resolver, partition, measure).unwrap_or_default();
            size.dedup_keys += keys;
            size.dedup_bytes += bytes;
        }
        size
    }

    /// Frees what no query and no window can see any more at or after `low_us`, looking at no more than `max_entries` entries of each
    /// table; gives how many keys are gone.
    pub fn expire(&self, low_us: i64, max_entries: usize) -> usize {
        let cells = self.tables.iter().flat_map(Tables::all);
        cells.map(|cell| cell.lock().expire(low_us, max_entries)).sum()
    }
}
