//! One source on one worker: takes its messages, computes them in batches, and sorts out what each left behind.
//!
//! Everything that a batch leads to, rows, dead letters, positions, goes into the worker's pending commit at once, so
//! they are committed together.
//!
//! This file must not know how a commit is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array as _;
use chalk_artifact::abi::status;
use chalk_connectors::{Envelope, MessageSink, Position};

use crate::clock::now_us;
use crate::closing::ClosePlan;
use crate::dead_letters::{Origin, write_line};
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
    pub name: Arc<str>,
    /// Its number in the registry.
    pub number: u32,
    /// The resolvers that run.
    pub resolvers: Vec<ResolverPlan>,
    /// Those of them with tumbling windows.
    pub closes: Vec<ClosePlan>,
}

/// What all workers know of a resolver.
pub struct ResolverPlan {
    /// Its position in the manifest.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// How its rows are stored, where they are.
    pub writer: Option<RowWriter>,
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
    arrivals: Vec<Arrival>,
    reached: BTreeMap<i32, Position>,
    topic: Arc<str>,
    buffers: RowBuffers,
    failure: Option<String>,
}

/// An intake with the pending commit that its messages go into.
pub struct Filling<'a> {
    /// The batch.
    pub intake: &'a mut Intake,
    /// Where what it leads to goes.
    pub pending: &'a mut Pending,
}

impl Intake {
    /// An empty batch of the source.
    pub fn new(plan: Arc<SourcePlan>, program: Arc<dyn Program>, metrics: Arc<Metrics>) -> Result<Intake, String> {
        let resolvers: Vec<usize> = plan.resolvers.iter().map(|resolver| resolver.index).collect();
        Ok(Intake {
            pipeline: program.pipeline(&resolvers)?,
            plan,
            program,
            metrics,
            arrivals: Vec::new(),
            reached: BTreeMap::new(),
            topic: Arc::from(""),
            buffers: RowBuffers::default(),
            failure: None,
        })
    }

    /// The source.
    pub fn plan(&self) -> &SourcePlan {
        &self.plan
    }

    /// Computes the messages that were taken. After an error nothing of `pending` may be committed.
    pub fn compute(&mut self, pending: &mut Pending) -> Result<(), String> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if !self.arrivals.is_empty() {
            self.compute_batch(pending)?;
            self.pipeline.clear();
            self.arrivals.clear();
        }
        for (partition, position) in std::mem::take(&mut self.reached) {
            pending.advance(self.plan.number, partition, position);
        }
        Ok(())
    }

    fn compute_batch(&mut self, pending: &mut Pending) -> Result<(), String> {
        let now_us = now_us();
        let timer = self.metrics.batch_seconds.with_label_values(&[&self.plan.name]).start_timer();
        let mut failures: Vec<(usize, Failure)> = Vec::new();
        let Intake { plan, pipeline, arrivals, buffers, metrics, .. } = self;
        let mut events = std::mem::take(&mut pending.events);
        pending.tally.consume(&plan.name, arrivals.iter().map(|arrival| arrival.partition));
        pipeline.run(now_us, &mut events, &mut |computed| {
            let Some(resolver) = plan.resolvers.iter().find(|resolver| resolver.index == computed.resolver) else {
                unreachable!("a pipeline runs the resolvers that it was made for")
            };
            metrics.decode(&plan.name, &resolver.name, &computed.decoded);
            failures.extend(computed.failures.iter().map(|failure| (computed.resolver, failure.clone())));
            for (row, message) in computed.row_index.iter().enumerate() {
                let stamp = stamp_of(plan, computed, row, &arrivals[*message as usize], now_us);
                if stamp.timed {
                    pending.saw(plan.number, stamp.time_us);
                }
                if let Some(writer) = &resolver.writer {
                    writer.write(computed.batch, row, buffers);
                    pending.put(&buffers.key, writer.layout(), &stamp, &buffers.values);
                }
            }
            let partitions = arrivals.iter().map(|arrival| arrival.partition);
            pending.tally.decide(&plan.name, &resolver.name, partitions.zip(computed.status));
        })?;
        pending.events = events;
        timer.observe_duration();
        self.metrics.batch_messages.with_label_values(&[&self.plan.name]).observe(self.arrivals.len() as f64);
        self.metrics.message_bytes.with_label_values(&[&self.plan.name]).inc_by(self.pipeline.size_bytes() as u64);
        failures.sort_by_key(|(resolver, failure)| (failure.row, *resolver));
        for (resolver, failure) in &failures {
            let arrival = &self.arrivals[failure.row];
            let resolver = &self.program.manifest().resolvers[*resolver].name;
            let message = self.pipeline.message(failure.row);
            self.dead_letter(pending, arrival, Some(resolver), failure, message);
        }
        Ok(())
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
        pending.tally.consume(&self.plan.name, std::iter::once(arrival.partition));
        for resolver in &self.plan.resolvers {
            let fate = std::iter::once((arrival.partition, &status::FAILED));
            pending.tally.decide(&self.plan.name, &resolver.name, fate);
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
            if is_full
                && !intake.arrivals.is_empty()
                && let Err(error) = intake.compute(pending)
            {
                // The poll under way cannot be stopped; the next `compute` says it.
                intake.failure = Some(error);
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
