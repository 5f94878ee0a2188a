//! Tier 1: messages that have the keys of an earlier one, in its order and with its blanks.
//!
//! Producers write the same keys in the same order, so all text between two values is the same in every message: a
//! template holds it as literals and compares it as a whole instead of parsing it. It was learned from a message that
//! was accepted, so what equals it needs no further check. What differs is a value's business, or a miss.
//!
//! Values are found by ordinal, not one behind the other (`fixed` does that for a message as a whole, what is here step by step): one pass over the message has listed its quotes, a literal's last
//! quote says where the value behind it begins, and the next quote where it ends. So the processor reads many fields at once; that each
//! value ends where the next literal begins is tested beside, and counts at the end.
//!
//! This file must not know how a template is learned, or which one is tried.

use super::fixed::Fixed;
use super::number;
use super::simd::Simd;
use super::walker::Walk;
use super::{FastField, Seen, walker};
use crate::columns::{ColumnId, DecodedColumns};
use crate::program::ObjectId;

/// Bytes of a literal that are compared at once.
pub(super) const HEAD_BYTES: usize = 32;

/// `Op::gap` where no quote says where the value ends.
pub(super) const NO_GAP: u32 = u32::MAX;

/// What a value was in the earlier message: what is tried first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// Nobody reads it; a string.
    SkipString,
    /// Nobody reads it; an integer without a sign.
    SkipInteger,
    /// Nobody reads it; another number.
    SkipDecimal,
    /// Nobody reads it; `true`, `false` or `null`.
    SkipWord,
    /// Nobody reads it.
    Skip,
    /// `Action::Int64`.
    Int64,
    /// `Action::Float64`.
    Float64,
    /// `Action::String`.
    String,
    /// `Action::Bool`.
    Bool,
    /// A field of another kind.
    Read,
}

/// A literal and the value behind it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Op {
    /// The literal's first bytes, then zeros.
    pub(super) head: [u8; HEAD_BYTES],
    /// The literal in `Template::literals`.
    pub(super) literal: u32,
    pub(super) literal_bytes: u32,
    /// From the value's end to the next quote of a literal (or to the message's end, in the tail).
    pub(super) gap: u32,
    /// Quotes in the literal.
    pub(super) quotes: u16,
    /// From the last of them to the value.
    pub(super) after_quote: u16,
    /// Objects and arrays open around the value.
    pub(super) depth: u16,
    pub(super) step: Step,
    /// The first byte of the value in the earlier message.
    pub(super) first: u8,
    /// Of steps that write one column.
    pub(super) column: ColumnId,
    /// Of steps that read: the field in `Template::fields`.
    pub(super) field: u32,
}

const _: () = assert!(size_of::<Op>() == 64, "an operation is one cache line");

/// A field that the earlier message did not have, or had as null where others have an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// It is absent.
    Absent(FastField),
    /// It is null, in a literal.
    Null(FastField),
    /// It is an object, in literals, and its presence is wanted.
    Present(FastField),
    /// An object that goes to struct columns was closed.
    Closed(ObjectId),
}

/// One shape of messages.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// All literals, then padding.
    pub(super) literals: Vec<u8>,
    pub(super) ops: Vec<Op>,
    pub(super) fields: Vec<FastField>,
    /// The literal behind the last value.
    pub(super) tail: u32,
    pub(super) tail_bytes: u32,
    pub(super) tail_quotes: u32,
    /// Control characters in all literals; no literal has a backslash.
    pub(super) odd: u32,
    pub(super) rest: Vec<Rest>,
    pub(super) fixed: Fixed,
    /// Whether there is nothing to do but what `Fixed::read` does.
    pub(super) is_plain: bool,
}

impl Template {
    pub(super) fn clear(&mut self) {
        self.literals.clear();
        self.ops.clear();
        self.fields.clear();
        self.rest.clear();
        self.fixed.clear();
    }

