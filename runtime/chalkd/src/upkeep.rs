//! What goes on beside the stream: state is loaded after a start, checkpointed, expired and kept within memory.
//!
//! This file must not know how state is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::now_us;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::state::{EngineState, State};
use crate::stop::Stop;

/// How often it is looked whether it is time for something.
const TICK: Duration = Duration::from_millis(100);

/// What goes on beside the stream.
pub(crate) struct Upkeep {
    /// The state.
    pub(crate) state: Arc<State>,
    /// Metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// Settings.
    pub(crate) config: Config,
    /// The end.
    pub(crate) stop: Arc<Stop>,
    /// Source, by position in the manifest → its number.
    pub(crate) sources: BTreeMap<u32, u32>,
}

impl Upkeep {
    /// Works until the workers have ended, and makes a last checkpoint then.
    pub(crate) fn run(&self, workers_ended: &AtomicBool) {
        if let Err(error) = self.work(workers_ended) {
            self.stop.fail(&error);
        }
    }

    fn work(&self, workers_ended: &AtomicBool) -> Result<(), String> {
        thread::scope(|scope| {
            // Its own thread: a checkpoint must not wait until ten million entries are in memory.
            let ended = || workers_ended.load(Ordering::Acquire);
            let loader = scope.spawn(move || self.load(&ended));
            let mut loader = Some(loader);
            let mut last = Instant::now();
            loop {
                if loader.as_ref().is_some_and(|loader| loader.is_finished()) || ended() {
                    match loader.take().map(|loader| loader.join()) {
                        Some(Ok(loaded)) => loaded?,
                        Some(Err(_)) => {
                            return Err("the thread that loads state panicked; this is a bug of chalkd".to_owned());
                        }
                        None => {}
                    }
                }
                let at_end = ended();
                if let Some(engine) = self.state.engine() {
                    self.expire(engine);
                }
                let pending_bytes = self.state.uncheckpointed_bytes();
                let is_due = last.elapsed() >= self.config.checkpoint_interval
                    || pending_bytes >= self.config.checkpoint_max_pending_bytes;
                if at_end || is_due && pending_bytes > 0 {
                    last = Instant::now();
                    self.checkpoint(loader.is_none())?;
                }
                self.show_sizes();
                if at_end {
                    return Ok(());
                }
                thread::sleep(TICK);
            }
        })
    }

    fn load(&self, ended: &dyn Fn() -> bool) -> Result<(), String> {
        let Some(engine) = self.state.engine() else { return Ok(()) };
        let started = Instant::now();
        let stop = || self.stop.is_requested() && ended();
        let loaded =
            engine.load(self.state.store(), self.config.max_memory_bytes, &stop).map_err(|error| error.to_string())?;
        if loaded > 0 {
            tracing::info!(entries = loaded, elapsed_ms = started.elapsed().as_millis() as u64, "state loaded");
        }
        Ok(())
    }

    /// Windows move with event time, so that is what state expires by: a file of last year keeps its windows. The wall clock bounds it, because
    /// queries ask at that time.
    fn expire(&self, engine: &EngineState) {
        let now_us = now_us();
        let low_of = |source: u32| {
            let number = self.sources.get(&source)?;
            Some(self.state.latest_us(*number)?.min(now_us))
        };
        self.metrics.expired.inc_by(engine.expire(&low_of) as u64);
    }

    fn checkpoint(&self, is_loaded: bool) -> Result<(), String> {
        let timer = self.metrics.checkpoint_seconds.start_timer();
        let report = self.state.checkpoint(self.config.max_rows_in_memory).map_err(|error| error.to_string())?;
        timer.observe_duration();
        self.metrics.checkpointed_rows.inc_by((report.rows + report.entries) as u64);
        tracing::debug!(?report, "checkpoint");
        if is_loaded && let Some(engine) = self.state.engine() {
            let evicted =
                engine.evict(self.state.store(), self.config.max_memory_bytes).map_err(|error| error.to_string())?;
            self.metrics.evicted.inc_by(evicted as u64);
        }
        self.metrics.store_bytes.set(self.state.store_bytes() as i64);
        self.metrics.changelog_bytes.set(self.state.changelog_bytes() as i64);
        Ok(())
    }

    fn show_sizes(&self) {
        let (rows, dirty) = self.state.row_counts();
        self.metrics.rows_in_memory.set(rows as i64);
        self.metrics.rows_dirty.set(dirty as i64);
        let Some(engine) = self.state.engine() else { return };
        let size = engine.keeper().size();
        let kinds = [("aggregates", size.entries, size.table_bytes), ("dedup", size.dedup_keys, size.dedup_bytes)];
        for (kind, entries, bytes) in kinds {
            self.metrics.state_entries.with_label_values(&[kind]).set(entries as i64);
            self.metrics.state_bytes.with_label_values(&[kind]).set(bytes as i64);
        }
    }
}
