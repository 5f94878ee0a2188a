//! How far the commits of each worker are: what the rows of a window wait for.
//!
//! A worker applies events before it commits them. Who must not be committed before them asks what is being filled at that moment, and waits
//! until that is committed, or came to nothing: a worker that polls an empty topic fills and rests all the time, and may never commit again.
//!
//! This file must not know what is committed.

use std::sync::Mutex;

use super::hot::lock;

/// The commits of all workers.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Vec<Worker>>);

/// The commits of one worker: numbered in their order, each number used once, also for one that comes to nothing. One at a time is handed over and not
/// done.
#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    /// The last number that was given.
    begun: u64,
    /// The commit that is being filled.
    filling: Option<u64>,
    /// The last that was handed over.
    submitted: u64,
    /// The last that is done.
    committed: u64,
}

/// Commits that have to be done before something: by worker.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Vec<u64>);

impl Worker {
    fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// Whether everything is committed that was applied when this was its last commit.
    fn is_done(&self, number: u64) -> bool {
        // What is neither filled nor handed over came to nothing; those before it may still be on their way.
        let is_void = self.filling != Some(number) && self.submitted < number;
        self.committed >= number || is_void && self.committed == self.submitted
    }
}

impl Progress {
    fn change<R>(&self, worker: u32, change: impl FnOnce(&mut Worker) -> R) -> R {
        let mut workers = lock(&self.0);
        let count = workers.len().max(worker as usize + 1);
        workers.resize(count, Worker::default());
        change(&mut workers[worker as usize])
    }

    /// The worker is about to apply events that go into its next commit.
    pub(super) fn begins(&self, worker: u32) {
        self.change(worker, |worker| {
            if worker.filling.is_none() {
                worker.filling = Some(worker.begin());
            }
        });
    }

    /// The worker has applied nothing since its last commit.
    pub(super) fn rests(&self, worker: u32) {
        self.change(worker, |worker| worker.filling = None);
    }

    /// The worker has handed its commit over; the one before it is done.
    pub(super) fn submits(&self, worker: u32) {
        self.change(worker, |worker| {
            worker.submitted = worker.filling.take().unwrap_or_else(|| worker.begin());
        });
    }

    /// The commit that was handed over is done.
    pub(super) fn commits(&self, worker: u32) {
        self.change(worker, |worker| worker.committed = worker.submitted);
    }

    /// The commits of other workers with everything that is applied now.
    pub(super) fn awaited(&self, worker: u32) -> Awaited {
        let workers = lock(&self.0);
        let number = |(index, of): (usize, &Worker)| {
            if index == worker as usize { 0 } else { of.filling.unwrap_or(of.submitted) }
        };
        Awaited(workers.iter().enumerate().map(number).collect())
    }

    /// Whether those commits are done.
    pub(super) fn are_done(&self, awaited: &Awaited) -> bool {
        let workers = lock(&self.0);
        awaited.0.iter().zip(workers.iter()).all(|(number, worker)| worker.is_done(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_waited_for_until_it_is_committed() {
        let progress = Progress::default();
        progress.begins(1);
        let awaited = progress.awaited(0);
        progress.begins(1);
        assert!(!progress.are_done(&awaited), "events were applied and are not committed");
        progress.submits(1);
        assert!(!progress.are_done(&awaited), "handed over is not done");
        progress.begins(1);
        progress.rests(1);
        assert!(!progress.are_done(&awaited), "that what came after it was empty says nothing of it");
        progress.commits(1);
        assert!(progress.are_done(&awaited));
        assert!(progress.are_done(&progress.awaited(1)), "a worker does not wait for itself");
    }

    /// The workers of a topic of which one partition is silent: its worker begins and rests, and never commits.
    #[test]
    fn what_comes_to_nothing_is_not_waited_for() {
        let progress = Progress::default();
        progress.begins(1);
        let awaited = progress.awaited(0);
        progress.rests(1);
        assert!(progress.are_done(&awaited));
        progress.begins(1);
        assert!(progress.are_done(&awaited), "what is filled next is another");
        let second = progress.awaited(0);
        assert!(!progress.are_done(&second));
        progress.submits(1);
        assert!(!progress.are_done(&second));
        progress.commits(1);
        assert!(progress.are_done(&second));
    }

    #[test]
    fn commits_before_one_that_comes_to_nothing_are_waited_for() {
        let progress = Progress::default();
        progress.begins(1);
        progress.submits(1);
        progress.begins(1);
        let awaited = progress.awaited(0);
        progress.rests(1);
        assert!(!progress.are_done(&awaited), "the first is on its way");
        progress.commits(1);
        assert!(progress.are_done(&awaited));
        // A commit of closed windows alone was never filled.
        progress.submits(1);
        let awaited = progress.awaited(0);
        assert!(!progress.are_done(&awaited));
        progress.commits(1);
        assert!(progress.are_done(&awaited));
    }
}
