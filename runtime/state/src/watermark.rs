//! How far the event time of a source is: per partition the greatest accepted event time, and of the source the least of them.
//!
//! A partition that says nothing would hold the source back for ever, so one that was silent for `idle_after` does not count. When all
//! are silent, the wall clock less `idle_after` takes over: the last windows of a source that has stopped still close.
//!
//! What a commit keeps is the greatest time of each partition *as of the commit's positions*. Messages after those positions are read
//! again after a crash, and are judged by the same watermark as the first time; a watermark ahead of its offsets would call them late.
//!
//! Future-dated events never get here: who calls refuses them first.
//!
//! This file must not know windows.

use std::collections::BTreeMap;

/// The watermarks of one source.
#[derive(Clone, Debug)]
pub struct Watermarks {
    idle_after_us: i64,
    /// Wall clock when this process began to watch the source.
    started_us: i64,
    /// Whether this process reads partitions: some were assigned to it, or gave a message. Before that, and until `idle_after` after the start,
    /// the source is waited for: partitions that a log tells of are perhaps not all there are.
    is_read: bool,
    partitions: BTreeMap<i32, Partition>,
    /// The greatest watermark that was ever given.
    reached_us: Option<i64>,
    /// The least event time over partitions that are not idle, as of `least_until_us`; found anew when it may have changed.
    least: Least,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    /// None until it gives a message.
    greatest_us: Option<i64>,
    /// Wall clock of its last message.
    active_us: i64,
}

/// A cached answer.
#[derive(Clone, Copy, Debug)]
enum Least {
    /// To be found.
    Unknown,
    /// `time_us` holds while the wall clock is in `[from_us, until_us)` and no partition at `time_us` goes on; none = all are idle, or one
    /// that is not has no event time yet.
    Known { time_us: Option<i64>, all_idle: bool, from_us: i64, until_us: i64 },
}

impl Watermarks {
    /// Nothing is known yet; `wall_us` is the wall clock.
    pub fn new(idle_after_us: i64, wall_us: i64) -> Watermarks {
        Watermarks {
            idle_after_us,
            started_us: wall_us,
            is_read: false,
            partitions: BTreeMap::new(),
            reached_us: None,
            least: Least::Unknown,
        }
    }

    /// The source is watched from then on: it is not idle before `idle_after` later.
    pub fn watch_from(&mut self, wall_us: i64) {
        self.started_us = wall_us;
        self.least = Least::Unknown;
    }

    /// The partition is read from now on: the source waits for its first message, for `idle_after` at most.
    pub fn assign(&mut self, partition: i32, wall_us: i64) {
        let entry = self.partitions.entry(partition).or_insert(Partition { greatest_us: None, active_us: wall_us });
        entry.active_us = entry.active_us.max(wall_us);
        self.is_read = true;
        self.least = Least::Unknown;
    }

    /// The partition is read by somebody else now. When it was the last, others are waited for as at the beginning: between the end of
    /// one assignment and the next a source has no partitions, and is not idle.
    pub fn revoke(&mut self, partition: i32, wall_us: i64) {
        self.partitions.remove(&partition);
        if self.partitions.is_empty() {
            self.started_us = self.started_us.max(wall_us);
            self.is_read = false;
        }
        self.least = Least::Unknown;
    }

    /// A message of the partition was accepted.
    pub fn observe(&mut self, partition: i32, event_time_us: i64, wall_us: i64) {
        let entry = self.partitions.entry(partition).or_insert(Partition { greatest_us: None, active_us: i64::MIN });
        let was_idle = entry.active_us == i64::MIN || wall_us.saturating_sub(entry.active_us) >= self.idle_after_us;
        entry.active_us = entry.active_us.max(wall_us);
        let before_us = entry.greatest_us;
        if before_us.is_none_or(|greatest_us| event_time_us > greatest_us) {
            entry.greatest_us = Some(event_time_us);
        }
        if !std::mem::replace(&mut self.is_read, true) {
            self.least = Least::Unknown;
        }
        // Only the partition that is the least, or one that begins to count, changes the least.
        if let Least::Known { time_us, .. } = self.least
            && (was_idle || before_us.is_none() || before_us == time_us)
        {
            self.least = Least::Unknown;
        }
    }

