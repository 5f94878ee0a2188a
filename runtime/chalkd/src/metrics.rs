//! What is counted and timed, for Prometheus.
//!
//! This file must not know who counts.

use chalk_decode::TierCounts;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Everything that `/metrics` shows.
pub struct Metrics {
    registry: Registry,
    /// Messages by source, partition, resolver and fate.
    pub messages: IntCounterVec,
    /// Messages consumed by source and partition: for every resolver of the source, the sum of its fates.
    pub consumed: IntCounterVec,
    /// Bytes of messages by source.
    pub message_bytes: IntCounterVec,
    /// Messages by source, resolver and the tier that decoded them.
    pub decoded: IntCounterVec,
    /// Bytes that were decoded, by source and resolver.
    pub decoded_bytes: IntCounterVec,
    /// Templates by source, resolver and whether they were learned or given up.
    pub templates: IntCounterVec,
    /// Seconds to compute a batch, by source.
    pub batch_seconds: HistogramVec,
    /// Messages in a batch, by source.
    pub batch_messages: HistogramVec,
    /// Seconds of a commit.
    pub commit_seconds: Histogram,
    /// Rows in commits.
    pub committed_rows: IntCounter,
    /// Seconds of a checkpoint.
    pub checkpoint_seconds: Histogram,
    /// Rows written by checkpoints.
    pub checkpointed_rows: IntCounter,
    /// Messages between what is committed and the end of a partition.
    pub lag_messages: IntGaugeVec,
    /// Rows in memory.
    pub rows_in_memory: IntGauge,
    /// Rows in memory that are newer than the store.
    pub rows_dirty: IntGauge,
    /// Bytes of the embedded store.
    pub store_bytes: IntGauge,
    /// Bytes of sealed changelog segments.
    pub changelog_bytes: IntGauge,
    /// Entries of aggregations, and dedup keys, in memory.
    pub state_entries: IntGaugeVec,
    /// Bytes of memory that they take.
    pub state_bytes: IntGaugeVec,
    /// Entries of aggregations that no window sees any more.
    pub expired: IntCounter,
    /// Entries of aggregations that were dropped from memory and are in the store.
    pub evicted: IntCounter,
    /// Tumbling windows that have run, by resolver.
    pub windows: IntCounterVec,
    /// Rows of windows that failed, by resolver.
    pub window_failures: IntCounterVec,
    /// Seconds of an online query.
    pub query_seconds: Histogram,
    /// Online queries by outcome.
    pub queries: IntCounterVec,
}

