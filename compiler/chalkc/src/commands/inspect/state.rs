//! What `chalkc inspect` says of state: aggregations, and how many bytes a key takes in each, a window and a dedup.
//!
//! The figures come from the layout that the runtime uses, so they are known before the first message.
//!
//! This file must not know kernels.

use std::fmt::Write as _;

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets, Leaf, Manifest};
use chalk_state::memory::{Estimate, estimate};

use crate::compile::catalog;
use crate::testing::text::{duration, literal};

/// Of a key that a dedup remembers, at most: slots of 16 bytes, at least two of three full.
const DEDUP_KEY_BYTES: usize = 24;

/// Appends aggregations and dedups.
pub(super) fn describe(text: &mut String, manifest: &Manifest) {
    for aggregation in &manifest.aggregations {
        describe_aggregation(text, manifest, aggregation);
    }
    for resolver in &manifest.resolvers {
        let Some(dedup) = &resolver.dedup else { continue };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "\ndedup of {}: {} within {}\n  state: at most {DEDUP_KEY_BYTES} B per key of the last {}",
            resolver.name,
            dedup.key,
            duration(dedup.within_us),
            duration(dedup.within_us),
        );
    }
}

fn describe_aggregation(text: &mut String, manifest: &Manifest, aggregation: &Aggregation) {
    let class = &manifest.classes[aggregation.class as usize];
    let kind = match &aggregation.kind {
        AggregationKind::Total => "over all time",
        AggregationKind::Continuous(_) => "over exact windows",
        AggregationKind::Materialized(_) => "over windows of buckets",
        AggregationKind::Tumbling { .. } => "over tumbling windows",
        AggregationKind::Messages { .. } => "messages of tumbling windows, for SQL",
    };
    let _ = writeln!(text, "\naggregation {} {kind}, by {}: {}", aggregation.name, class.name, aggregation.key);
    for (position, column) in aggregation.columns.iter().enumerate() {
        let _ = writeln!(text, "  column {position}: {} ({})", column.source, column.ty);
    }
    for leaf in &aggregation.leaves {
        let _ = writeln!(text, "  {}", describe_leaf(leaf));
    }
    match estimate(aggregation, catalog()) {
        Ok(estimate) => {
            let _ = writeln!(text, "  state of a key, per source partition: {}", estimate.describe());
            describe_windows(text, &aggregation.kind, &estimate);
        }
        Err(reason) => {
            let _ = writeln!(text, "  state: {reason}");
        }
    }
}

/// `sum(column 1) where column 0: float`
fn describe_leaf(leaf: &Leaf) -> String {
    let name = leaf.aggregate.split('(').next().unwrap_or_default();
    let mut args: Vec<String> = leaf.args.iter().map(|column| format!("column {column}")).collect();
    args.extend(leaf.params.iter().map(|value| literal(value, &leaf.ty)));
    let filter = leaf.filter.map(|column| format!(" where column {column}")).unwrap_or_default();
    format!("{name}({}){filter}: {}", args.join(", "), leaf.ty)
}

/// What a key takes in each window at most, events of exact windows not counted.
fn describe_windows(text: &mut String, kind: &AggregationKind, estimate: &Estimate) {
    match kind {
        AggregationKind::Total => {}
        AggregationKind::Continuous(buckets) | AggregationKind::Materialized(buckets) => {
            describe_buckets(text, buckets, estimate);
        }
        AggregationKind::Tumbling { windows_us, allowed_lateness_us }
        | AggregationKind::Messages { windows_us, allowed_lateness_us } => {
            for (position, window_us) in windows_us.iter().enumerate() {
                let bytes = estimate.records.get(position).map(|record| record.record_bytes);
                let bytes = bytes.map(|bytes| format!(": {bytes} B per key and open window")).unwrap_or_default();
                let lateness = match allowed_lateness_us {
                    0 => String::new(),
                    lateness_us => format!(", open for {} after its end", duration(*lateness_us)),
                };
                let _ = writeln!(text, "  window {}{lateness}{bytes}", duration(*window_us));
            }
        }
    }
}

fn describe_buckets(text: &mut String, buckets: &Buckets, estimate: &Estimate) {
    for window in &buckets.windows {
        let tier = &buckets.tiers[window.tier as usize];
        let count = (window.duration_us as u64).div_ceil(tier.bucket_us.max(1) as u64);
        let record = estimate.records.get(window.tier as usize);
        let bytes = record.map_or(0, |record| record.record_bytes as u64 * count);
        let is_shared = buckets.windows.iter().filter(|other| other.tier == window.tier).count() > 1;
        let shared = if is_shared { ", shared with other windows" } else { "" };
        let _ = writeln!(
            text,
            "  window {}: {count} buckets of {}, at most {bytes} B per key{shared}",
            duration(window.duration_us),
            duration(tier.bucket_us),
        );
    }
}
