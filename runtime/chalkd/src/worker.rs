//! A worker: reads its sources in turn, computes, and hands what gathered to its committer at intervals.
//!
//! This file must not know what messages or rows are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chalk_connectors::{Polled, SourceReader};

use crate::clock::now_us;
use crate::closing::Waiting;
use crate::committer::{Committer, Positions};
use crate::intake::{Filling, Intake};
use crate::metrics::Metrics;
use crate::state::State;
use crate::state::pending::Pending;
use crate::stop::Stop;

/// A commit is not put off beyond this much memory, even if that means waiting for the one before it.
const MAX_PENDING_BYTES: usize = 64 << 20;
/// The longest wait for messages: how soon a worker notices that it should stop.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// The wait for each of several sources when none has anything.
const SHARED_WAIT: Duration = Duration::from_millis(2);
/// How often it is looked whether windows may run, where that is waited for.
const CLOSE_POLL: Duration = Duration::from_millis(10);
/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// A worker's settings.
#[derive(Clone)]
pub struct WorkerSettings {
    /// `batch.max_messages`
    pub max_messages: usize,
    /// `batch.max_latency`
    pub max_latency: Duration,
    /// `commit.interval`
    pub commit_interval: Duration,
    /// Readers of sources that end, over all workers; when the last has ended and `until_end` is set, everything stops.
    pub unfinished: Arc<AtomicUsize>,
    /// `--until-end`
    pub until_end: bool,
}

/// A source on this worker.
pub struct WorkerSource {
    /// Its reader.
    pub reader: Box<dyn SourceReader>,
    /// Its batch.
    pub intake: Intake,
    /// Per resolver with tumbling windows those that are over and wait.
    pub(crate) waiting: Vec<Waiting>,
}

impl WorkerSource {
    /// A source whose messages go into the batch.
    pub fn new(reader: Box<dyn SourceReader>, intake: Intake) -> WorkerSource {
        let waiting = intake.plan().closes.iter().map(|_| Waiting::default()).collect();
        WorkerSource { reader, intake, waiting }
    }
}

/// A worker.
pub struct Worker {
    /// Its number.
    pub index: u32,
    /// Settings.
    pub settings: WorkerSettings,
    /// Its sources.
    pub sources: Vec<WorkerSource>,
    /// Its committer.
    pub committer: Committer,
    /// For the lag.
    pub state: Arc<State>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// The end.
    pub stop: Arc<Stop>,
}

impl Worker {
    /// Works until everything stops; what was computed is committed then.
    pub fn run(mut self) {
        if let Err(error) = self.work() {
            self.stop.fail(&error);
        }
    }

    fn work(&mut self) -> Result<(), String> {
        let mut pending = Pending::default();
        let mut last_commit = Instant::now();
        let mut last_lag = Instant::now();
        let mut was_idle = false;
        while !self.stop.is_requested() {
            let mut consumed = 0;
            for index in 0..self.sources.len() {
                let wait = match (self.sources.len(), was_idle) {
                    (1, _) => self.settings.commit_interval.min(MAX_WAIT),
                    (_, true) => SHARED_WAIT,
                    (_, false) => Duration::ZERO,
                };
                consumed += self.read(index, wait, &mut pending)?;
            }
            was_idle = consumed == 0;
            self.take_commits()?;
            let is_due = last_commit.elapsed() >= self.settings.commit_interval;
            let is_large = pending.size_bytes() >= MAX_PENDING_BYTES;
            if !pending.is_empty() && (is_large || is_due && self.committer.is_idle()) {
                last_commit = Instant::now();
                self.submit(&mut pending)?;
            }
            if last_lag.elapsed() >= LAG_INTERVAL {
                last_lag = Instant::now();
                self.measure_lag();
            }
            if self.sources.is_empty() {
                std::thread::sleep(MAX_WAIT);
            }
        }
        self.commit_all(&mut pending)
    }

