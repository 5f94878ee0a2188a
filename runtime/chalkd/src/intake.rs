//! One source on one worker: takes its messages, computes them in batches, and sorts out what each left behind.
//!
//! Everything that a batch leads to, rows, dead letters, positions, goes into the worker's pending commit at once, so
//! they are committed together.
//!
//! This file must not know how a commit is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::Array as _;
use chalk_artifact::abi::status;
use chalk_connectors::{Envelope, MessageSink, Position};

use crate::dead_letters::{Origin, write_line};
use crate::fates::FateCounts;
use crate::metrics::Metrics;
use crate::online::{RowBuffers, RowWriter};
use crate::pipeline::{Computed, Failure, Pipeline, Program};
use crate::state::pending::Pending;
use crate::state::row::Stamp;

/// A batch is computed when it holds so many bytes, whatever the number of messages.
const MAX_BATCH_BYTES: usize = 64 << 20;

/// What all workers know of a source.
pub struct SourcePlan {
    /// Its position in the manifest.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its number in the registry.
    pub number: u32,
    /// `time.max_future_skew`
    pub max_future_skew_us: i64,
    /// The resolvers that run, by position in the manifest, and how their rows are stored.
    pub resolvers: Vec<(usize, Option<RowWriter>)>,
}

/// The part of a message's envelope that is wanted after it was computed.
struct Arrival {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    timestamp_us: Option<i64>,
}

/// A source's batch on one worker.
pub struct Intake {
    plan: Arc<SourcePlan>,
    program: Arc<dyn Program>,
    pipeline: Box<dyn Pipeline>,
    metrics: Arc<Metrics>,
    fates: Arc<FateCounts>,
    arrivals: Vec<Arrival>,
    reached: BTreeMap<i32, Position>,
    topic: Arc<str>,
    buffers: RowBuffers,
}

/// An intake with the pending commit that its messages go into.
pub struct Filling<'a> {
    /// The batch.
    pub intake: &'a mut Intake,
    /// Where what it leads to goes.
    pub pending: &'a mut Pending,
}

/// Microseconds since the Unix epoch.
pub fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}

impl Intake {
    /// An empty batch of the source.
    pub fn new(
        plan: Arc<SourcePlan>,
        program: Arc<dyn Program>,
        metrics: Arc<Metrics>,
        fates: Arc<FateCounts>,
    ) -> Result<Intake, String> {
        let resolvers: Vec<usize> = plan.resolvers.iter().map(|(resolver, _)| *resolver).collect();
        Ok(Intake {
            pipeline: program.pipeline(&resolvers)?,
            plan,
            program,
            metrics,
            fates,
            arrivals: Vec::new(),
            reached: BTreeMap::new(),
            topic: Arc::from(""),
            buffers: RowBuffers::default(),
        })
    }

    /// The source.
    pub fn plan(&self) -> &SourcePlan {
        &self.plan
    }

    /// Computes the messages that were taken.
    pub fn compute(&mut self, pending: &mut Pending) {
        if !self.arrivals.is_empty() {
            self.compute_batch(pending);
            self.pipeline.clear();
            self.arrivals.clear();
        }
        for (partition, position) in std::mem::take(&mut self.reached) {
            pending.advance(self.plan.number, partition, position);
        }
    }

    fn compute_batch(&mut self, pending: &mut Pending) {
        let now_us = now_us();
        let timer = self.metrics.batch_seconds.with_label_values(&[&self.plan.name]).start_timer();
        let mut failures: Vec<(usize, Failure)> = Vec::new();
        let Intake { plan, pipeline, arrivals, buffers, fates, metrics, program, .. } = self;
        let mut statuses = Vec::new();
        pipeline.run(now_us, &mut |computed| {
            let writer = plan.resolvers.iter().find(|(resolver, _)| *resolver == computed.resolver);
            statuses.clear();
            statuses.extend_from_slice(computed.status);
            failures.extend(computed.failures.iter().map(|failure| (computed.resolver, failure.clone())));
            for (row, message) in computed.row_index.iter().enumerate() {
                let message = *message as usize;
                let arrival = &arrivals[message];
                let stamp = stamp_of(plan, computed, row, arrival, now_us);
                if let Some(ahead_us) = future_us(plan, &stamp, arrival) {
                    statuses[message] = status::FAILED;
                    let reason = format!("future: the event time is {} s ahead of the broker's", ahead_us / 1_000_000);
                    failures.push((computed.resolver, Failure { row: message, reason, ..Failure::default() }));
                } else if let Some((_, Some(writer))) = writer {
                    writer.write(computed.batch, row, buffers);
                    pending.put(&buffers.key, writer.layout(), &stamp, &buffers.values);
                }
            }
            let resolver = &program.manifest().resolvers[computed.resolver].name;
            fates.count(metrics, &plan.name, resolver, arrivals.iter().map(|arrival| arrival.partition).zip(&statuses));
        });
        timer.observe_duration();
        self.metrics.batch_messages.with_label_values(&[&self.plan.name]).observe(self.arrivals.len() as f64);
        self.metrics.message_bytes.with_label_values(&[&self.plan.name]).inc_by(self.pipeline.size_bytes() as u64);
        pending.messages += self.arrivals.len() as u64;
        failures.sort_by_key(|(resolver, failure)| (failure.row, *resolver));
        for (resolver, failure) in &failures {
            let arrival = &self.arrivals[failure.row];
            let resolver = &self.program.manifest().resolvers[*resolver].name;
            let message = self.pipeline.message(failure.row);
            self.dead_letter(pending, arrival, Some(resolver), failure, message);
        }
    }

