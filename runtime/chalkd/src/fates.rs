//! The fates of messages, counted: for metrics, and for the summary at the end.
//!
//! This file must not know why a message met its fate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chalk_artifact::abi::status;

use crate::metrics::Metrics;

/// Fates in the order of `abi::status`; the first is that of a message without one, which is a bug.
const FATES: usize = 7;

/// What became of the messages of one commit.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Messages consumed, by source and partition.
    consumed: BTreeMap<(Arc<str>, i32), u64>,
    /// Fates, by source, partition and resolver.
    fates: BTreeMap<(Arc<str>, i32, Arc<str>), [u64; FATES]>,
}

impl Tally {
    /// Messages of the source were consumed, in these partitions.
    pub fn consume(&mut self, source: &Arc<str>, partitions: impl Iterator<Item = i32>) {
        for (partition, count) in runs(partitions) {
            *self.consumed.entry((source.clone(), partition)).or_insert(0) += count;
        }
    }

    /// A resolver has decided over messages: partition and status of each.
    pub fn decide<'a>(
        &mut self,
        source: &Arc<str>,
        resolver: &Arc<str>,
        messages: impl Iterator<Item = (i32, &'a u8)>,
    ) {
        for ((partition, status), count) in runs(messages) {
            let counts = self.fates.entry((source.clone(), partition, resolver.clone())).or_default();
            counts[usize::from(*status)] += count;
        }
    }

    /// Messages consumed.
    pub fn messages(&self) -> u64 {
        self.consumed.values().sum()
    }

    /// Every message has exactly one fate per resolver of its source.
    ///
    /// # Panics
    /// If not: a message was lost or counted twice.
    pub fn check(&self) {
        for ((source, partition, resolver), counts) in &self.fates {
            let consumed = self.consumed.get(&(source.clone(), *partition)).copied().unwrap_or(0);
            let decided: u64 = counts[1..].iter().sum();
            assert!(
                decided == consumed && counts[0] == 0,
                "{source}, partition {partition}: {consumed} messages consumed, and {resolver} gave {counts:?} fates"
            );
        }
    }
}

/// Neighbours mostly share partition and fate: they are counted as one.
fn runs<T: PartialEq>(items: impl Iterator<Item = T>) -> impl Iterator<Item = (T, u64)> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        let first = items.next()?;
        let mut count = 1;
        while items.next_if(|item| *item == first).is_some() {
            count += 1;
        }
        Some((first, count))
    })
}

/// Counts by resolver and fate of everything that was committed; shared by all workers.
#[derive(Debug, Default)]
pub struct FateCounts(Mutex<BTreeMap<(Arc<str>, u8), u64>>);

/// The name of a status.
fn name(status: u8) -> &'static str {
    match status {
        status::APPLIED => "applied",
        status::FILTERED => "filtered",
        status::SKIPPED => "skipped",
        status::FAILED => "dead_letter",
        status::LATE => "late",
        status::DUPLICATE => "duplicate",
        _ => unreachable!("a message was left without a fate"),
    }
}

impl FateCounts {
    /// Counts what a commit has made final.
    pub fn commit(&self, metrics: &Metrics, tally: &Tally) {
        for ((source, partition), count) in &tally.consumed {
            metrics.consumed.with_label_values(&[&**source, &partition.to_string()]).inc_by(*count);
        }
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((source, partition, resolver), counts) in &tally.fates {
            for (status, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let labels = [&**source, &partition.to_string(), &**resolver, name(status as u8)];
                metrics.messages.with_label_values(&labels).inc_by(*count);
                *totals.entry((resolver.clone(), status as u8)).or_insert(0) += count;
            }
        }
    }
}

/// One line per resolver: `get_users: 3 applied, 1 dead_letter`.
impl fmt::Display for FateCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for ((resolver, status), count) in counts.iter() {
            match last {
                Some(last) if last == resolver => write!(f, ", ")?,
                Some(_) => write!(f, "\n{resolver}: ")?,
                None => write!(f, "{resolver}: ")?,
            }
            write!(f, "{count} {}", name(*status))?;
            last = Some(resolver);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        let (source, a, b): (Arc<str>, Arc<str>, Arc<str>) = ("s".into(), "a".into(), "b".into());
        tally.consume(&source, [0, 0, 1, 1, 0].into_iter());
        let fates = [(0, 1u8), (0, 1), (1, 1), (1, 4), (0, 1)];
        tally.decide(&source, &a, fates.iter().map(|(partition, status)| (*partition, status)));
        tally.decide(&source, &b, fates.iter().map(|(partition, _)| (*partition, &2)));
        tally
    }

    #[test]
    fn fates_are_counted_by_resolver_and_partition() {
        let (counts, metrics) = (FateCounts::default(), Metrics::default());
        let tally = tally();
        tally.check();
        assert_eq!(tally.messages(), 5);
        counts.commit(&metrics, &tally);
        assert_eq!(counts.to_string(), "a: 4 applied, 1 dead_letter\nb: 5 filtered");
        let text = metrics.text();
        for line in [
            "chalk_messages_total{fate=\"applied\",partition=\"0\",resolver=\"a\",source=\"s\"} 3",
            "chalk_consumed_total{partition=\"1\",source=\"s\"} 2",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "s, partition 0: 4 messages consumed, and a gave")]
    fn a_message_without_a_fate_is_found_at_the_commit() {
        let mut tally = tally();
        tally.consume(&"s".into(), std::iter::once(0));
        tally.check();
    }
}
