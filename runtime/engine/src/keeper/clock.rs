//! How far the time of a resolver with tumbling windows is, asked for as rarely as its answers matter.
//!
//! A watermark belongs to a resolver, not to its source: two resolvers may read different times out of the same messages.
//!
//! This file must not know windows.

use chalk_state::Watermarks;

/// The watermark of one resolver.
pub(super) struct Clock {
    idle_after_us: i64,
    marks: Option<Watermarks>,
    now_us: i64,
    /// No less than the watermark.
    bound_us: i64,
    /// Partitions that had an event since the time of the wall clock was told.
    awake: Vec<i64>,
    /// Windows whose end is at or before this have run.
    closed_until_us: Option<i64>,
    /// The watermark that was logged last.
    logged_us: Option<i64>,
}

impl Clock {
    pub(super) fn new(idle_after_us: i64) -> Clock {
        Clock {
            idle_after_us,
            marks: None,
            now_us: i64::MIN,
            bound_us: i64::MIN,
            awake: Vec::new(),
            closed_until_us: None,
            logged_us: None,
        }
    }

    /// The wall clock. The source is watched from the first time that is told on: marks that were made before (a log was read, a checkpoint looked)
    /// must not take the time until then for silence.
    fn tell(&mut self, now_us: i64) {
        if self.now_us == i64::MIN
            && let Some(marks) = &mut self.marks
        {
            marks.watch_from(now_us);
        }
        self.now_us = self.now_us.max(now_us);
    }

    fn marks(&mut self) -> &mut Watermarks {
        self.marks.get_or_insert_with(|| Watermarks::new(self.idle_after_us, self.now_us))
    }

    /// A batch comes, or windows are looked at, at this time of the wall clock.
    pub(super) fn begin(&mut self, now_us: i64) {
        self.tell(now_us);
        self.awake.clear();
        self.bound_us = self.watermark_us().unwrap_or(i64::MIN);
    }

    /// No less than the watermark.
    pub(super) fn bound_us(&self) -> i64 {
        self.bound_us
    }

    /// The watermark.
    pub(super) fn watermark_us(&mut self) -> Option<i64> {
        if self.now_us == i64::MIN {
            return self.marks.as_ref().and_then(Watermarks::reached);
        }
        let now_us = self.now_us;
        self.marks().source_watermark(now_us)
    }

    /// An event that counts.
    pub(super) fn observe(&mut self, partition: i64, time_us: i64) {
        let now_us = self.now_us;
        if self.awake.last() != Some(&partition) && !self.awake.contains(&partition) {
            // A partition that was silent may be behind: how far the source was without it is noted first, for that is never taken back.
            self.watermark_us();
            self.awake.push(partition);
        }
        // Brokers number partitions in 32 bits.
        self.marks().observe(partition as i32, time_us, now_us);
        self.bound_us = self.bound_us.max(self.partition_time(partition).unwrap_or(i64::MIN));
    }

    /// The greatest event time of a partition.
    pub(super) fn partition_time(&self, partition: i64) -> Option<i64> {
        self.marks.as_ref()?.partition_time(partition as i32)
    }

    /// The greatest event time of each partition.
    pub(super) fn partition_times(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let times = self.marks.iter().flat_map(Watermarks::partition_times);
        times.map(|(partition, time_us)| (i64::from(partition), time_us))
    }

    /// A worker reads the partition from now on: it is waited for.
    pub(super) fn assign(&mut self, partition: i64, now_us: i64) {
        self.tell(now_us);
        self.marks().assign(partition as i32, now_us);
    }

    /// No worker reads the partition any more.
    pub(super) fn revoke(&mut self, partition: i64, now_us: i64) {
        self.tell(now_us);
        self.marks().revoke(partition as i32, now_us);
    }

    /// A partition was so far when its state was committed.
    pub(super) fn restore(&mut self, partition: i64, time_us: i64, now_us: i64) {
        self.tell(now_us);
        self.marks().restore(partition as i32, time_us, now_us);
    }

    /// Windows up to there have run, which needed a watermark of `reached_us`.
    pub(super) fn close(&mut self, until_us: i64, reached_us: i64) {
        self.closed_until_us = self.closed_until_us.max(Some(until_us));
        self.marks().restore_reached(reached_us);
        self.bound_us = self.bound_us.max(reached_us);
    }

    /// The watermark, where it went on since it was asked for here.
    pub(super) fn take_progress(&mut self) -> Option<i64> {
        let watermark_us = self.watermark_us();
        let before_us = std::mem::replace(&mut self.logged_us, watermark_us);
        watermark_us.filter(|_| watermark_us != before_us)
    }

    /// The source was so far.
    pub(super) fn restore_reached(&mut self, time_us: i64, now_us: i64) {
        self.tell(now_us);
        self.marks().restore_reached(time_us);
    }

    pub(super) fn closed_until_us(&self) -> Option<i64> {
        self.closed_until_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint, or the replay of a log, may ask before the first message comes.
    #[test]
    fn time_before_the_clock_is_told_is_no_silence() {
        let mut clock = Clock::new(30);
        assert_eq!(clock.watermark_us(), None);
        clock.close(5, 5);
        assert_eq!(clock.watermark_us(), Some(5));
        clock.begin(1_000_000);
        assert_eq!(clock.bound_us(), 5, "the source is waited for, from now on");
        clock.observe(0, 10);
        assert_eq!(clock.watermark_us(), Some(10));
    }
}
