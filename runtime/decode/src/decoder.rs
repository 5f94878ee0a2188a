//! The decoder: a batch of messages in, columns, fates and errors out.
//!
//! One per worker and resolver, because it learns what its messages look like. A fast tier may take a message only if
//! the scalar parser would have given the same columns; whatever it is not sure of it leaves to the scalar parser without a trace.
//!
//! This file must not know JSON.

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::DecodePlan;

use crate::batch::{MessageBatch, Messages, PADDING_BYTES, Span};
use crate::columns::{Checkpoint, DecodedColumns};
use crate::error::{DecodeError, Failure, PlanError};
use crate::fast::Fast;
use crate::program::Program;
use crate::scalar::{Reading, Scratch, Source};
use crate::tier::Tier;

/// Decodes messages of one type.
pub struct Decoder {
    program: Program,
    columns: DecodedColumns,
    scratch: Scratch,
    tier: Tier,
    fast: Option<Fast>,
    by_scalar: u64,
    bytes: u64,
}

/// What a decoder has done so far: which tier decoded how many messages (those that failed count for the scalar parser), how
/// often it had to learn, and how many bytes it has seen. All of them only grow, so two readings give a rate.
///
/// A stream with one shape of messages has nearly all of them in `template`. Where `walker` grows, key order or the set of keys
/// changes from message to message; where `scalar` does, keys are escaped or repeated, or messages fail. `replaced` that keeps
/// growing says that the stream has more shapes than are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierCounts {
    /// Along a learned template.
    pub template: u64,
    /// Of those, the ones that were followed value by value, because some were null that the template has, or the other way round.
    pub steps: u64,
    /// By the walker, in any key order.
    pub walker: u64,
    /// By the scalar parser.
    pub scalar: u64,
    /// Templates that were learned.
    pub learned: u64,
    /// Templates that were given up for one that was learned.
    pub replaced: u64,
    /// Bytes of the messages, blanks and all; of failed ones, too.
    pub bytes: u64,
}

impl TierCounts {
    /// Messages, whatever has become of them.
    pub fn messages(&self) -> u64 {
        self.template + self.walker + self.scalar
    }
}

impl std::ops::Sub for TierCounts {
    type Output = TierCounts;

