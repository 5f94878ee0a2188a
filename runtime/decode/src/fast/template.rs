//! Tier 1: messages that have the keys of an earlier one, in its order and with its blanks.
//!
//! Producers write the same keys in the same order, so all text between two values is the same in every message: a
//! template holds it as literals and compares 64 bytes at once instead of parsing them. It was learned from a message that
//! was accepted, so what equals it needs no further check. What differs is a value's business, or a miss.
//!
//! This file must not know how a template is learned.

use super::simd::Simd;
use super::walker::Walk;
use super::{FastField, FastObject};
use crate::program::{ObjectId, Program};

/// Templates that are kept.
const MOST_TEMPLATES: usize = 4;
/// Messages that hit between two attempts to learn.
const LEARN_EVERY: u32 = 256;
/// Misses in a row after which templates are no longer tried for every message.
const MISSES_TO_DOUBT: u32 = 16;
/// How often they are tried then.
const TRY_EVERY: u32 = 32;

/// What follows a literal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A value that nobody reads; of the earlier message it was a string.
    SkipString,
    /// Any value that nobody reads.
    Skip,
    /// A value that is read.
    Read(FastField),
}

/// A literal and the value behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) literal: u32,
    pub(super) literal_bytes: u32,
    pub(super) step: Step,
    /// Objects and arrays open around the value.
    pub(super) depth: u32,
}

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
    /// The literal behind the last value.
    pub(super) tail: u32,
    pub(super) tail_bytes: u32,
    pub(super) rest: Vec<Rest>,
    hits: u64,
}

/// The templates of one decoder.
#[derive(Default)]
pub(super) struct Templates {
    templates: Vec<Template>,
    latest: usize,
    misses_in_a_row: u32,
    since_try: u32,
    credit: u32,
    until_credit: u32,
    /// Memory for the next one.
    spare: Template,
    /// Templates that were learned.
    pub(super) learned: u64,
    /// Those of them that took the place of another.
    pub(super) replaced: u64,
}

impl Templates {
    /// Reads the message along a template, if one fits.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&mut self, walk: &mut Walk<'_, '_>) -> bool {
        let Some(latest) = self.templates.get_mut(self.latest) else { return false };
        if self.misses_in_a_row < MISSES_TO_DOUBT {
            // SAFETY: as the caller promises.
            if unsafe { latest.run::<S>(walk) } {
                latest.hits += 1;
                self.misses_in_a_row = 0;
                return true;
            }
        } else {
            self.since_try += 1;
            if self.since_try < TRY_EVERY {
                return false;
            }
            self.since_try = 0;
        }
        // SAFETY: as the caller promises.
        unsafe { self.run_others::<S>(walk) }
    }

    #[inline(never)]
    unsafe fn run_others<S: Simd>(&mut self, walk: &mut Walk<'_, '_>) -> bool {
        for index in 0..self.templates.len() {
            if index == self.latest && self.misses_in_a_row < MISSES_TO_DOUBT {
                continue;
            }
            walk.undo();
            // SAFETY: as the caller promises.
            if unsafe { self.templates[index].run::<S>(walk) } {
                self.templates[index].hits += 1;
                self.latest = index;
                self.misses_in_a_row = 0;
                return true;
            }
        }
        self.misses_in_a_row = self.misses_in_a_row.saturating_add(1);
        false
    }

    /// Makes a template of a message that was accepted, now and then: where every message is different, learning must not
    /// cost more than it can bring.
    #[inline(never)]
    pub(super) fn learn(&mut self, program: &Program, objects: &[FastObject], bytes: &[u8]) {
        if self.credit == 0 && !self.templates.is_empty() {
            self.until_credit = self.until_credit.saturating_sub(1);
            if self.until_credit > 0 {
                return;
            }
            self.credit = 1;
        }
        if !super::learn::learn(program, objects, bytes, &mut self.spare) {
            self.until_credit = LEARN_EVERY;
            self.credit = 0;
            return;
        }
        self.credit = if self.templates.is_empty() { MOST_TEMPLATES as u32 } else { self.credit };
        self.credit -= 1;
        self.learned += 1;
        self.until_credit = LEARN_EVERY;
        self.misses_in_a_row = 0;
        if self.templates.len() < MOST_TEMPLATES {
            self.latest = self.templates.len();
            self.templates.push(std::mem::take(&mut self.spare));
            return;
        }
        let mut least = 0;
        for index in 0..self.templates.len() {
            self.templates[index].hits /= 2;
            if self.templates[index].hits < self.templates[least].hits {
                least = index;
            }
        }
        std::mem::swap(&mut self.templates[least], &mut self.spare);
        self.replaced += 1;
        self.latest = least;
    }
}

impl Template {
    pub(super) fn clear(&mut self) {
        self.literals.clear();
        self.ops.clear();
        self.rest.clear();
        self.hits = 0;
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, walk: &mut Walk<'_, '_>) -> bool {
        let end = walk.end;
        let mut at = walk.start;
        let literals = self.literals.as_ptr();
        // SAFETY: literals end with padding. A literal is compared only where the message still has as many bytes, so that `at`
        // never passes `end` by more than a number does (a few bytes; the next literal is then refused).
        unsafe {
            for op in &self.ops {
                let size = op.literal_bytes as usize;
                if (end as isize - at as isize) <= size as isize
                    || !S::equal(at, literals.add(op.literal as usize), size)
                {
                    return false;
                }
                at = at.add(size);
                let after = match &op.step {
                    Step::SkipString if *at == b'"' => walk.skip_string::<S>(at),
                    Step::SkipString | Step::Skip => walk.skip_value::<S>(at, op.depth),
                    Step::Read(field) => walk.read::<S>(field, at, op.depth),
                };
                let Some(after) = after else { return false };
                at = after;
            }
            let size = self.tail_bytes as usize;
            if (end as isize - at as isize) != size as isize || !S::equal(at, literals.add(self.tail as usize), size) {
                return false;
            }
        }
        self.rest.is_empty() || self.finish(walk)
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
