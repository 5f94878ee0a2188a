//! Tumbling windows that are over: runs them and puts their rows into the commit.
//!
//! A window's events may have come through several workers. Its rows must not be committed before its events are: after a crash in
//! between, the events would be read again and be late for a window that has them already. So a window that is over is noted
//! first, and runs when all workers have committed what they had applied by then.
//!
//! This file must not know when a window is over, or what its rows say.

use chalk_engine::Closed;

use crate::metrics::Metrics;
use crate::online::{RowBuffers, RowWriter};
use crate::state::pending::Pending;
use crate::state::row::Stamp;
use crate::state::{Awaited, EngineState};

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

/// Windows of one resolver that one worker has found over and not run.
#[derive(Default)]
pub(crate) struct Waiting(Option<(i64, Awaited)>);

impl ClosePlan {
    /// Runs windows that are over; all of them `at_end` of the source. False where some wait for something.
    pub(crate) fn run(
        &self,
        engine: &EngineState,
        worker: u32,
        now_us: i64,
        at_end: bool,
        waiting: &mut Waiting,
        pending: &mut Pending,
        metrics: &Metrics,
    ) -> Result<bool, String> {
        let keeper = engine.keeper();
        if waiting.0.is_none() {
            let until_us =
                if at_end { keeper.open_until_us(self.resolver) } else { keeper.due_until_us(self.resolver, now_us) };
            waiting.0 = until_us.map(|until_us| (until_us, engine.awaited(worker)));
        }
        let Some((until_us, awaited)) = &waiting.0 else { return Ok(engine.may_close().is_some()) };
        if !engine.are_done(awaited) {
            return Ok(false);
        }
        let Some(_guard) = engine.may_close() else { return Ok(false) };
        let mut events = std::mem::take(&mut pending.events);
        let before = events.len();
        let mut last_end = None;
        let outcome = keeper.close_to(self.resolver, *until_us, &mut events, &mut |closed| {
            if last_end.replace((closed.end_us, closed.window_us)) != Some((closed.end_us, closed.window_us)) {
                metrics.windows.with_label_values(&[&self.name]).inc();
            }
            self.store(&closed, pending, metrics);
        });
        if events.len() > before && !std::mem::replace(&mut pending.has_closes, true) {
            engine.closes_begin();
        }
        pending.events = events;
        waiting.0 = None;
        outcome?;
        // What waited may have been some of them only.
        Ok(!at_end || keeper.open_until_us(self.resolver).is_none())
    }

    fn store(&self, closed: &Closed, pending: &mut Pending, metrics: &Metrics) {
        for (key, reason) in &closed.failures {
            metrics.window_failures.with_label_values(&[&self.name]).inc();
            tracing::warn!(
                resolver = self.name,
                ?key,
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
        for row in 0..closed.batch.num_rows() {
            writer.write(&closed.batch, row, &mut buffers);
            pending.put(&buffers.key, writer.layout(), &stamp, &buffers.values);
        }
    }
}
