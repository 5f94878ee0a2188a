//! The tables of a keeper: found by where their events come from, locked one by one.
//!
//! A worker holds a table for one sub-batch at a time and lets waiting readers in between, so a query waits for microseconds.
//!
//! This file must not know what events mean.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use chalk_state::{ColdStore, Layout, Table};

use super::{ColdEntries, TableId};

/// How often a worker gives way to readers that wait, at most, between two sub-batches.
const GIVE_WAY_MAX: usize = 64;

/// A table, shared.
pub(super) struct Cell {
    pub(super) id: TableId,
    table: Mutex<Table>,
    waiting: AtomicUsize,
}

impl Cell {
    /// The table, for a reader.
    pub(super) fn read(&self) -> MutexGuard<'_, Table> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let table = self.lock();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        table
    }

    /// The table, for its owner.
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nobody panicked at this table")
    }

    /// Lets readers that wait go first.
    pub(super) fn give_way(&self) {
        for _ in 0..GIVE_WAY_MAX {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// The tables of one aggregation, in the order in which they are folded.
pub(super) struct Tables {
    layout: Arc<Layout>,
    cells: RwLock<BTreeMap<TableId, Arc<Cell>>>,
}

impl Tables {
    pub(super) fn new(layout: &Arc<Layout>) -> Tables {
        Tables { layout: Arc::clone(layout), cells: RwLock::default() }
    }

    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The table, made where it is not there yet.
    pub(super) fn cell(&self, id: &TableId) -> Arc<Cell> {
        if let Some(cell) = self.cells.read().expect("nobody panicked").get(id) {
            return Arc::clone(cell);
        }
        let mut cells = self.cells.write().expect("nobody panicked");
        let make = || {
            let table = Mutex::new(Table::new(&self.layout));
            Arc::new(Cell { id: *id, table, waiting: AtomicUsize::new(0) })
        };
        Arc::clone(cells.entry(*id).or_insert_with(make))
    }

    /// Visits every table in order.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Cell>)) {
        self.cells.read().expect("nobody panicked").values().for_each(&mut visit);
    }

    /// All tables in order.
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.cells.read().expect("nobody panicked").values().cloned().collect()
    }
}

/// The images of one table.
pub(super) struct ColdTable<'a> {
    entries: &'a dyn ColdEntries,
    feed: u32,
    partition: i64,
}

impl<'a> ColdTable<'a> {
    pub(super) fn of(entries: Option<&'a Arc<dyn ColdEntries>>, id: &TableId) -> Option<ColdTable<'a>> {
        entries.map(|entries| ColdTable { entries: &**entries, feed: id.feed, partition: id.partition })
    }
}

impl ColdStore for ColdTable<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.entries.get(self.feed, self.partition, key)
    }
}
