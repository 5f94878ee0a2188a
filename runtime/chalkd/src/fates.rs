//! The fates of messages, counted: for metrics, and for the summary at the end.
//!
//! This file must not know why a message met its fate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use chalk_artifact::abi::status;

use crate::metrics::Metrics;

/// Counts by resolver and fate; shared by all workers.
#[derive(Debug, Default)]
pub struct FateCounts(Mutex<BTreeMap<(String, u8), u64>>);

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
    /// Counts a batch: partition and status of each message.
    pub fn count<'a>(
        &self,
        metrics: &Metrics,
        source: &str,
        resolver: &str,
        messages: impl Iterator<Item = (i32, &'a u8)>,
    ) {
        let mut totals: BTreeMap<u8, u64> = BTreeMap::new();
        let mut add = |(partition, status): (i32, u8), count: u64| {
            let labels = [source, &partition.to_string(), resolver, name(status)];
            metrics.messages.with_label_values(&labels).inc_by(count);
            *totals.entry(status).or_insert(0) += count;
        };
        // Neighbours mostly share partition and fate: they are counted as one.
        let mut run: Option<((i32, u8), u64)> = None;
        for (partition, status) in messages {
            match &mut run {
                Some((of, count)) if *of == (partition, *status) => *count += 1,
                run => {
                    if let Some((of, count)) = run.replace(((partition, *status), 1)) {
                        add(of, count);
                    }
                }
            }
        }
        if let Some((of, count)) = run {
            add(of, count);
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (status, count) in totals {
            *counts.entry((resolver.to_owned(), status)).or_insert(0) += count;
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

    #[test]
    fn fates_are_counted_by_resolver_and_partition() {
        let (counts, metrics) = (FateCounts::default(), Metrics::default());
        let fates = [(0, 1u8), (0, 1), (1, 1), (1, 4), (0, 1)];
        counts.count(&metrics, "s", "a", fates.iter().map(|(partition, status)| (*partition, status)));
        counts.count(&metrics, "s", "b", [(0, &2u8)].into_iter());
        assert_eq!(counts.to_string(), "a: 4 applied, 1 dead_letter\nb: 1 filtered");
        let text = metrics.text();
        assert!(
            text.contains("chalk_messages_total{fate=\"applied\",partition=\"0\",resolver=\"a\",source=\"s\"} 3"),
            "{text}"
        );
    }
}
