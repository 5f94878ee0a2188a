//! What a worker has computed since its last commit, coalesced: one row per key, one position per partition.
//!
//! It holds only what the worker's own messages said, so filling it takes no lock.
//!
//! This file must not know how a commit is written.

use std::collections::{BTreeMap, HashMap};

use chalk_connectors::Position;

use super::key::BuildKeyHasher;
use super::row::{self, Stamp};
use crate::fates::Tally;

/// Work that is not committed yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// By store key.
    pub rows: HashMap<Box<[u8]>, Vec<u8>, BuildKeyHasher>,
    /// By source number and partition.
    pub positions: BTreeMap<(u32, i32), Position>,
    /// What the engine logged of these messages: events, dedup keys, closed windows.
    pub events: Vec<u8>,
    /// Whether some of it is of windows that have run (`EngineState::closes_begin` was told).
    pub has_closes: bool,
    /// Per source number the greatest event time of an applied message.
    pub latest_us: BTreeMap<u32, i64>,
    /// Lines for the dead letter file.
    pub dead_letters: Vec<u8>,
    /// What became of which messages.
    pub tally: Tally,
    size_bytes: usize,
    scratch: Vec<u8>,
}

impl Pending {
    /// Adds what a message said about a key.
    pub fn put(&mut self, key: &[u8], layout: u32, stamp: &Stamp, values: &[u8]) {
        self.scratch.clear();
        row::put_group(&mut self.scratch, layout, stamp, values);
        match self.rows.get_mut(key) {
            Some(row) => {
                if let Some(merged) = row::merge(row, &self.scratch) {
                    self.size_bytes += merged.len().saturating_sub(row.len());
                    *row = merged;
                }
            }
            None => {
                self.size_bytes += key.len() + self.scratch.len() + 64;
                self.rows.insert(key.into(), self.scratch.clone());
            }
        }
    }

    /// Everything of that partition before `position` is in here now.
    pub fn advance(&mut self, source: u32, partition: i32, position: Position) {
        self.positions.insert((source, partition), position);
    }

    /// An applied message of the source had that event time.
    pub fn saw(&mut self, source: u32, time_us: i64) {
        let known = self.latest_us.entry(source).or_insert(time_us);
        *known = time_us.max(*known);
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.rows.is_empty() && self.events.is_empty()
    }

    /// Memory it takes, about.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes + self.dead_letters.len() + self.events.len()
    }
}
