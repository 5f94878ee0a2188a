//! A stream resolver at work: a batch of messages in, a batch of features out, every message with its fate.
//!
//! The order is that of the language: prefilter over the envelope, decode, then one kernel for all the rest. A message that fails anywhere is
//! marked and left alone; its neighbours never notice.
//!
//! This file must not know sources, stores or formats of output.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use chalk_artifact::abi::{ColumnView, status};
use chalk_artifact::manifest::{KernelInput, MessageInput, Resolver, ResolverOutput};
use chalk_decode::{DecodeError, Decoder, PlanError, Tier, TierCounts};
use chalk_types::{Type, arrow_field};

use crate::events::{EventOutputs, is_nested};
use crate::helpers::{ReportedKey, RowError};
use crate::input::InputBatch;
use crate::keeper::Admission;
use crate::program::Program;
use crate::runner::Runner;
use crate::scratch::ScratchColumn;

/// How many messages met which fate. They add up to the messages consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Fates {
    pub applied: u64,
    pub filtered: u64,
    pub skipped: u64,
    pub late: u64,
    pub duplicate: u64,
    pub dead_letter: u64,
}

impl Fates {
    /// Names in the order of `counts`.
    pub const NAMES: [&str; 6] = ["applied", "filtered", "skipped", "late", "duplicate", "dead_letter"];

    /// The counts in the order of `NAMES`.
    pub fn counts(&self) -> [u64; 6] {
        [self.applied, self.filtered, self.skipped, self.late, self.duplicate, self.dead_letter]
    }

    /// All messages.
    pub fn total(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// Adds another batch's.
    pub fn add(&mut self, other: &Fates) {
        self.applied += other.applied;
        self.filtered += other.filtered;
        self.skipped += other.skipped;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.dead_letter += other.dead_letter;
    }

    /// Of `abi::status` bytes.
    pub(crate) fn of(statuses: &[u8]) -> Fates {
        let mut counts = [0u64; 7];
        for &status in statuses {
            counts[usize::from(status)] += 1;
        }
        let [undecided, applied, filtered, skipped, dead_letter, late, duplicate] = counts;
        assert_eq!(undecided, 0, "every message has exactly one fate");
        Fates { applied, filtered, skipped, late, duplicate, dead_letter }
    }
}

/// What a batch of messages became.
pub struct OutputBatch {
    /// One row per applied message, in order; columns have fully qualified names.
    pub batch: RecordBatch,
    /// For each row the message it came from.
    pub row_index: Vec<u32>,
    /// For each row the event time, where the resolver knows one.
    pub event_times: Option<PrimitiveArray<TimestampMicrosecondType>>,
    /// One `abi::status` per message.
    pub status: Vec<u8>,
    /// Why messages became dead letters, in order of messages.
    pub errors: Vec<RowError>,
    /// The counts.
    pub fates: Fates,
    /// What events are made of, a row per row that the kernel wrote.
    pub(crate) events: EventOutputs,
    /// Dedup keys of messages that came so far.
    pub(crate) dedup_keys: Vec<ReportedKey>,
    /// Memory of the admission, kept from batch to batch.
    pub(crate) admission: Admission,
}

/// Runs one resolver on one worker.
pub struct Executor {
    program: Arc<Program>,
    resolver: usize,
    runner: Runner,
    decoder: Option<Decoder>,
    decode_errors: Vec<DecodeError>,
    prefilter_inputs: Vec<ScratchColumn>,
    main_inputs: Vec<ScratchColumn>,
    views: Vec<ColumnView>,
    schema: SchemaRef,
    types: Vec<Type>,
    /// Outputs of the main kernel that become Arrow arrays, by position: features, events with parts, the event time.
    arrays: Vec<u32>,
    output: OutputBatch,
}

// SAFETY: `views` is only read while `run` runs.
unsafe impl Send for Executor {}

impl Executor {
    /// An executor of the resolver at that position of the manifest.
    pub fn new(program: &Arc<Program>, resolver: usize, tier: Tier) -> Result<Executor, PlanError> {
        let manifest = program.manifest();
        let plan = &manifest.resolvers[resolver];
        let decoder = match &plan.input {
            MessageInput::Json(plan) => Some(Decoder::new(plan, tier)?),
            MessageInput::Text | MessageInput::Bytes => None,
        };
        let class = &manifest.classes[plan.class as usize];
        let features: Vec<_> = feature_outputs(plan).map(|feature| &class.features[feature]).collect();
        let schema: SchemaRef = Arc::new(Schema::new(
            features.iter().map(|feature| arrow_field(&feature.fqn, &feature.ty)).collect::<Vec<_>>(),
        ));
        let scratch = |kernel: u32| {
            let inputs = &manifest.kernels[kernel as usize].inputs;
            inputs.iter().map(|_| ScratchColumn::default()).collect()
        };
        let outputs = &manifest.kernels[plan.main as usize].outputs;
        let is_array = |at: usize| !matches!(plan.outputs[at], ResolverOutput::Event) || is_nested(&outputs[at].kind);
        let mut runner = Runner::new(program, plan.main, tier)?;
        if let Some(dedup) = &plan.dedup {
            runner.set_dedup_key(&dedup.key);
        }
        Ok(Executor {
            runner,
            arrays: (0..outputs.len()).filter(|at| is_array(*at)).map(|at| at as u32).collect(),
            decoder,
            decode_errors: Vec::new(),
            prefilter_inputs: plan.prefilter.map(scratch).unwrap_or_default(),
            main_inputs: scratch(plan.main),
            views: Vec::new(),
            types: program.row_types(resolver),
            output: OutputBatch {
                batch: RecordBatch::new_empty(Arc::clone(&schema)),
                row_index: Vec::new(),
                event_times: None,
                status: Vec::new(),
                errors: Vec::new(),
                fates: Fates::default(),
                events: EventOutputs::new(plan, outputs),
                dedup_keys: Vec::new(),
                admission: Admission::default(),
            },
            schema,
            program: Arc::clone(program),
            resolver,
        })
    }