impl Metrics {
    /// Counts how a resolver's batch was decoded.
    pub fn decode(&self, source: &str, resolver: &str, counts: &TierCounts) {
        let add = |counter: &IntCounterVec, what: &str, count: u64| {
            if count > 0 {
                counter.with_label_values(&[source, resolver, what]).inc_by(count);
            }
        };
        add(&self.decoded, "template", counts.template);
        add(&self.decoded, "walker", counts.walker);
        add(&self.decoded, "scalar", counts.scalar);
        add(&self.templates, "learned", counts.learned);
        add(&self.templates, "replaced", counts.replaced);
        self.decoded_bytes.with_label_values(&[source, resolver]).inc_by(counts.bytes);
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let registry = Registry::new();
        let seconds = |name: &str, help: &str| {
            // 50 µs to 26 s, by 2.5.
            let buckets = (0..15).map(|step| 50e-6 * 2.4f64.powi(step)).collect();
            HistogramOpts::new(name, help).buckets(buckets)
        };
        let registered = |collector: Box<dyn prometheus::core::Collector>| {
            registry.register(collector).expect("names are distinct");
        };
        macro_rules! make {
            ($metric:expr) => {{
                let metric = $metric.expect("names and labels are valid");
                registered(Box::new(metric.clone()));
                metric
            }};
        }
        Metrics {
            messages: make!(IntCounterVec::new(
                Opts::new("chalk_messages_total", "Messages by what became of them; each counts once per resolver."),
                &["source", "partition", "resolver", "fate"]
            )),
            consumed: make!(IntCounterVec::new(
                Opts::new(
                    "chalk_consumed_total",
                    "Messages consumed and committed; the sum of the fates of each resolver."
                ),
                &["source", "partition"]
            )),
            message_bytes: make!(IntCounterVec::new(
                Opts::new("chalk_message_bytes_total", "Bytes of messages consumed."),
                &["source"]
            )),
            decoded: make!(IntCounterVec::new(
                Opts::new(
                    "chalk_decoded_total",
                    "Messages by the tier that decoded them: template (like earlier ones), walker (any key order), scalar."
                ),
                &["source", "resolver", "tier"]
            )),
            decoded_bytes: make!(IntCounterVec::new(
                Opts::new("chalk_decoded_bytes_total", "Bytes of messages that were decoded."),
                &["source", "resolver"]
            )),
            templates: make!(IntCounterVec::new(
                Opts::new(
                    "chalk_decode_templates_total",
                    "Templates learned, and replaced by one that was learned: a stream with more shapes than are kept."
                ),
                &["source", "resolver", "event"]
            )),
            batch_seconds: make!(HistogramVec::new(
                seconds("chalk_batch_seconds", "Time to compute a batch, over all resolvers of the source."),
                &["source"]
            )),
            batch_messages: make!(HistogramVec::new(
                HistogramOpts::new("chalk_batch_messages", "Messages in a batch.")
                    .buckets((0..12).map(|step| 2f64.powi(step)).collect()),
                &["source"]
            )),
            commit_seconds: make!(Histogram::with_opts(seconds(
                "chalk_commit_seconds",
                "Time of a commit, from the changelog to memory."
            ))),
            committed_rows: make!(IntCounter::new("chalk_committed_rows_total", "Rows in commits, coalesced per key.")),
            checkpoint_seconds: make!(Histogram::with_opts(seconds(
                "chalk_checkpoint_seconds",
                "Time of a checkpoint."
            ))),
            checkpointed_rows: make!(IntCounter::new(
                "chalk_checkpointed_rows_total",
                "Rows written to the store by checkpoints."
            )),
            lag_messages: make!(IntGaugeVec::new(
                Opts::new("chalk_lag_messages", "Messages of a partition that are not committed yet."),
                &["source", "partition"]
            )),
            rows_in_memory: make!(IntGauge::new("chalk_rows_in_memory", "Rows held in memory.")),
            rows_dirty: make!(IntGauge::new("chalk_rows_dirty", "Rows that the next checkpoint writes.")),
            store_bytes: make!(IntGauge::new("chalk_store_bytes", "Size of the embedded store on disk.")),
            changelog_bytes: make!(IntGauge::new("chalk_changelog_bytes", "Size of sealed changelog segments.")),
            state_entries: make!(IntGaugeVec::new(
                Opts::new(
                    "chalk_state_entries",
                    "Entries of aggregations (`aggregates`) and dedup keys (`dedup`) in memory."
                ),
                &["kind"]
            )),
            state_bytes: make!(IntGaugeVec::new(
                Opts::new("chalk_state_bytes", "Memory of aggregations (`aggregates`) and dedup keys (`dedup`)."),
                &["kind"]
            )),
            expired: make!(IntCounter::new(
                "chalk_state_expired_total",
                "Keys of aggregations that no window sees any more and that were forgotten."
            )),
            evicted: make!(IntCounter::new(
                "chalk_state_evicted_total",
                "Entries of aggregations dropped from memory; they are in the store."
            )),
            windows: make!(IntCounterVec::new(
                Opts::new("chalk_windows_total", "Tumbling windows that have run."),
                &["resolver"]
            )),
            window_failures: make!(IntCounterVec::new(
                Opts::new("chalk_window_failures_total", "Keys of tumbling windows whose values failed."),
                &["resolver"]
            )),
            query_seconds: make!(Histogram::with_opts(seconds(
                "chalk_online_query_seconds",
                "Time of an online query in the process."
            ))),
            queries: make!(IntCounterVec::new(
                Opts::new("chalk_online_queries_total", "Online queries; `ok` had no error."),
                &["outcome"]
            )),
            registry,
        }
    }
}

impl Metrics {
    /// The text of `/metrics`.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to memory cannot fail");
        String::from_utf8_lossy(&text).into_owned()
    }
}
