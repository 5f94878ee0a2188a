//! A worker's commits, on a thread of their own, so that waiting for the disk does not stop the computing.
//!
//! One commit is under way at most; what is computed meanwhile gathers for the next one. Dead letters are written
//! before
//! the commit that covers their messages.
//!
//! This file must not know how messages are computed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chalk_connectors::Position;

use crate::config::Fsync;
use crate::dead_letters::DeadLetters;
use crate::fates::FateCounts;
use crate::metrics::Metrics;
use crate::state::State;
use crate::state::changelog::Writer;
use crate::state::pending::Pending;
use crate::state::store::StoreError;

/// What commits go into.
pub struct CommitTarget {
    /// The state.
    pub state: Arc<State>,
    /// The dead letter file.
    pub dead_letters: Arc<DeadLetters>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Where the fates of committed messages are counted.
    pub fates: Arc<FateCounts>,
    /// `commit.fsync`
    pub fsync: Fsync,
    /// `commit.fsync_interval`
    pub fsync_interval: Duration,
}

/// Positions by source number and partition.
pub type Positions = BTreeMap<(u32, i32), Position>;

/// The worker's side.
pub struct Committer {
    submit: Option<SyncSender<Pending>>,
    done: Receiver<Result<Positions, StoreError>>,
    under_way: bool,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread of a worker.
    pub fn start(worker: u32, writer: Writer, target: CommitTarget) -> std::io::Result<Committer> {
        let (submit, submitted) = sync_channel(1);
        let (report, done) = channel();
        let thread = thread::Builder::new()
            .name(format!("commit-{worker}"))
            .spawn(move || serve(worker, writer, &target, &submitted, &report))?;
        Ok(Committer { submit: Some(submit), done, under_way: false, thread: Some(thread) })
    }

    /// Whether a commit can be submitted without waiting.
    pub fn is_idle(&self) -> bool {
        !self.under_way
    }

    /// Starts a commit. The one before it has been reported.
    pub fn submit(&mut self, pending: Pending) {
        assert!(!self.under_way, "one commit at a time");
        self.under_way = true;
        if let Some(submit) = &self.submit {
            // A thread that is gone has reported why.
            let _ = submit.send(pending);
        }
    }

    /// The outcome of the commit under way, if it is there.
    pub fn poll(&mut self) -> Result<Option<Positions>, StoreError> {
        match self.done.try_recv() {
            Ok(outcome) => {
                self.under_way = false;
                outcome.map(Some)
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ended()),
        }
    }

    /// Waits for the commit under way.
    pub fn wait(&mut self) -> Result<Option<Positions>, StoreError> {
        if !self.under_way {
            return Ok(None);
        }
        self.under_way = false;
        self.done.recv().map_err(|_| ended())?.map(Some)
    }
}

fn ended() -> StoreError {
    StoreError("the thread that commits has ended".to_owned())
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.submit = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    worker: u32,
    mut writer: Writer,
    target: &CommitTarget,
    submitted: &Receiver<Pending>,
    report: &Sender<Result<Positions, StoreError>>,
) {
    let mut last_sync = Instant::now();
    loop {
        let outcome = match submitted.recv_timeout(target.fsync_interval) {
            Ok(pending) => commit(worker, &mut writer, target, pending).map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                if let Err(error) = writer.sync() {
                    tracing::error!(%error, "the last commits may not survive a power cut");
                }
                return;
            }
        };
        let outcome = outcome.and_then(|positions| {
            if last_sync.elapsed() >= target.fsync_interval {
                writer.sync()?;
                last_sync = Instant::now();
            }
            Ok(positions)
        });
        match outcome {
            Ok(None) => {}
            Ok(Some(positions)) => {
                let _ = report.send(Ok(positions));
            }
            // The log may end in half a record now: nothing may be appended behind it.
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        }
    }
}

fn commit(worker: u32, writer: &mut Writer, target: &CommitTarget, pending: Pending) -> Result<Positions, StoreError> {
    pending.tally.check();
    let timer = target.metrics.commit_seconds.start_timer();
    let sync = target.fsync == Fsync::Commit;
    if !pending.dead_letters.is_empty() {
        target.dead_letters.append(&pending.dead_letters, sync)?;
    }
    target.state.commit(writer, worker, &pending, sync)?;
    timer.observe_duration();
    target.metrics.committed_rows.inc_by(pending.rows.len() as u64);
    target.fates.commit(&target.metrics, &pending.tally);
    Ok(pending.positions)
}