    /// Reads a source once; a source that has ended is taken off the list.
    fn read(&mut self, index: usize, wait: Duration, pending: &mut Pending) -> Result<usize, String> {
        let Some(source) = self.sources.get_mut(index) else { return Ok(0) };
        let (max_messages, latency) = (self.settings.max_messages, self.settings.max_latency);
        if let Some(engine) = self.state.engine() {
            engine.begins(self.index);
        }
        let mut filling = Filling { intake: &mut source.intake, pending };
        let polled =
            source.reader.poll(max_messages, wait, latency, &mut filling).map_err(|error| error.to_string())?;
        source.intake.compute(pending)?;
        if pending.is_empty()
            && let Some(engine) = self.state.engine()
        {
            engine.rests(self.index);
        }
        self.close(index, false, pending)?;
        match polled {
            Polled::Messages(count) => Ok(count),
            Polled::Revoking(partitions) => {
                tracing::info!(
                    source = &*self.sources[index].intake.plan().name,
                    ?partitions,
                    "partitions are taken away"
                );
                self.commit_all(pending)?;
                if let Some(engine) = self.state.engine() {
                    let source = self.sources[index].intake.plan().index;
                    partitions
                        .iter()
                        .for_each(|partition| engine.keeper().revoke(source, (*partition).into(), now_us()));
                }
                self.sources[index].reader.release();
                Ok(0)
            }
            Polled::End => {
                self.commit_all(pending)?;
                // No later message will close its windows. Nothing of this worker is uncommitted while it waits for others.
                while !self.close(index, true, pending)? && !self.stop.is_requested() {
                    self.commit_all(pending)?;
                    std::thread::sleep(CLOSE_POLL);
                }
                self.commit_all(pending)?;
                let source = self.sources.remove(index);
                tracing::info!(source = &*source.intake.plan().name, "read to its end");
                if self.settings.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 && self.settings.until_end {
                    self.stop.request();
                }
                Ok(1)
            }
        }
    }

    /// Runs tumbling windows of a source that are over. False where some wait.
    fn close(&mut self, index: usize, at_end: bool, pending: &mut Pending) -> Result<bool, String> {
        let Some(engine) = self.state.engine() else { return Ok(true) };
        let now_us = now_us();
        let WorkerSource { intake, waiting, .. } = &mut self.sources[index];
        let mut are_run = true;
        for (plan, waiting) in intake.plan().closes.iter().zip(waiting) {
            are_run &= plan.run(engine, self.index, now_us, at_end, waiting, pending, &self.metrics)?;
        }
        Ok(are_run)
    }

    /// Hands everything pending to the committer, waiting for the commit before it.
    fn submit(&mut self, pending: &mut Pending) -> Result<(), String> {
        if let Some(positions) = self.committer.wait().map_err(|error| error.to_string())? {
            self.tell_readers(&positions);
        }
        if let Some(engine) = self.state.engine() {
            engine.submits(self.index);
        }
        self.committer.submit(std::mem::take(pending));
        Ok(())
    }

    /// Commits everything pending and waits until that is done.
    fn commit_all(&mut self, pending: &mut Pending) -> Result<(), String> {
        if !pending.is_empty() {
            self.submit(pending)?;
        }
        if let Some(positions) = self.committer.wait().map_err(|error| error.to_string())? {
            self.tell_readers(&positions);
        }
        Ok(())
    }

    fn take_commits(&mut self) -> Result<(), String> {
        if let Some(positions) = self.committer.poll().map_err(|error| error.to_string())? {
            self.tell_readers(&positions);
        }
        Ok(())
    }

    fn tell_readers(&mut self, positions: &Positions) {
        for source in &mut self.sources {
            let number = source.intake.plan().number;
            let of_source: Vec<_> = positions
                .iter()
                .filter(|((of, _), _)| *of == number)
                .map(|((_, partition), position)| (*partition, *position))
                .collect();
            if !of_source.is_empty() {
                source.reader.committed(&of_source);
            }
        }
    }

    fn measure_lag(&self) {
        for source in &self.sources {
            let plan = source.intake.plan();
            for (partition, end) in source.reader.ends() {
                let committed = self.state.position(plan.number, partition).map_or(0, |position| position.offset);
                let labels = [&*plan.name, &partition.to_string()];
                self.metrics.lag_messages.with_label_values(&labels).set((end - committed).max(0));
            }
        }
    }
}
