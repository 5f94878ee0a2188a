//! What is remembered of messages beside their events: dedup keys, and how far time is.
//!
//! This file must not know events.

use std::collections::BTreeMap;

use chalk_types::Value;

use crate::equal;

/// The dedup keys of one resolver and partition, with their times; never forgotten here, only passed over.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: Vec<(Value, i64)>,
}

impl Seen {
    /// Whether a message with this key and time is a duplicate: its key is remembered, with a time at or before its own, by less than
    /// `within`. A key is remembered until some other is `within` or more after it.
    pub(super) fn has(&self, key: &Value, time_us: i64, within_us: i64) -> bool {
        let Some(latest_us) = self.keys.iter().map(|(_, first_us)| *first_us).max() else { return false };
        self.keys.iter().any(|(other, first_us)| {
            let age_us = i128::from(time_us) - i128::from(*first_us);
            let is_remembered = i128::from(latest_us) - i128::from(*first_us) < i128::from(within_us);
            is_remembered && (0..i128::from(within_us)).contains(&age_us) && equal(other, key)
        })
    }

    pub(super) fn remember(&mut self, key: Value, time_us: i64) {
        self.keys.push((key, time_us));
    }
}

/// How far the event time of a resolver with tumbling windows is.
#[derive(Debug)]
pub(super) struct Watermark {
    idle_after_us: i64,
    started_us: i64,
    /// Per partition the greatest event time, and the wall clock at its latest message.
    partitions: BTreeMap<i64, (i64, i64)>,
    /// It never goes back.
    reached_us: Option<i64>,
}

impl Watermark {
    pub(super) fn new(idle_after_us: i64, now_us: i64) -> Watermark {
        Watermark { idle_after_us, started_us: now_us, partitions: BTreeMap::new(), reached_us: None }
    }

    /// A message of the partition was applied.
    pub(super) fn observe(&mut self, partition: i64, time_us: i64, now_us: i64) {
        let (greatest_us, active_us) = self.partitions.entry(partition).or_insert((time_us, now_us));
        *greatest_us = time_us.max(*greatest_us);
        *active_us = now_us.max(*active_us);
        // A watermark that was reached is not given back, though nobody asked for it: the partition may be idle when somebody does.
        self.reached_us(now_us);
    }

    /// No message before this is waited for: the least over partitions that are not idle; where all are, the wall clock goes on.
    pub(super) fn reached_us(&mut self, now_us: i64) -> Option<i64> {
        let is_idle = |since_us: i64| i128::from(now_us) - i128::from(since_us) >= i128::from(self.idle_after_us);
        let active = self.partitions.values().filter(|(_, active_us)| !is_idle(*active_us));
        let least_us = active.map(|(greatest_us, _)| *greatest_us).min();
        let waits = self.partitions.is_empty() && !is_idle(self.started_us);
        let by_clock_us = (!waits).then(|| now_us.saturating_sub(self.idle_after_us));
        self.reached_us = self.reached_us.max(least_us.or(by_clock_us));
        self.reached_us
    }
}