    /// No message before this time is waited for any more; none while nothing is known. Never moves back.
    pub fn source_watermark(&mut self, wall_us: i64) -> Option<i64> {
        let is_current =
            matches!(self.least, Least::Known { from_us, until_us, .. } if (from_us..until_us).contains(&wall_us));
        if !is_current {
            self.least = self.find_least(wall_us);
        }
        let Least::Known { time_us, all_idle, .. } = self.least else { unreachable!("it was found just now") };
        let now_us = if all_idle { Some(wall_us.saturating_sub(self.idle_after_us)) } else { time_us };
        self.reached_us = self.reached_us.max(now_us);
        self.reached_us
    }

    fn find_least(&self, wall_us: i64) -> Least {
        if !self.is_read && wall_us.saturating_sub(self.started_us) < self.idle_after_us {
            let until_us = self.started_us.saturating_add(self.idle_after_us);
            return Least::Known { time_us: None, all_idle: false, from_us: wall_us, until_us };
        }
        let mut time_us = Some(i64::MAX);
        let mut active = 0;
        // Idleness begins at these moments, and not before the earliest of them.
        let mut until_us = i64::MAX;
        for partition in self.partitions.values() {
            if wall_us.saturating_sub(partition.active_us) < self.idle_after_us {
                active += 1;
                // None, of a partition that was never heard, is less than any time.
                time_us = time_us.min(partition.greatest_us);
                until_us = until_us.min(partition.active_us.saturating_add(self.idle_after_us));
            }
        }
        let all_idle = active == 0;
        Least::Known { time_us: if all_idle { None } else { time_us }, all_idle, from_us: wall_us, until_us }
    }

    /// The greatest event time of each partition that had one.
    pub fn partition_times(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.partitions.iter().filter_map(|(number, partition)| Some((*number, partition.greatest_us?)))
    }

