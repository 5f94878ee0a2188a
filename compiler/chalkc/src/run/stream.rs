//! Drives the resolvers of a source over its lines, batch by batch, with the state of the session where the program has any.
//!
//! A batch is small enough to stay in the core's cache with all its columns.
//!
//! This file must not know where output goes or how it looks.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chalk_decode::{PlanError, Tier, TierCounts};
use chalk_engine::{Closed, Executor, Fates, InputBatch, Line, OutputBatch, Program, Session};

use super::chunks::Chunk;

/// Messages of a batch.
const BATCH_ROWS: usize = 1024;
/// Bytes of a batch, at most (one message may be larger).
const BATCH_BYTES: usize = 512 << 10;

/// The resolvers that read a source.
#[derive(Clone)]
pub struct SourceResolvers {
    source: String,
    /// Positions of its resolvers in the manifest.
    resolvers: Vec<usize>,
    names: Vec<String>,
}

/// What became of the messages of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Messages read.
    pub messages: u64,
    /// Per resolver, in the order of `SourceResolvers::names`.
    pub fates: Vec<Fates>,
    /// Per resolver how its messages were decoded.
    pub tiers: Vec<TierCounts>,
}

/// A source's resolvers at work on its lines.
pub struct SourceRun {
    resolvers: SourceResolvers,
    /// The resolvers of a program without state; a session has its own.
    executors: Vec<Executor>,
    counts: SourceCounts,
    batch: InputBatch,
    /// Where the lines of the batch lie; empty between chunks.
    lines: Vec<Line>,
}

/// What is told of a run as it goes on.
pub trait Observer {
    /// A resolver's batch; `input` holds its messages, whose offsets are line numbers from 0.
    fn batch(&mut self, resolver: usize, run: &Executor, input: &InputBatch, output: &OutputBatch) -> io::Result<()>;

    /// A tumbling window that is over.
    fn closed(&mut self, closed: &Closed) -> io::Result<()>;
}

impl SourceResolvers {
    /// The resolvers of that source (position in the manifest); or the one of that name, if one is given.
    pub fn new(program: &Program, source: u32, only: Option<&str>) -> SourceResolvers {
        let manifest = program.manifest();
        let is_wanted = |position: &usize| {
            let resolver = &manifest.resolvers[*position];
            resolver.source == source && only.is_none_or(|only| resolver.name == only)
        };
        let resolvers: Vec<usize> = (0..manifest.resolvers.len()).filter(is_wanted).collect();
        SourceResolvers {
            source: manifest.sources[source as usize].name.clone(),
            names: resolvers.iter().map(|resolver| manifest.resolvers[*resolver].name.clone()).collect(),
            resolvers,
        }
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its resolvers' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl SourceCounts {
    /// Adds what another worker has counted.
    pub fn add(&mut self, other: &SourceCounts) {
        self.messages += other.messages;
        self.fates.resize(self.fates.len().max(other.fates.len()), Fates::default());
        self.tiers.resize(self.tiers.len().max(other.tiers.len()), TierCounts::default());
        self.fates.iter_mut().zip(&other.fates).for_each(|(fates, other)| fates.add(other));
        self.tiers.iter_mut().zip(&other.tiers).for_each(|(tiers, other)| *tiers += *other);
    }
}

impl SourceRun {
    /// The resolvers with executors of their own, or for a session.
    pub fn new(
        program: &Arc<Program>,
        resolvers: SourceResolvers,
        tier: Tier,
        in_session: bool,
    ) -> Result<SourceRun, PlanError> {
        let own = resolvers.resolvers.iter().filter(|_| !in_session);
        Ok(SourceRun {
            executors: own.map(|resolver| Executor::new(program, *resolver, tier)).collect::<Result<_, _>>()?,
            counts: SourceCounts { fates: vec![Fates::default(); resolvers.names.len()], ..SourceCounts::default() },
            resolvers,
            batch: InputBatch::new(),
            lines: Vec::with_capacity(BATCH_ROWS),
        })
    }

    /// Its resolvers.
    pub fn resolvers(&self) -> &SourceResolvers {
        &self.resolvers
    }

    /// Messages so far.
    pub fn messages(&self) -> u64 {
        self.counts.messages
    }

    /// What became of the messages so far.
    pub fn counts(&self, session: Option<&Session>) -> SourceCounts {
        let executor = |position: usize| match session {
            Some(session) => session.executor(self.resolvers.resolvers[position]),
            None => &self.executors[position],
        };
        let tiers = (0..self.resolvers.names.len()).map(|position| executor(position).tier_counts()).collect();
        SourceCounts { tiers, ..self.counts.clone() }
    }

    /// Runs the lines of a chunk; blank ones are no messages.
    pub fn run(
        &mut self,
        chunk: &Chunk,
        mut session: Option<&mut Session>,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        let mut lines = std::mem::take(&mut self.lines);
        // The lines of a batch are taken over at once, with what is between them.
        let mut piece = 0..0;
        for line in chunk.lines().filter(|line| line.size_bytes != 0) {
            let end = line.start + line.size_bytes;
            if lines.len() == BATCH_ROWS || (!lines.is_empty() && end - piece.start > BATCH_BYTES) {
                self.run_lines(chunk, piece.clone(), &mut lines, session.as_deref_mut(), observer)?;
            }
            if lines.is_empty() {
                piece.start = line.start;
            }
            piece.end = end;
            lines.push(Line { start: line.start - piece.start, ..line });
        }
        self.run_lines(chunk, piece, &mut lines, session, observer)?;
        self.lines = lines;
        Ok(())
    }

    /// Runs the lines of a piece as a batch, and forgets them.
    fn run_lines(
        &mut self,
        chunk: &Chunk,
        piece: Range<usize>,
        lines: &mut Vec<Line>,
        session: Option<&mut Session>,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let source = &self.resolvers.source;
        self.batch.lend_lines(chunk.bytes(), piece, lines, source).map_err(io::Error::other)?;
        lines.clear();
        self.run_batch(session, observer)
    }

    fn run_batch(&mut self, session: Option<&mut Session>, observer: &mut dyn Observer) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.counts.messages += self.batch.len() as u64;
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64);
        let mut result = Ok(());
        if let Some(session) = session {
            session.set_now(now_us);
            for (position, resolver) in self.resolvers.resolvers.iter().enumerate() {
                session.push_batch(*resolver, &self.batch);
                let executor = session.executor(*resolver);
                let output = executor.output();
                self.counts.fates[position].add(&output.fates);
                observer.batch(*resolver, executor, &self.batch, output)?;
            }
            session.advance(&mut |closed| {
                if result.is_ok() {
                    result = observer.closed(closed);
                }
            });
        } else {
            for (position, executor) in self.executors.iter_mut().enumerate() {
                executor.run(&self.batch, now_us);
                let output = executor.output();
                self.counts.fates[position].add(&output.fates);
                observer.batch(self.resolvers.resolvers[position], executor, &self.batch, output)?;
            }
        }
        self.batch.clear();
        result
    }
}
