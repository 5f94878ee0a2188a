//! Drives the resolvers of a source over its lines, batch by batch, with the state of the session where the program has any.
//!
//! A batch is small enough to stay in the core's cache with all its columns. Of a pipe it is run as soon as no whole line is waiting, so that
//! a person who types a message sees its features.
//!
//! This file must not know where output goes or how it looks.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chalk_decode::{PlanError, Tier};
use chalk_engine::{Closed, Envelope, Executor, Fates, InputBatch, OutputBatch, Program, Session};

use super::lines::LineReader;

/// Messages of a batch.
const BATCH_ROWS: usize = 1024;
/// Bytes of a batch, at most (one message may be larger).
const BATCH_BYTES: usize = 1 << 20;

/// A source's lines with the resolvers that read them.
pub struct SourceRun {
    source: String,
    /// Positions of its resolvers in the manifest.
    resolvers: Vec<usize>,
    names: Vec<String>,
    /// The resolvers of a program without state; a session has its own.
    executors: Vec<Executor>,
    fates: Vec<Fates>,
    messages: u64,
    batch: InputBatch,
}

/// What is told of a run as it goes on.
pub trait Observer {
    /// A resolver's batch; `input` holds its messages, whose offsets are line numbers from 0.
    fn batch(&mut self, executor: usize, run: &Executor, input: &InputBatch, output: &OutputBatch) -> io::Result<()>;

    /// A tumbling window that is over.
    fn closed(&mut self, closed: &Closed) -> io::Result<()>;

    /// All resolvers are done with what was read so far; `waiting` says that the next read may wait for its writer.
    fn progress(&mut self, consumed_bytes: u64, messages: u64, waiting: bool) -> io::Result<()>;
}

impl SourceRun {
    /// The resolvers of that source (position in the manifest) that run in the environment, if one is given.
    pub fn new(
        program: &Arc<Program>,
        source: u32,
        only: Option<&str>,
        tier: Tier,
        in_session: bool,
    ) -> Result<SourceRun, PlanError> {
        let manifest = program.manifest();
        let is_wanted = |position: &usize| {
            let resolver = &manifest.resolvers[*position];
            resolver.source == source && only.is_none_or(|only| resolver.name == only)
        };
        let resolvers: Vec<usize> = (0..manifest.resolvers.len()).filter(is_wanted).collect();
        let executors =
            resolvers.iter().filter(|_| !in_session).map(|resolver| Executor::new(program, *resolver, tier));
        Ok(SourceRun {
            source: manifest.sources[source as usize].name.clone(),
            names: resolvers.iter().map(|resolver| manifest.resolvers[*resolver].name.clone()).collect(),
            fates: vec![Fates::default(); resolvers.len()],
            executors: executors.collect::<Result<_, _>>()?,
            resolvers,
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
        self.names.iter().map(String::as_str).zip(&self.fates)
    }

    /// Messages read.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Runs all lines; blank ones are no messages.
    pub fn run(
        &mut self,
        reader: &mut LineReader,
        mut session: Option<&mut Session>,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        let is_pipe = reader.size_bytes().is_none();
        let mut line_number = 0;
        loop {
            let waiting = is_pipe && !self.batch.is_empty() && !reader.has_line();
            if waiting || self.batch.len() == BATCH_ROWS || self.batch.size_bytes() >= BATCH_BYTES {
                self.run_batch(session.as_deref_mut(), observer)?;
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
        self.run_batch(session, observer)?;
        observer.progress(reader.consumed_bytes(), self.messages, true)
    }

    fn run_batch(&mut self, session: Option<&mut Session>, observer: &mut dyn Observer) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.messages += self.batch.len() as u64;
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64);
        if let Some(session) = session {
            session.set_now(now_us);
            for (position, resolver) in self.resolvers.iter().enumerate() {
                session.push_batch(*resolver, &self.batch);
                let executor = session.executor(*resolver);
                let output = executor.output();
                self.fates[position].add(&output.fates);
                observer.batch(position, executor, &self.batch, output)?;
            }
            let mut result = Ok(());
            session.advance(&mut |closed| {
                if result.is_ok() {
                    result = observer.closed(closed);
                }
            });
            self.batch.clear();
            return result;
        }
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
