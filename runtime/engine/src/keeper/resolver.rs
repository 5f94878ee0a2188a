//! What a keeper knows of a resolver: whom it feeds, which ids it has seen, which windows it runs.
//!
//! This file must not know batches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

use chalk_artifact::manifest::{AggregationKind, Manifest};
use chalk_catalog::event::is_word;
use chalk_state::DedupSet;

use super::KeeperOptions;
use super::clock::Clock;

/// A resolver's part of the state.
pub(super) struct ResolverState {
    /// Position in the manifest.
    pub(super) position: u32,
    /// Position of its source.
    pub(super) source: u32,
    /// What logs call it.
    pub(super) number: u32,
    pub(super) feeds: Vec<FeedState>,
    pub(super) dedup: Option<DedupSets>,
    pub(super) tumbling: Option<Tumbling>,
    /// Whether a message without a time cannot be applied.
    pub(super) needs_time: bool,
}

/// A feed: which outputs are events of which aggregation.
pub(super) struct FeedState {
    pub(super) aggregation: usize,
    /// What logs and stores call it.
    pub(super) number: u32,
    pub(super) key: Option<u32>,
    pub(super) columns: Vec<u32>,
}

/// Ids that were seen, per partition.
pub(super) struct DedupSets {
    is_word: bool,
    within_us: i64,
    sets: RwLock<BTreeMap<i64, Arc<Mutex<DedupSet>>>>,
}

impl DedupSets {
    /// The set of a partition.
    pub(super) fn set(&self, partition: i64) -> Arc<Mutex<DedupSet>> {
        if let Some(set) = self.sets.read().expect("nobody panicked").get(&partition) {
            return Arc::clone(set);
        }
        let mut sets = self.sets.write().expect("nobody panicked");
        let make = || Arc::new(Mutex::new(DedupSet::new(self.is_word, self.within_us)));
        Arc::clone(sets.entry(partition).or_insert_with(make))
    }

    /// All sets with their partitions.
    pub(super) fn all(&self) -> Vec<(i64, Arc<Mutex<DedupSet>>)> {
        let sets = self.sets.read().expect("nobody panicked");
        sets.iter().map(|(partition, set)| (*partition, Arc::clone(set))).collect()
    }
}

/// Tumbling windows of a resolver.
pub(super) struct Tumbling {
    pub(super) aggregation: usize,
    /// Ascending.
    pub(super) windows_us: Vec<i64>,
    pub(super) allowed_lateness_us: i64,
    /// Held for reading while messages are judged and become events, for writing while windows are run.
    pub(super) gate: RwLock<()>,
    pub(super) clock: Mutex<Clock>,
}

impl Tumbling {
    /// Where the first and the last window end that an event is in.
    pub(super) fn ends_us(&self, time_us: i64) -> (i64, i64) {
        let ends = self.windows_us.iter().map(|window_us| end_us(time_us, *window_us));
        ends.fold((i64::MAX, i64::MIN), |(first, last), end_us| (first.min(end_us), last.max(end_us)))
    }

    /// How many rows from the first on can be applied together, and up to where windows take nothing of them: what was decided for each
    /// when it came must be what the table does with all.
    pub(super) fn segment(&self, rows: &[u32], times: &[Option<i64>], closed: &[i64]) -> (usize, Option<i64>) {
        let until_us = closed[rows[0] as usize];
        let agrees = |row: &&u32| {
            let (time_us, closed_us) = (times[**row as usize].unwrap_or(0), closed[**row as usize]);
            let takes_same = |window_us: &i64| {
                let end_us = end_us(time_us, *window_us);
                (end_us <= until_us) == (end_us <= closed_us)
            };
            closed_us == until_us || self.windows_us.iter().all(takes_same)
        };
        let count = rows.iter().take_while(agrees).count();
        (count, (until_us != i64::MIN).then_some(until_us))
    }
}

/// Where the window of that length ends that a time is in.
fn end_us(time_us: i64, window_us: i64) -> i64 {
    time_us.saturating_add(window_us - time_us.rem_euclid(window_us))
}

/// The states of all resolvers, empty.
pub(super) fn of_manifest(manifest: &Manifest, options: &KeeperOptions) -> Vec<ResolverState> {
    let state = |(position, plan): (usize, &chalk_artifact::manifest::Resolver)| {
        let feeds: Vec<FeedState> = plan
            .feeds
            .iter()
            .zip(&options.numbers.feeds[position])
            .map(|(feed, number)| FeedState {
                aggregation: feed.aggregation as usize,
                number: *number,
                key: feed.key,
                columns: feed.columns.clone(),
            })
            .collect();
        let kind_of = |aggregation: usize| &manifest.aggregations[aggregation].kind;
        let tumbling = plan.window.as_ref().and_then(|window| {
            let aggregation = window.aggregation as usize;
            let (AggregationKind::Tumbling { windows_us, allowed_lateness_us }
            | AggregationKind::Messages { windows_us, allowed_lateness_us }) = kind_of(aggregation)
            else {
                return None;
            };
            Some(Tumbling {
                aggregation,
                windows_us: windows_us.clone(),
                allowed_lateness_us: *allowed_lateness_us,
                gate: RwLock::default(),
                clock: Mutex::new(Clock::new(options.idle_after_us)),
            })
        });
        let is_windowed = |feed: &FeedState| !matches!(kind_of(feed.aggregation), AggregationKind::Total);
        ResolverState {
            position: position as u32,
            source: plan.source,
            number: options.numbers.resolvers[position],
            needs_time: feeds.iter().any(is_windowed) || plan.dedup.is_some(),
            feeds,
            dedup: plan.dedup.as_ref().map(|dedup| DedupSets {
                is_word: is_word(&dedup.key.kind),
                within_us: dedup.within_us,
                sets: RwLock::default(),
            }),
            tumbling,
        }
    };
    manifest.resolvers.iter().enumerate().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_after_its_last_microsecond() {
        assert_eq!(end_us(0, 10), 10);
        assert_eq!(end_us(9, 10), 10);
        assert_eq!(end_us(10, 10), 20);
        assert_eq!(end_us(-1, 10), 0);
        assert_eq!(end_us(i64::MAX, 10), i64::MAX);
        assert_eq!(end_us(i64::MIN, 10), i64::MIN + 8, "the first window of all begins before times do");
    }

    #[test]
    fn rows_are_applied_together_as_long_as_the_same_windows_take_them() {
        let tumbling = Tumbling {
            aggregation: 0,
            windows_us: vec![10, 30],
            allowed_lateness_us: 0,
            gate: RwLock::default(),
            clock: Mutex::new(Clock::new(0)),
        };
        // Row 2 is late for the window that ends at 10, but not for that of 30.
        let times = [Some(5), Some(15), Some(6), Some(16), Some(17)];
        let closed = [i64::MIN, i64::MIN, 10, i64::MIN, i64::MIN];
        assert_eq!(tumbling.segment(&[0, 1, 2, 3, 4], &times, &closed), (2, None));
        assert_eq!(tumbling.segment(&[2, 3, 4], &times, &closed), (3, Some(10)));
    }
}