    fn dead_letter(
        &self,
        pending: &mut Pending,
        arrival: &Arrival,
        resolver: Option<&str>,
        failure: &Failure,
        message: &[u8],
    ) {
        let origin = Origin {
            source: &self.plan.name,
            topic: &arrival.topic,
            partition: arrival.partition,
            offset: arrival.offset,
            timestamp_us: arrival.timestamp_us,
            resolver,
        };
        write_line(&mut pending.dead_letters, self.program.manifest(), &origin, failure, message);
    }

    /// A message that is not computed, because it cannot be.
    fn refuse(&mut self, pending: &mut Pending, arrival: &Arrival, reason: &str, message: &[u8]) {
        let failure = Failure { reason: reason.to_owned(), ..Failure::default() };
        self.dead_letter(pending, arrival, None, &failure, message);
        pending.messages += 1;
        for (resolver, _) in &self.plan.resolvers {
            let resolver = &self.program.manifest().resolvers[*resolver].name;
            let fate = std::iter::once((arrival.partition, &status::FAILED));
            self.fates.count(&self.metrics, &self.plan.name, resolver, fate);
        }
    }
}

/// The stamp of a row: by the resolver's event time, else the broker's, else none.
fn stamp_of(plan: &SourcePlan, computed: &Computed<'_>, row: usize, arrival: &Arrival, now_us: i64) -> Stamp {
    let event_time_us =
        computed.event_times.and_then(|times| times.is_valid(row).then(|| times.value(row))).or(arrival.timestamp_us);
    Stamp {
        timed: event_time_us.is_some(),
        time_us: event_time_us.unwrap_or(now_us),
        offset: arrival.offset,
        partition: arrival.partition,
        source: plan.number,
    }
}

/// How far an event time is ahead of the broker's time, if that is further than allowed. The broker's time, as for
/// messages that are late, so that a message that is read again is judged as it was; files have none.
fn future_us(plan: &SourcePlan, stamp: &Stamp, arrival: &Arrival) -> Option<i64> {
    let ahead_us = stamp.time_us.saturating_sub(arrival.timestamp_us?);
    (ahead_us > plan.max_future_skew_us).then_some(ahead_us)
}

impl MessageSink for Filling<'_> {
    fn message(&mut self, value: &[u8], envelope: &Envelope<'_>, next: Position, problem: Option<&str>) {
        let Filling { intake, pending } = self;
        if *intake.topic != *envelope.topic {
            intake.topic = Arc::from(envelope.topic);
        }
        let arrival = Arrival {
            topic: intake.topic.clone(),
            partition: envelope.partition,
            offset: envelope.offset,
            timestamp_us: envelope.timestamp_us,
        };
        if let Some(problem) = problem {
            intake.refuse(pending, &arrival, problem, value);
        } else {
            let is_full = intake.pipeline.size_bytes() + value.len() > MAX_BATCH_BYTES;
            if is_full && !intake.arrivals.is_empty() {
                intake.compute(pending);
            }
            if intake.pipeline.push(value, envelope) {
                intake.arrivals.push(arrival);
            } else {
                intake.refuse(pending, &arrival, "the message is larger than a batch can be", value);
            }
        }
        intake.reached.insert(envelope.partition, next);
    }

    fn warning(&mut self, text: &str) {
        tracing::warn!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future(time_us: i64, timestamp_us: Option<i64>) -> Option<i64> {
        let plan =
            SourcePlan { index: 0, name: "s".into(), number: 0, max_future_skew_us: 1_000, resolvers: Vec::new() };
        let stamp = Stamp { timed: true, time_us, offset: 0, partition: 0, source: 0 };
        future_us(&plan, &stamp, &Arrival { topic: "t".into(), partition: 0, offset: 0, timestamp_us })
    }

    #[test]
    fn an_event_ahead_of_the_brokers_clock_is_of_the_future_and_a_file_has_no_clock() {
        assert_eq!(future(5_000, Some(4_000)), None);
        assert_eq!(future(5_001, Some(4_000)), Some(1_001));
        assert_eq!(future(i64::MAX, None), None);
        assert_eq!(future(i64::MIN, Some(i64::MAX)), None);
    }
}