    /// What was done since an earlier reading of the same decoder.
    fn sub(self, earlier: TierCounts) -> TierCounts {
        TierCounts {
            template: self.template - earlier.template,
            steps: self.steps - earlier.steps,
            walker: self.walker - earlier.walker,
            scalar: self.scalar - earlier.scalar,
            learned: self.learned - earlier.learned,
            replaced: self.replaced - earlier.replaced,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl std::ops::AddAssign for TierCounts {
    /// What several decoders have done: those of workers, or of resolvers.
    fn add_assign(&mut self, other: TierCounts) {
        self.template += other.template;
        self.steps += other.steps;
        self.walker += other.walker;
        self.scalar += other.scalar;
        self.learned += other.learned;
        self.replaced += other.replaced;
        self.bytes += other.bytes;
    }
}

impl Decoder {
    /// A decoder for messages of the plan.
    ///
    /// # Panics
    /// Where the processor lacks the tier: `Tier::detect` and `Tier::from_name` never give such a one.
    pub fn new(plan: &DecodePlan, tier: Tier) -> Result<Decoder, PlanError> {
        assert!(tier.is_available(), "the processor has no {tier}");
        let (program, columns) = Program::new(plan)?;
        let fast = Fast::new(&program, tier);
        Ok(Decoder { program, columns, scratch: Scratch::default(), tier, fast, by_scalar: 0, bytes: 0 })
    }

    /// The tier it decodes with.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What it has done so far: what a producer's habits cost.
    pub fn counts(&self) -> TierCounts {
        let mut counts = TierCounts { scalar: self.by_scalar, bytes: self.bytes, ..TierCounts::default() };
        if let Some(fast) = &self.fast {
            (counts.template, counts.walker) = (fast.by_template, fast.by_walker);
            counts.steps = fast.by_steps();
            (counts.learned, counts.replaced) = fast.learned();
        }
        counts
    }

    /// What was decoded last.
    pub fn columns(&self) -> &DecodedColumns {
        &self.columns
    }

    /// What was decoded last, to share it.
    pub fn columns_mut(&mut self) -> &mut DecodedColumns {
        &mut self.columns
    }

    /// Decodes the messages whose status is `LIVE`, one row for each message of the batch. A message that fails gets the
    /// status `FAILED`, an error, and a row of nulls, as have the messages that are not decoded.
    ///
    /// # Panics
    /// Where there is not one status per message.
    pub fn decode(&mut self, batch: &MessageBatch, statuses: &mut [u8], errors: &mut Vec<DecodeError>) {
        assert_eq!(statuses.len(), batch.len(), "one status per message");
        self.columns.begin(batch.len());
        self.messages(batch.messages(), statuses, errors);
        self.columns.refresh_views(batch.bytes().as_ptr());
    }

    /// Forgets all rows, so that `decode_one` begins with row 0.
    pub fn clear(&mut self) {
        self.columns.begin(0);
        self.columns.refresh_views(std::ptr::null());
    }

    /// Decodes one message into a row of its own behind those decoded since `clear`, and says which. The bytes are copied, so they
    /// may lie anywhere. Addresses of views and of texts stay good until `clear`; a failed message leaves no row.
    pub fn decode_one(&mut self, message: &[u8]) -> Result<usize, DecodeError> {
        self.columns.unshare();
        let row = self.columns.push_row();
        let mark = self.columns.arena.mark();
        let outcome = if message.len() > self.program.max_message_bytes {
            // Fails before a byte is read.
            self.message(message, Source { buffer: 0, offset: 0 }, row)
        } else {
            let taken = self.columns.arena.take(message.len() + PADDING_BYTES);
            // SAFETY: `take` gave as many bytes (and padding) that nobody else knows of; they are not written again before
            // the arena is cleared or released, which `message` does not do below its own checkpoint.
            let copy = unsafe {
                std::ptr::copy_nonoverlapping(message.as_ptr(), taken.start, message.len());
                std::slice::from_raw_parts(taken.start.cast_const(), message.len())
            };
            self.message(copy, Source { buffer: taken.buffer, offset: taken.offset }, row)
        };
        if let Err(error) = outcome {
            self.columns.arena.release(mark);
            self.columns.pop_row();
            self.columns.refresh_views(std::ptr::null());
            return Err(error);
        }
        self.columns.refresh_views(std::ptr::null());
        Ok(row)
    }

    /// Decodes one message into a row; a failed one leaves a row of nulls. `PADDING_BYTES` behind it are readable, unless it is too large.
    pub(crate) fn message(&mut self, bytes: &[u8], source: Source, row: usize) -> Result<(), DecodeError> {
        let spans = [Span { offset: 0, size_bytes: bytes.len() as u32 }];
        let messages = Messages { bytes, spans: &spans, buffer: source.buffer, offset: source.offset, row };
        let mut errors = Vec::new();
        self.messages(messages, &mut [status::LIVE], &mut errors);
        errors.pop().map_or(Ok(()), |error| Err(DecodeError { message_index: 0, ..error }))
    }

    /// Decodes messages into their rows; a failed one leaves a row of nulls.
    pub(crate) fn messages(&mut self, messages: Messages<'_>, statuses: &mut [u8], errors: &mut Vec<DecodeError>) {
        let source = Source { buffer: messages.buffer, offset: 0 };
        let mut reading = Reading {
            program: &self.program,
            columns: &mut self.columns,
            scratch: &mut self.scratch,
            bytes: &[],
            source,
        };
        for (span, &row_status) in messages.spans.iter().zip(&*statuses) {
            self.bytes += if row_status == status::LIVE { u64::from(span.size_bytes) } else { 0 };
        }
        let by_scalar = &mut self.by_scalar;
        let mut by_scalar = |reading: &mut Reading<'_>, row: usize, checkpoint: Checkpoint, row_status: &mut u8| {
            *by_scalar += 1;
            if let Err(failure) = reading.message(row) {
                reading.columns.restore(&checkpoint);
                reading.columns.null_message(row);
                *row_status = status::FAILED;
                errors.push(error(row as u32, *failure));
            }
        };
        if let Some(fast) = &mut self.fast {
            return fast.messages(&mut reading, messages, statuses, &mut by_scalar);
        }
        for (index, row_status) in statuses.iter_mut().enumerate() {
            let row = messages.row + index;
            if *row_status != status::LIVE {
                reading.columns.null_message(row);
                continue;
            }
            let checkpoint = reading.columns.checkpoint();
            reading.scratch.digests.clear();
            reading.bytes = messages.message(index);
            reading.source.offset = messages.offset(index);
            by_scalar(&mut reading, row, checkpoint, row_status);
        }
    }
}

fn error(message_index: u32, failure: Failure) -> DecodeError {
    DecodeError { message_index, reason: failure.reason, path: failure.path, offset: failure.offset }
}
