//! The fast tiers: messages that look like earlier ones are read along a learned template, others by a walker in any key
//! order. Both are strict, and both hand over to the scalar parser at the first doubt.
//!
//! Everything here is written once over `Simd` and compiled once per instruction set; which one runs is decided when a
//! decoder is made.
//!
//! This module must not know batches or errors.

mod keys;
mod learn;
mod lists;
mod nearest;
mod number;
mod numbers;
mod outlined;
mod simd;
mod template;
mod texts;
mod times;
mod values;
mod walker;

use chalk_artifact::decode_plan::UnixUnit;
use chalk_types::IntWidth;

use crate::batch::PADDING_BYTES;
use crate::columns::{Checkpoint, ColumnId};
use crate::program::{Field, ObjectId, Program, Shape};
use crate::scalar::Reading;
use crate::tier::Tier;
use keys::KeyTable;
use simd::{MARKED_BYTES, Simd};
use template::Templates;
use values::FastValue;
use walker::Walk;

const _: () = assert!(cfg!(target_endian = "little"), "views and words are written for little-endian processors");

/// Deepest nesting that recursive code follows, whatever the plan allows.
const DEEPEST: u32 = 512;

/// Fields of an object that can be told apart in one word of bits.
const MOST_FIELDS: usize = 128;

/// How a field's value is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    /// `int`, or a `datetime` in microseconds: one column of 64-bit words.
    Int64,
    /// `float`: one column.
    Float64,
    /// `string`: one column.
    String,
    /// `bool`: one column.
    Bool,
    /// A message of which something is read.
    Object(ObjectId),
    /// Whatever `FastObject::values` says.
    Generic,
}

/// A field, as the fast tiers see it.
#[derive(Clone, Copy, Debug)]
struct FastField {
    action: Action,
    nullable: bool,
    has_presence: bool,
    /// Of the single-column actions.
    column: ColumnId,
    /// The field's place in the program.
    object: ObjectId,
    index: u32,
}

/// An object, as the fast tiers see it.
struct FastObject {
    keys: KeyTable,
    fields: Vec<FastField>,
    /// Of each field that is no message, the values that it goes to.
    values: Vec<Vec<FastValue>>,
    /// A bit for each field.
    all: u128,
    /// Whether it goes to no struct column.
    plain: bool,
}