    /// The greatest event time of a partition: what a commit keeps beside its position.
    pub fn partition_time(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition)?.greatest_us
    }

    /// Takes up what a commit kept. The partition counts as heard of now, so that messages that waited while the process was down
    /// are not overtaken by the clock.
    pub fn restore(&mut self, partition: i32, greatest_us: i64, wall_us: i64) {
        let entry = self.partitions.entry(partition).or_insert(Partition { greatest_us: None, active_us: wall_us });
        entry.greatest_us = entry.greatest_us.max(Some(greatest_us));
        entry.active_us = entry.active_us.max(wall_us);
        self.least = Least::Unknown;
    }

    /// Windows that end here have been closed by a committed close: the watermark is not before that.
    pub fn restore_reached(&mut self, reached_us: i64) {
        self.reached_us = self.reached_us.max(Some(reached_us));
    }

    /// The greatest watermark that was given.
    pub fn reached(&self) -> Option<i64> {
        self.reached_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE_AFTER: i64 = 30;

    #[test]
    fn the_least_partition_decides_until_it_is_idle() {
        let mut marks = Watermarks::new(IDLE_AFTER, 0);
        assert_eq!(marks.source_watermark(0), None, "nothing is known");
        marks.observe(0, 1_000, 1);
        marks.observe(1, 500, 2);
        assert_eq!(marks.source_watermark(3), Some(500));
        marks.observe(1, 700, 4);
        marks.observe(1, 600, 5);
        assert_eq!(marks.source_watermark(5), Some(700), "an event out of order takes nothing back");
        marks.observe(0, 1_100, 30);
        assert_eq!(marks.source_watermark(34), Some(700), "29 after its last message it still counts");
        assert_eq!(marks.source_watermark(35), Some(1_100), "30 after it, it is idle");
    }

    #[test]
    fn it_never_moves_back() {
        let mut marks = Watermarks::new(IDLE_AFTER, 0);
        marks.observe(0, 1_000, 0);
        assert_eq!(marks.source_watermark(0), Some(1_000));
        marks.observe(1, 10, 1);
        assert_eq!(marks.source_watermark(1), Some(1_000), "a partition that joins late is behind, the source is not");
        marks.observe(1, 2_000, 2);
        marks.observe(0, 1_500, 2);
        assert_eq!(marks.source_watermark(2), Some(1_500));
    }

    #[test]
    fn when_all_are_idle_the_clock_goes_on() {
        let mut marks = Watermarks::new(IDLE_AFTER, 0);
        marks.observe(0, 5, 100);
        assert_eq!(marks.source_watermark(129), Some(5));
        assert_eq!(marks.source_watermark(130), Some(100));
        assert_eq!(marks.source_watermark(170), Some(140));
        marks.observe(0, 90, 171);
        assert_eq!(marks.source_watermark(171), Some(140), "what comes now is behind");
        assert_eq!(marks.source_watermark(201), Some(171));
    }

    #[test]
    fn a_partition_that_was_assigned_is_waited_for() {
        let mut marks = Watermarks::new(IDLE_AFTER, 0);
        marks.assign(0, 0);
        marks.assign(1, 0);
        marks.observe(0, 1_000, 5);
        assert_eq!(marks.source_watermark(5), None, "partition 1 may have older messages");
        assert_eq!(marks.source_watermark(30), Some(1_000));
        marks.observe(1, 2_000, 31);
        marks.revoke(0, 31);
        assert_eq!(marks.source_watermark(31), Some(2_000));
        marks.revoke(1, 5_000);
        assert_eq!(marks.source_watermark(5_029), Some(2_000), "what is assigned next is waited for, too");
        marks.assign(0, 5_029);
        assert_eq!(marks.source_watermark(5_058), Some(2_000));
        assert_eq!(marks.source_watermark(5_059), Some(5_029));
    }

    #[test]
    fn after_a_restart_nothing_is_idle_at_once() {
        let mut marks = Watermarks::new(IDLE_AFTER, 1_000_000);
        marks.restore(0, 700, 1_000_000);
        assert_eq!(marks.partition_time(0), Some(700));
        assert_eq!(marks.source_watermark(1_000_000), None, "other partitions may be behind it");
        marks.assign(0, 1_000_000);
        assert_eq!(marks.source_watermark(1_000_029), Some(700), "the backlog is read first");
        assert_eq!(marks.source_watermark(1_000_030), Some(1_000_000));
        let mut marks = Watermarks::new(IDLE_AFTER, 1_000_000);
        marks.restore_reached(900);
        assert_eq!(marks.source_watermark(1_000_000), Some(900));
    }

    /// Before a restart partition 1 was waited for, and no log says so.
    #[test]
    fn after_a_restart_all_that_is_assigned_is_waited_for() {
        let mut marks = Watermarks::new(IDLE_AFTER, 1_000_000);
        marks.restore(0, 700, 1_000_000);
        marks.restore_reached(400);
        assert_eq!(marks.source_watermark(1_000_010), Some(400), "nothing is assigned yet");
        marks.assign(0, 1_000_010);
        marks.assign(1, 1_000_010);
        assert_eq!(marks.source_watermark(1_000_020), Some(400), "partition 1 may have older messages");
        marks.observe(1, 500, 1_000_020);
        assert_eq!(marks.source_watermark(1_000_020), Some(500));
        let mut marks = Watermarks::new(IDLE_AFTER, 1_000_000);
        marks.restore(0, 700, 1_000_000);
        marks.observe(0, 800, 1_000_001);
        assert_eq!(marks.source_watermark(1_000_001), Some(800), "who is told of no assignments waits for none");
    }

    #[test]
    fn times_at_the_ends_do_not_overflow() {
        let mut marks = Watermarks::new(IDLE_AFTER, i64::MIN);
        marks.observe(0, i64::MAX, i64::MIN);
        marks.observe(1, i64::MIN, i64::MAX);
        assert_eq!(marks.source_watermark(i64::MAX), Some(i64::MIN));
        assert_eq!(marks.source_watermark(i64::MIN), Some(i64::MIN));
    }

    /// The cached answer is the one that looking at every partition gives.
    #[test]
    fn the_cache_changes_no_answer() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as i64
        };
        let mut marks = Watermarks::new(IDLE_AFTER, 0);
        let mut naive: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
        let (mut wall_us, mut reached) = (0, None);
        for step in 0..20_000 {
            wall_us += random(12) - 1;
            if random(4) > 0 {
                let (partition, time_us) = (random(4) as i32, step + random(200));
                marks.observe(partition, time_us, wall_us);
                let entry = naive.entry(partition).or_insert((time_us, wall_us));
                *entry = (entry.0.max(time_us), entry.1.max(wall_us));
            }
            let active = naive.values().filter(|(_, at)| wall_us - at < IDLE_AFTER).map(|(time_us, _)| *time_us);
            let waits = naive.is_empty() && wall_us < IDLE_AFTER;
            reached = reached.max(active.min().or((!waits).then_some(wall_us - IDLE_AFTER)));
            assert_eq!(marks.source_watermark(wall_us), reached, "step {step}");
        }
    }
}
