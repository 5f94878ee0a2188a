//! What a keeper is told: limits of time, what things are called in logs and stores, and what is done elsewhere.
//!
//! This file must not know how state is kept.

use std::sync::Arc;

use chalk_artifact::manifest::{Manifest, SqlWindow};
use chalk_state::EventBatch;
use chalk_types::Value;

/// What a keeper is told.
#[derive(Clone)]
pub struct KeeperOptions {
    /// A message whose event time is further ahead of the broker's time is a dead letter.
    pub max_future_skew_us: i64,
    /// A partition without a message for so long does not hold a watermark back.
    pub idle_after_us: i64,
    /// Whether one log has all partitions, and is committed as a whole. How far a source was is written into it then; a log of some
    /// partitions must not say so, because the others' messages that led there may not be committed.
    pub is_one_log: bool,
    /// What feeds and resolvers are called.
    pub numbers: Numbers,
    /// Images of entries that are not in memory; none where all are.
    pub cold: Option<Arc<dyn ColdEntries>>,
    /// Runs SQL; a program with `sql` resolvers needs it.
    pub sql: Option<Arc<dyn SqlRunner>>,
}

impl KeeperOptions {
    /// For a process without a store: an hour of skew, 30 s until idle.
    pub fn in_memory(manifest: &Manifest) -> KeeperOptions {
        KeeperOptions {
            max_future_skew_us: 3_600_000_000,
            idle_after_us: 30_000_000,
            is_one_log: true,
            numbers: Numbers::by_position(manifest),
            cold: None,
            sql: None,
        }
    }
}

/// What logs and stores call parts of a program. A number stands for a definition: where one changes it gets another number, and what
/// is logged under the old one is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Per resolver, per feed of it: a number, different from all others. It stands for the resolver's source and name, and the aggregation's
    /// definition.
    pub feeds: Vec<Vec<u32>>,
    /// Per resolver a number: for its dedup and its watermark.
    pub resolvers: Vec<u32>,
}

impl Numbers {
    /// By position: good within one process.
    pub fn by_position(manifest: &Manifest) -> Numbers {
        let mut next = 0..;
        let mut feeds = Vec::new();
        for resolver in &manifest.resolvers {
            feeds.push(next.by_ref().take(resolver.feeds.len()).collect());
        }
        Numbers { feeds, resolvers: (0..manifest.resolvers.len() as u32).collect() }
    }
}

/// A store of images of entries that are not in memory.
pub trait ColdEntries: Send + Sync {
    /// The image last given for the key's bytes in the table of that feed number and partition; none where there is none.
    fn get(&self, feed: u32, partition: i64, key: &[u8]) -> Result<Option<Vec<u8>>, String>;
}

/// Runs the query of an `sql` resolver.
pub trait SqlRunner: Send + Sync {
    /// The rows that the query gives over a window's messages, each with a value per column of the result. The batches are in the order of
    /// partitions, and their columns are those of `sql.columns`.
    fn run(&self, sql: &SqlWindow, messages: &[&EventBatch]) -> Result<Vec<Vec<Value>>, String>;
}
