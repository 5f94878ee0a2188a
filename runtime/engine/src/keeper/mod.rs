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

mod options;

use std::sync::Arc;

use chalk_state::Table;
use chalk_types::Value;

pub use self::options::{ColdEntries, KeeperOptions, Numbers, SqlRunner};
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

/// Rows of a tumbling window that is over.
pub struct Closed {
    /// The resolver, by position in the manifest.
    pub resolver: usize,
    /// The window's length.
    pub window_us: i64,
    /// Its end: the event time of every row.
    pub end_us: i64,
    /// Positions of the features in the class, one per column.
    pub features: Vec<u32>,
    /// One row per key, in the order of keys; a value per column. The primary key is among them.
    pub rows: Vec<Vec<Value>>,
    /// Keys (as text) whose values failed, and why.
    pub failures: Vec<(String, String)>,
}

/// What state there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Entries of tables in memory.
    pub entries: usize,
    /// Bytes of tables in memory.
    pub table_bytes: usize,
    /// Keys that dedups remember.
    pub dedup_keys: usize,
    /// Bytes of them.
    pub dedup_bytes: usize,
}

/// The state of a running program; shared by all threads.
pub struct Keeper {
    program: Arc<Program>,
    options: KeeperOptions,
}

impl Keeper {
    /// Empty state of a program. An error says what the program needs that is not there (a runner of SQL).
    pub fn new(program: &Arc<Program>, options: KeeperOptions) -> Result<Keeper, String> {
        Ok(Keeper { program: Arc::clone(program), options })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Takes what a resolver made of a batch: decides which messages are of the future, late for every tumbling window, without an event time that is needed, or
    /// duplicates, and changes statuses, rows, errors and fates of `output` accordingly; updates the tables from the rest, and appends to `log` what a
    /// replay needs. Offsets of a partition ascend from batch to batch. `now_us` is the wall clock (for sources that are idle).
    ///
    /// An error is of the store behind [`ColdEntries`]: nothing can be said of the batch then.
    pub fn admit(
        &self,
        resolver: usize,
        input: &InputBatch,
        output: &mut OutputBatch,
        now_us: i64,
        log: &mut Vec<u8>,
    ) -> Result<(), String> {
        let _ = (resolver, input, output, now_us, log, &self.options);
        Ok(())
    }

    /// Does again what a log says. Entries of feeds and resolvers that the program no longer has are passed over.
    pub fn replay(&self, log: &[u8], now_us: i64) -> Result<(), String> {
        let _ = (log, now_us);
        Ok(())
    }

    /// Resolvers with tumbling windows, by position in the manifest.
    pub fn tumbling(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Runs the tumbling windows of a resolver that are over by its watermark at `now_us`, in the order of their ends. What `emit` gets and what is appended to `log` belong into
    /// one commit.
    pub fn close_due(
        &self,
        resolver: usize,
        now_us: i64,
        log: &mut Vec<u8>,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let _ = (resolver, now_us, log, emit);
        Ok(())
    }

    /// As [`Keeper::close_due`], of all windows with events, whatever the watermark: the source has come to its end.
    pub fn close_all(
        &self,
        resolver: usize,
        now_us: i64,
        log: &mut Vec<u8>,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let _ = (resolver, now_us, log, emit);
        Ok(())
    }

    /// The watermark of a resolver with tumbling windows; none where nothing was accepted yet.
    pub fn watermark_us(&self, resolver: usize, now_us: i64) -> Option<i64> {
        let _ = (resolver, now_us);
        None
    }

    /// What a class's aggregates (`FeatureClass::aggregates`) are for a key, as of now.
    pub fn aggregates(&self, class: usize, key: &Value, now_us: i64) -> Vec<Result<Value, String>> {
        let _ = (class, key, now_us);
        Vec::new()
    }

    /// Tables, in their order.
    pub fn tables(&self) -> Vec<TableId> {
        Vec::new()
    }

    /// Works on a table (images, expiry, eviction); it is made where it is not there yet. Others wait for it meanwhile.
    pub fn with_table<T>(&self, id: &TableId, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut Table::new(&self.program.layouts()[id.aggregation as usize]))
    }

    /// The table that a store calls by that feed number and partition; none where the program has no such feed.
    pub fn table_id(&self, feed: u32, partition: i64) -> Option<TableId> {
        let _ = (feed, partition);
        None
    }

    /// How much there is.
    pub fn size(&self) -> StateSize {
        StateSize::default()
    }

    /// Frees what no query and no window can see any more at or after `low_us`, looking at no more than `max_entries` entries of each
    /// table; gives how many keys are gone.
    pub fn expire(&self, low_us: i64, max_entries: usize) -> usize {
        let _ = (low_us, max_entries);
        0
    }
}