type Run = unsafe fn(&mut Fast, &mut Reading<'_>, usize, Checkpoint) -> bool;

/// The fast tiers of one decoder.
pub(crate) struct Fast {
    objects: Vec<FastObject>,
    templates: Templates,
    run: Run,
    /// Where the special bytes of the message under way are.
    marks: Vec<u64>,
    /// Messages read along a template.
    pub(crate) by_template: u64,
    /// Messages read by the walker.
    pub(crate) by_walker: u64,
}

impl Fast {
    /// The fast tiers for messages of the program; none where only the scalar parser can read them.
    pub(crate) fn new(program: &Program, tier: Tier) -> Option<Fast> {
        let run: Run = match tier {
            Tier::Scalar => return None,
            Tier::Portable => run::<simd::portable::Portable>,
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => run_avx2,
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => run_avx512,
            #[cfg(not(target_arch = "x86_64"))]
            Tier::Avx2 | Tier::Avx512 => return None,
        };
        let objects: Option<Vec<FastObject>> =
            (0..program.objects.len()).map(|id| fast_object(program, id as ObjectId)).collect();
        Some(Fast {
            objects: objects?,
            templates: Templates::default(),
            run,
            marks: Vec::new(),
            by_template: 0,
            by_walker: 0,
        })
    }

    /// Templates that were learned, and those of them that took the place of another.
    pub(crate) fn learned(&self) -> (u64, u64) {
        (self.templates.learned, self.templates.replaced)
    }

    /// Reads the message into the row, if it is sure to do it as the scalar parser would. Where it is not, columns may
    /// have been written, and list items and text appended: the caller takes those back.
    ///
    /// `PADDING_BYTES` behind the message are readable.
    pub(crate) fn message(&mut self, reading: &mut Reading<'_>, row: usize, checkpoint: Checkpoint) -> bool {
        // SAFETY: `new` chose `run` for a tier that the processor has; the caller vouches for the padding.
        unsafe { (self.run)(self, reading, row, checkpoint) }
    }
}

fn fast_object(program: &Program, id: ObjectId) -> Option<FastObject> {
    let object = &program.objects[id as usize];
    if object.fields.len() > MOST_FIELDS {
        return None;
    }
    let fields = object.fields.iter().enumerate().map(|(index, field)| {
        let (action, column) = action(field);
        FastField {
            action,
            nullable: field.nullable,
            has_presence: !field.presence.is_empty(),
            column,
            object: id,
            index: index as u32,
        }
    });
    Some(FastObject {
        keys: KeyTable::new(object.fields.iter().map(|field| &*field.key))?,
        fields: fields.collect(),
        values: object.fields.iter().map(FastValue::of_field).collect(),
        all: (0..object.fields.len()).fold(0, |bits, index| bits | 1 << index),
        plain: object.columns.is_empty(),
    })
}

fn action(field: &Field) -> (Action, ColumnId) {
    match (&field.leaves[..], field.object) {
        ([], Some(object)) => (Action::Object(object), 0),
        ([leaf], None) if field.presence.is_empty() && !leaf.reader.lenient => {
            let action = match (&leaf.reader.shape, leaf.reader.unix) {
                (Shape::Int(IntWidth::Int64), _) | (Shape::Datetime | Shape::Duration, Some(UnixUnit::Micros)) => {
                    Action::Int64
                }
                (Shape::Float64, _) => Action::Float64,
                (Shape::String, _) => Action::String,
                (Shape::Bool, _) => Action::Bool,
                _ => Action::Generic,
            };
            (action, leaf.column)
        }
        _ => (Action::Generic, 0),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
unsafe fn run_avx2(fast: &mut Fast, reading: &mut Reading<'_>, row: usize, checkpoint: Checkpoint) -> bool {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe { run::<simd::avx2::Avx2>(fast, reading, row, checkpoint) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt")]
unsafe fn run_avx512(fast: &mut Fast, reading: &mut Reading<'_>, row: usize, checkpoint: Checkpoint) -> bool {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe { run::<simd::avx512::Avx512>(fast, reading, row, checkpoint) }
}

/// # Safety
/// The processor has the instruction set; `PADDING_BYTES` behind the message are readable.
#[inline(always)]
unsafe fn run<S: Simd>(fast: &mut Fast, reading: &mut Reading<'_>, row: usize, checkpoint: Checkpoint) -> bool {
    const { assert!(PADDING_BYTES >= 64) };
    let bytes = reading.bytes;
    if bytes.len() > reading.program.max_message_bytes {
        return false;
    }
    let range = bytes.as_ptr_range();
    // SAFETY: as the caller promises.
    unsafe {
        let words = bytes.len() / MARKED_BYTES + 3;
        if fast.marks.len() < words {
            fast.marks.resize(words, 0);
        }
        let marks = fast.marks.as_mut_ptr();
        let is_ascii = S::mark(range.start, bytes.len(), marks);
        // A quote that only seems to be there, just behind the end, is looked at from one byte further on.
        marks.add(words - 2).write(0);
        marks.add(words - 1).write(0);
        if !is_ascii && simdutf8::basic::from_utf8(bytes).is_err() {
            return false;
        }
        let mut walk = Walk {
            objects: &fast.objects,
            max_depth: reading.program.max_depth.min(DEEPEST),
            reading,
            start: range.start,
            end: range.end,
            row,
            marks,
            checkpoint,
        };
        if fast.templates.run::<S>(&mut walk) {
            fast.by_template += 1;
            return true;
        }
        walk.undo();
        if !walk.message::<S>() {
            return false;
        }
        fast.by_walker += 1;
        let program = walk.reading.program;
        fast.templates.learn(program, &fast.objects, bytes);
        true
    }
}
