//! Tumbling windows that are over: runs them and puts their rows into the commit.
//!
//! This file must not know when a window is over, or what its rows say.

use chalk_engine::{Closed, Keeper};

use crate::metrics::Metrics;
use crate::online::{RowBuffers, RowWriter};
use crate::state::EngineState;
use crate::state::pending::Pending;
use crate::state::row::Stamp;

/// How the windows of a resolver are stored.
pub struct ClosePlan {
    /// The resolver, by position in the manifest.
    pub resolver: usize,
    /// Its name.
    pub name: String,
    /// The source's number.
    pub source: u32,
    /// Window length and how its rows are stored; none where nothing of it is kept online.
    pub writers: Vec<(i64, RowWriter)>,
}

impl ClosePlan {
    /// Runs the windows that are over; all of them `at_end` of the source. False where they may not run yet.
    pub fn run(
        &self,
        engine: &EngineState,
        now_us: i64,
        at_end: bool,
        pending: &mut Pending,
        metrics: &Metrics,
    ) -> Result<bool, String> {
        let Some(_guard) = engine.may_close() else { return Ok(false) };
        let keeper: &Keeper = engine.keeper();
        let mut events = std::mem::take(&mut pending.events);
        let before = events.len();
        let mut emit = |closed: Closed| self.store(&closed, pending, metrics);
        let outcome = if at_end {
            keeper.close_all(self.resolver, now_us, &mut events, &mut emit)
        } else {
            keeper.close_due(self.resolver, now_us, &mut events, &mut emit)
        };
        if events.len() > before && !std::mem::replace(&mut pending.has_closes, true) {
            engine.closes_begin();
        }
        pending.events = events;
        outcome.map(|()| true)
    }

    fn store(&self, closed: &Closed, pending: &mut Pending, metrics: &Metrics) {
        metrics.windows.with_label_values(&[&self.name]).inc();
        for (key, reason) in &closed.failures {
            metrics.window_failures.with_label_values(&[&self.name]).inc();
            tracing::warn!(
                resolver = self.name,
                key,
                window_end_us = closed.end_us,
                "a window's values failed: {reason}"
            );
        }
        let Some((_, writer)) = self.writers.iter().find(|(window_us, _)| *window_us == closed.window_us) else {
            return;
        };
        let mut buffers = RowBuffers::default();
        // A window has an end and no offset; one that runs again after a crash says the same.
        let stamp = Stamp { timed: true, time_us: closed.end_us, offset: 0, partition: 0, source: self.source };
        for row in &closed.rows {
            writer.write_values(row, &mut buffers);
            pending.put(&buffers.key, writer.layout(), &stamp, &buffers.values);
        }
    }
}