    /// Reads the message, if it has this shape.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, walk: &mut Walk<'_, '_>) -> bool {
        walk.is_by_steps = false;
        // SAFETY: as the caller promises.
        unsafe {
            // Where the message equals the literals, these have so many of its odd bytes: if that is all, values have none.
            if walk.odd != self.odd {
                return S::run_with_care(self, walk);
            }
            if self.fixed.may_fit(walk.quote_count) && self.fixed.read::<S>(&walk.seen(), walk.reading.columns) {
                return (!self.fixed.has_others() || S::read_others(&self.fixed, self, walk))
                    && (self.rest.is_empty() || self.finish(walk));
            }
            S::run_step_by_step(self, walk)
        }
    }

    /// Whether a message could have its values where this has them.
    #[inline(always)]
    pub(super) fn may_fit(&self, odd: u32, quote_count: usize) -> bool {
        odd == self.odd && self.fixed.may_fit(quote_count)
    }

    /// Reads the message, if it has this shape and there is nothing to it but values at fixed ordinals.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn read_fixed<S: Simd>(&self, seen: &Seen, columns: &mut DecodedColumns) -> bool {
        // SAFETY: as the caller promises.
        self.is_plain && self.may_fit(seen.odd, seen.quote_count) && unsafe { self.fixed.read::<S>(seen, columns) }
    }

    /// Reads a message of which perhaps a value has become null, or is no longer.
    #[inline(always)]
    pub(super) unsafe fn run_step_by_step<S: Simd>(&self, walk: &mut Walk<'_, '_>) -> bool {
        walk.undo();
        walk.is_by_steps = self.fixed.is_set();
        // SAFETY: as the caller promises.
        unsafe { self.follow::<S, true>(walk) }
    }

    /// Reads a message that has backslashes or control characters in its values.
    #[inline(always)]
    pub(super) unsafe fn run_with_care<S: Simd>(&self, walk: &mut Walk<'_, '_>) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            walk.drop_escaped_quotes::<S>();
            self.follow::<S, false>(walk)
        }
    }

    /// `PLAIN`: no value has a backslash or a control character, if the literals fit.
    #[inline(always)]
    unsafe fn follow<S: Simd, const PLAIN: bool>(&self, walk: &mut Walk<'_, '_>) -> bool {
        let (start, size) = (walk.start, walk.size);
        // The quotes that are not used yet. Behind the last one stands `size`; what stands further on is of earlier messages, so that
        // no position is trusted before it was compared with `size`.
        let mut quotes = walk.quotes;
        // Where the value before ends.
        let mut after = 0;
        // SAFETY: a literal is compared where the value before ends, if the value behind it begins inside the message, which is where
        // that is read; so reads stay within the padding, and literals have padding of their own. `quotes` moves by at
        // most the quotes of all literals and two a value, for which `Walk::quotes` has room.
        unsafe {
            for op in &self.ops {
                let literal_bytes = op.literal_bytes as usize;
                let at = if op.quotes != 0 {
                    let at = *quotes.add(usize::from(op.quotes) - 1) as usize + usize::from(op.after_quote);
                    quotes = quotes.add(usize::from(op.quotes));
                    // What was found by ordinal must be what was found behind the value before. Hidden from the compiler, which would
                    // else go on with the one instead of the other, and so wait for it.
                    if S::opaque(at.wrapping_sub(after)) != literal_bytes {
                        return false;
                    }
                    at
                } else {
                    after + literal_bytes
                };
                if at >= size {
                    return false;
                }
                let literal = start.add(at).sub(literal_bytes);
                if literal_bytes <= HEAD_BYTES {
                    if !S::equal_32(literal, op.head.as_ptr(), literal_bytes) {
                        return false;
                    }
                } else if !S::equal(literal, self.literals.as_ptr().add(op.literal as usize), literal_bytes) {
                    return false;
                }
                let value = start.add(at);
                // The next quote is one of the value's own, or it tells where the value ends.
                let quote = *quotes as usize;
                if op.step == Step::SkipString && quote == at {
                    let close = *quotes.add(1) as usize;
                    quotes = quotes.add(2);
                    after = close + 1;
                    if !PLAIN && !walk.is_plain(at, close) {
                        let Some(stop) = walk.skip_string::<S>(value) else { return false };
                        after = walk.position(stop);
                    }
                    continue;
                }
                let expected = quote.wrapping_sub(op.gap as usize);
                after = match op.step {
                    Step::String if quote == at => {
                        let close = *quotes.add(1) as usize;
                        quotes = quotes.add(2);
                        if PLAIN || walk.is_plain(at, close) {
                            walk.put_string(op.column, at + 1, close);
                            close + 1
                        } else if let Some(stop) = walk.read_string::<S>(op.column, value) {
                            walk.position(stop)
                        } else {
                            return false;
                        }
                    }
                    Step::SkipInteger | Step::SkipDecimal
                        if number::is_plain_number::<S>(value, expected.wrapping_sub(at)) =>
                    {
                        expected
                    }
                    Step::Int64 if let Some((integer, stop)) = number::integer::<S>(value) => {
                        walk.reading.columns.put_word_unchecked(op.column, walk.row, integer as u64);
                        walk.position(stop)
                    }
                    Step::Float64 if let Some((float, stop)) = number::float::<S>(value) => {
                        walk.reading.columns.put_word_unchecked(op.column, walk.row, float.to_bits());
                        walk.position(stop)
                    }
                    Step::Bool if let Some((value, word_bytes)) = walker::boolean(value) => {
                        walk.reading.columns.put_bool_unchecked(op.column, walk.row, value);
                        at + word_bytes
                    }
                    Step::SkipWord if let Some(word_bytes) = walker::word(value) => at + word_bytes,
                    _ => {
                        let Some(stop) = S::template_value(self, walk, op, value) else { return false };
                        if quotes > walk.quotes.add(walk.quote_count) {
                            return false;
                        }
                        // `stop` is before the message's end, and the last position is that end.
                        while (*quotes as usize) < stop {
                            quotes = quotes.add(1);
                        }
                        stop
                    }
                };
            }
            // So `quotes` was never taken from behind its end.
            let used = quotes.offset_from(walk.quotes) as usize + self.tail_quotes as usize;
            let tail_bytes = self.tail_bytes as usize;
            if size.wrapping_sub(after) != tail_bytes
                || used != walk.quote_count
                || !S::equal(start.add(after), self.literals.as_ptr().add(self.tail as usize), tail_bytes)
            {
                return false;
            }
        }
        self.rest.is_empty() || self.finish(walk)
    }

    /// A value that is not what it was in the earlier message, or of a kind that is read by others.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn value<S: Simd>(&self, walk: &mut Walk<'_, '_>, op: &Op, value: *const u8) -> Option<usize> {
        // SAFETY: as the caller promises.
        let stop = unsafe {
            match op.step {
                Step::SkipString | Step::SkipInteger | Step::SkipDecimal | Step::SkipWord | Step::Skip => {
                    walk.skip_value::<S>(value, u32::from(op.depth))?
                }
                _ => walk.read::<S>(&self.fields[op.field as usize], value, u32::from(op.depth))?,
            }
        };
        Some(walk.position(stop))
    }

    #[inline(never)]
    fn finish(&self, walk: &mut Walk<'_, '_>) -> bool {
        let program = walk.reading.program;
        for rest in &self.rest {
            match rest {
                Rest::Absent(field) => {
                    let meaning = &program.objects[field.object as usize].fields[field.index as usize];
                    if !walk.reading.absent_field(meaning, walk.row) {
                        return false;
                    }
                }
                Rest::Null(field) => walk.null(field),
                Rest::Present(field) => walk.note_presence(field),
                Rest::Closed(object) => {
                    for &column in &program.objects[*object as usize].columns {
                        walk.reading.columns.set_valid(column, walk.row);
                    }
                }
            }
        }
        true
    }
}
