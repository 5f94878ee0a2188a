//! Drives the resolvers of a source over its lines, batch by batch.
//!
//! A batch is small enough to stay in the core's cache with all its columns. Of a pipe it is run as soon as no whole line is waiting, so that
//! a person who types a message sees its features.
//!
//! This file must not know where output goes or how it looks.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chalk_decode::{PlanError, Tier};
use chalk_engine::{Envelope, Executor, Fates, InputBatch, OutputBatch, Program};

use super::lines::LineReader;

/// Messages of a batch.
const BATCH_ROWS: usize = 1024;
/// Bytes of a batch, at most (one message may be larger).
const BATCH_BYTES: usize = 1 << 20;

/// A source's lines with the resolvers that read them.
pub struct SourceRun {
    source: String,
    executors: Vec<Executor>,
    fates: Vec<Fates>,
    messages: u64,
    batch: InputBatch,
}

/// What is told of a run as it goes on.
pub trait Observer {
    /// A resolver's batch; `input` holds its messages, whose offsets are line numbers from 0.
    fn batch(&mut self, executor: usize, run: &Executor, input: &InputBatch, output: &OutputBatch) -> io::Result<()>;

    /// All resolvers are done with what was read so far; `waiting` says that the next read may wait for its writer.
    fn progress(&mut self, consumed_bytes: u64, messages: u64, waiting: bool) -> io::Result<()>;
}

impl SourceRun {
    /// The resolvers of that source (position in the manifest) that run in the environment, if one is given.
    pub fn new(program: &Arc<Program>, source: u32, only: Option<&str>, tier: Tier) -> Result<SourceRun, PlanError> {
        let manifest = program.manifest();
        let executors = manifest
            .resolvers
            .iter()
            .enumerate()
            .filter(|(_, resolver)| resolver.source == source && only.is_none_or(|only| resolver.name == only))
            .map(|(position, _)| Executor::new(program, position, tier))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(SourceRun {
            source: manifest.sources[source as usize].name.clone(),
            fates: vec![Fates::default(); executors.len()],
            executors,
            messages: 0,
            batch: InputBatch::new(),
        })
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its resolvers with their fates so far.
    pub fn fates(&self) -> impl Iterator<Item = (&str, &Fates)> {
        self.executors.iter().map(|executor| executor.resolver().name.as_str()).zip(&self.fates)
    }

    /// Messages read.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Runs all lines; blank ones are no messages.
    pub fn run(&mut self, reader: &mut LineReader, observer: &mut dyn Observer) -> io::Result<()> {
        let is_pipe = reader.size_bytes().is_none();
        let mut line_number = 0;
        loop {
            let waiting = is_pipe && !self.batch.is_empty() && !reader.has_line();
            if waiting || self.batch.len() == BATCH_ROWS || self.batch.size_bytes() >= BATCH_BYTES {
                self.run_batch(observer)?;
                observer.progress(reader.consumed_bytes(), self.messages, waiting)?;
            }
            let Some(line) = reader.next_line()? else { break };
            let offset = line_number;
            line_number += 1;
            if line.is_empty() {
                continue;
            }
            let envelope = Envelope { topic: &self.source, offset, ..Envelope::default() };
            self.batch.push(line, &envelope).map_err(io::Error::other)?;
        }
        self.run_batch(observer)?;
        observer.progress(reader.consumed_bytes(), self.messages, true)
    }

    fn run_batch(&mut self, observer: &mut dyn Observer) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.messages += self.batch.len() as u64;
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64);
        for (position, executor) in self.executors.iter_mut().enumerate() {
            executor.run(&self.batch, now_us);
            let output = executor.output();
            self.fates[position].add(&output.fates);
            observer.batch(position, executor, &self.batch, output)?;
        }
        self.batch.clear();
        Ok(())
    }
}
