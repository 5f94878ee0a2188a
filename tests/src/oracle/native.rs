//! What the compiled program does with messages, through the engine, in batches.
//!
//! This file must not know the evaluator.

use std::sync::Arc;

use chalk_artifact::abi::status;
use chalk_decode::Tier;
use chalk_engine::json::RowWriter;
use chalk_engine::{Executor, InputBatch, OutputBatch, Program, RowError};

use super::NOW_US;
use crate::message::Message;
use crate::outcome::{Outcome, Place};

/// One resolver's native code.
pub struct Native {
    program: Arc<Program>,
    executor: Executor,
}

impl Native {
    /// The resolver at that position.
    ///
    /// # Panics
    /// Where the engine refuses the decode plan: the compiler made it.
    pub fn new(program: &Arc<Program>, resolver: usize, tier: Tier) -> Native {
        let executor = Executor::new(program, resolver, tier).unwrap_or_else(|error| panic!("{error}"));
        Native { program: Arc::clone(program), executor }
    }

    /// What each message becomes.
    pub fn run(&mut self, messages: &[Message], batch_size: usize) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut batch = InputBatch::new();
        for chunk in messages.chunks(batch_size) {
            batch.clear();
            for message in chunk {
                message.with_envelope(|envelope| batch.push(&message.bytes, envelope)).expect("a small batch");
            }
            let types = self.executor.types().to_vec();
            let output = self.executor.run(&batch, NOW_US);
            check_counts(output, chunk.len());
            let writer = RowWriter::new(&output.batch, &types);
            let mut row = 0;
            for (index, &fate) in output.status.iter().enumerate() {
                outcomes.push(match fate {
                    status::APPLIED => {
                        assert_eq!(output.row_index[row] as usize, index, "rows are in the order of messages");
                        let mut text = Vec::new();
                        writer.write_row(&mut text, row);
                        let features = String::from_utf8(text).expect("JSON is UTF-8");
                        let event_time_us = output
                            .event_times
                            .as_ref()
                            .and_then(|times| (!arrow_array::Array::is_null(times, row)).then(|| times.value(row)));
                        row += 1;
                        Outcome::Applied { features, event_time_us }
                    }
                    status::FILTERED => Outcome::Filtered,
                    status::SKIPPED => Outcome::Skipped,
                    status::LATE => Outcome::Late,
                    status::FAILED => {
                        let mut errors = output.errors.iter().filter(|error| error.row == index);
                        let error = errors.next().expect("a failed message has an error");
                        assert!(errors.next().is_none(), "a failed message has one error");
                        dead_letter(&self.program, error)
                    }
                    other => panic!("no resolver of this version gives the status {other}"),
                });
            }
        }
        outcomes
    }
}

fn check_counts(output: &OutputBatch, messages: usize) {
    assert_eq!(output.fates.total() as usize, messages, "every message has one fate");
    assert_eq!(output.batch.num_rows(), output.row_index.len(), "one row per applied message");
    assert_eq!(output.fates.applied as usize, output.row_index.len(), "applied messages have rows");
    assert_eq!(output.fates.dead_letter as usize, output.errors.len(), "dead letters have reasons");
}

fn dead_letter(program: &Program, error: &RowError) -> Outcome {
    let manifest = program.manifest();
    let place = match error.site {
        Some(site) => {
            let site = &manifest.sites[site as usize];
            Place::Source { file: manifest.files[site.file as usize].clone(), line: site.line, column: site.column }
        }
        None => Place::Message { path: error.path.clone(), byte: error.byte_offset },
    };
    Outcome::DeadLetter { reason: error.reason.clone(), place }
}