    /// The resolver's description.
    pub fn resolver(&self) -> &Resolver {
        &self.program.manifest().resolvers[self.resolver]
    }

    /// The columns of every output batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The language's type of each column.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// How its messages were decoded so far; all zeros where they are not.
    pub fn tier_counts(&self) -> TierCounts {
        self.decoder.as_ref().map(Decoder::counts).unwrap_or_default()
    }

    /// The result of the latest run.
    pub fn output(&self) -> &OutputBatch {
        &self.output
    }

    /// The result of the latest run, for [`Keeper::admit`](crate::Keeper::admit).
    pub fn output_mut(&mut self) -> &mut OutputBatch {
        &mut self.output
    }

    /// Runs a batch; `now_us` is what `now()` gives. The result is kept until the next run.
    pub fn run(&mut self, input: &InputBatch, now_us: i64) -> &OutputBatch {
        let program = Arc::clone(&self.program);
        let manifest = program.manifest();
        let plan = &manifest.resolvers[self.resolver];
        self.runner.begin(now_us);
        let statuses = &mut self.output.status;
        statuses.clear();
        statuses.resize(input.len(), status::LIVE);
        self.output.errors.clear();

        if let Some(prefilter) = plan.prefilter {
            self.views.clear();
            for (kernel_input, column) in
                manifest.kernels[prefilter as usize].inputs.iter().zip(&mut self.prefilter_inputs)
            {
                column.fill(kernel_input, input);
                self.views.push(column.view(input.len()));
            }
            self.runner.call(prefilter, &self.views, statuses);
        }

        if let Some(decoder) = &mut self.decoder {
            self.decode_errors.clear();
            decoder.decode(input.messages(), statuses, &mut self.decode_errors);
            self.output.errors.extend(self.decode_errors.drain(..).map(into_row_error));
        } else if plan.input == MessageInput::Text {
            check_text(input, statuses, &mut self.output.errors);
        }

        self.views.clear();
        for (kernel_input, column) in manifest.kernels[plan.main as usize].inputs.iter().zip(&mut self.main_inputs) {
            if let KernelInput::Decoded(position) = kernel_input {
                let decoder = self.decoder.as_ref().expect("a plan with decoded columns has a decoder");
                self.views.push(*decoder.columns().view(*position as usize));
            } else {
                column.fill(kernel_input, input);
                self.views.push(column.view(input.len()));
            }
        }
        let rows = self.runner.call(plan.main, &self.views, statuses);
        self.output.errors.extend(self.runner.take_errors());
        self.output.errors.sort_by_key(|error| error.row);

        self.output.fates = Fates::of(statuses);
        assert_eq!(self.output.fates.applied as usize, rows, "every applied message has a row");
        self.output.row_index.clear();
        self.output.row_index.extend_from_slice(&self.runner.row_index[..rows]);
        self.output.dedup_keys.clear();
        self.output.dedup_keys.extend_from_slice(self.runner.dedup_keys());
        self.runner.take_events(rows, &mut self.output.events);
        let mut columns: Vec<ArrayRef> = self.runner.finish_some(rows, &self.arrays);
        let arrays = &self.arrays;
        let array_of = |output: usize| {
            let at = arrays.iter().position(|known| *known as usize == output);
            &columns[at.expect("events with parts are arrays")]
        };
        self.output.events.take_nested(array_of, rows);
        self.output.event_times = match plan.outputs.last() {
            Some(ResolverOutput::EventTime) => columns.pop().map(|times| times.as_primitive().clone()),
            _ => None,
        };
        columns.truncate(self.schema.fields().len());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        self.output.batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .expect("outputs have the types that the manifest states");
        &self.output
    }
}

/// Positions in the class of the features that a resolver's batches carry, in order.
pub(crate) fn feature_outputs(plan: &Resolver) -> impl Iterator<Item = usize> {
    plan.outputs.iter().filter_map(|output| match output {
        ResolverOutput::Feature(feature) | ResolverOutput::Expression(feature) => Some(*feature as usize),
        ResolverOutput::Event | ResolverOutput::EventTime => None,
    })
}

fn into_row_error(error: DecodeError) -> RowError {
    RowError {
        row: error.message_index as usize,
        reason: error.reason.to_string(),
        path: (!error.path.is_empty()).then_some(error.path),
        byte_offset: Some(error.offset),
        site: None,
    }
}

fn check_text(input: &InputBatch, statuses: &mut [u8], errors: &mut Vec<RowError>) {
    for (row, row_status) in statuses.iter_mut().enumerate() {
        if *row_status != status::LIVE {
            continue;
        }
        if let Err(error) = std::str::from_utf8(input.message(row)) {
            *row_status = status::FAILED;
            errors.push(RowError {
                row,
                reason: "the message is not UTF-8; a `string` message is text, take `bytes` for anything else"
                    .to_owned(),
                path: None,
                byte_offset: Some(error.valid_up_to()),
                site: None,
            });
        }
    }
}
