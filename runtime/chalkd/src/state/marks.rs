//! How far time was, and which tumbling windows had run, as of the positions of a book.
//!
//! Kept with the positions under one lock and saved in the same slice: a watermark that is ahead of its offsets would call messages
//! late that are read again.
//!
//! This file must not know windows.

use std::collections::BTreeMap;

use chalk_engine::keeper::log::{Entry, entries, put_closed, put_reached, put_time};
use serde::{Deserialize, Serialize};

/// What committed records said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// Resolver number, partition, greatest event time.
    times: BTreeMap<u32, BTreeMap<i64, i64>>,
    /// Resolver number, end of the last windows that have run.
    closed: BTreeMap<u32, i64>,
    /// Resolver number, watermark: where one worker reads everything.
    reached: BTreeMap<u32, i64>,
}

impl Marks {
    /// Takes up what a record says.
    pub(super) fn take(&mut self, entry: &Entry<'_>) {
        match *entry {
            Entry::Time { resolver, partition, time_us } => {
                let known = self.times.entry(resolver).or_default().entry(partition).or_insert(time_us);
                *known = time_us.max(*known);
            }
            Entry::Closed { resolver, until_us } => {
                let known = self.closed.entry(resolver).or_insert(until_us);
                *known = until_us.max(*known);
            }
            Entry::Reached { resolver, time_us } => {
                let known = self.reached.entry(resolver).or_insert(time_us);
                *known = time_us.max(*known);
            }
            Entry::Events { .. } | Entry::Keys { .. } => {}
        }
    }

    /// The same as a log, for the engine to replay.
    pub(super) fn log(&self) -> Vec<u8> {
        let mut log = Vec::new();
        for (resolver, partitions) in &self.times {
            for (partition, time_us) in partitions {
                put_time(&mut log, *resolver, *partition, *time_us);
            }
        }
        for (resolver, until_us) in &self.closed {
            put_closed(&mut log, *resolver, *until_us);
        }
        for (resolver, time_us) in &self.reached {
            put_reached(&mut log, *resolver, *time_us);
        }
        log
    }
}

/// The entries of a record's events; a record is checksummed, so what cannot be read was written by another version.
pub(super) fn read_entries(events: &[u8], mut visit: impl FnMut(Entry<'_>)) -> Result<(), String> {
    entries(events).try_for_each(|entry| entry.map(&mut visit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_through_their_log_and_never_move_back() {
        let mut marks = Marks::default();
        let entries = [
            Entry::Time { resolver: 1, partition: 0, time_us: 10 },
            Entry::Time { resolver: 1, partition: 0, time_us: 7 },
            Entry::Time { resolver: 1, partition: -2, time_us: -5 },
            Entry::Closed { resolver: 1, until_us: 9 },
            Entry::Closed { resolver: 1, until_us: 8 },
            Entry::Reached { resolver: 1, time_us: 11 },
            Entry::Reached { resolver: 1, time_us: 10 },
        ];
        entries.iter().for_each(|entry| marks.take(entry));
        let mut restored = Marks::default();
        read_entries(&marks.log(), |entry| restored.take(&entry)).unwrap();
        assert_eq!(restored, marks);
        assert_eq!(marks.times[&1], BTreeMap::from([(0, 10), (-2, -5)]));
        assert_eq!((marks.closed[&1], marks.reached[&1]), (9, 11));
    }
}
