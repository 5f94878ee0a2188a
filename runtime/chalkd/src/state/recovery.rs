//! The start: the last checkpoint, and the changelog replayed over it.
//!
//! Only what is newer than the checkpoint is read into memory; other rows are read when they are asked for.
//!
//! This file must not know sources or programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::changelog::{Changelogs, Writer};
use super::checkpoint::load_book;
use super::engine::EngineState;
use super::hot::State;
use super::store::{Store, StoreError};
use crate::clock::now_us;

/// State as the last commit left it.
pub struct Recovered {
    /// The state.
    pub state: State,
    /// Records replayed.
    pub records: usize,
    /// Rows in those.
    pub rows: usize,
    last_seqs: BTreeMap<u32, u64>,
}

impl Recovered {
    /// The end of a worker's log.
    pub fn writer(&self, log: u32) -> Writer {
        Writer::new(log, self.last_seqs.get(&log).copied().unwrap_or(0))
    }
}

/// Reads the store and the changelog in `changelog_dir`; the engine, where there is one, gets back what it had.
pub fn recover(
    store: Arc<dyn Store>,
    changelog_dir: &Path,
    segment_bytes: u64,
    engine: Option<EngineState>,
) -> Result<Recovered, StoreError> {
    let book = load_book(&*store)?;
    let (applied, marks) = (book.applied.clone(), book.marks.log());
    let state = State::new(store, Changelogs::open(changelog_dir, segment_bytes)?, book, engine);
    let now_us = now_us();
    if let Some(engine) = &state.engine {
        engine.keeper().replay(&marks, now_us).map_err(StoreError)?;
    }
    let (mut records, mut rows) = (0, 0);
    let last_seqs = state.logs.replay(&applied, &mut |log, record| {
        records += 1;
        rows += record.rows.len();
        let positions = record.positions.iter().copied();
        state.apply(log, record.seq, record.rows.iter().copied(), positions, record.events)?;
        if let Some(engine) = &state.engine {
            engine.add_keys(log, record.seq, record.events)?;
            engine.keeper().replay(record.events, now_us).map_err(StoreError)?;
        }
        Ok(())
    })?;
    if let Some(engine) = &state.engine {
        // Last, because only now it is known which commits survived.
        engine.load_keys(&last_seqs)?;
    }
    let next_seq = last_seqs.values().copied().max().unwrap_or(0) + 1;
    state.next_seq.store(next_seq, Ordering::Relaxed);
    Ok(Recovered { state, records, rows, last_seqs })
}
