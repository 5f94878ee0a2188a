//! The fast tiers: messages that look like earlier ones are read along a learned template, others by a walker in any key
//! order. Both are strict, and both hand over to the scalar parser at the first doubt.
//!
//! Everything here is written once over `Simd` and compiled once per instruction set; which one runs is decided when a
//! decoder is made.
//!
//! This module must not know batches or errors.

mod fixed;
mod keys;
mod learn;
mod lists;
mod members;
mod nearest;
mod number;
mod numbers;
mod outlined;
mod simd;
mod template;
mod templates;
mod texts;
mod times;
mod utf8;
mod values;
mod walker;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::UnixUnit;
use chalk_types::IntWidth;

use crate::batch::{Messages, PADDING_BYTES};
use crate::columns::{Checkpoint, ColumnId};
use crate::program::{Field, ObjectId, Program, Shape};
use crate::scalar::{Reading, Source};
use crate::tier::Tier;
use keys::KeyTable;
use simd::{Indexed, MARKED_BYTES, SPARE_POSITIONS, Simd};
use templates::Templates;
use values::FastValue;
use walker::Walk;

const _: () = assert!(cfg!(target_endian = "little"), "views and words are written for little-endian processors");

/// Deepest nesting that recursive code follows, whatever the plan allows.
const DEEPEST: u32 = 512;

/// Fields of an object that can be told apart in one word of bits.
const MOST_FIELDS: usize = 128;

/// Messages that are larger have no templates: comparing would not be what takes the time.
const GREATEST_TEMPLATE_BYTES: usize = 64 << 10;

/// Values in a template.
const MOST_OPS: usize = 2048;

/// Where the list of a message's quotes begins; before it is room for another one, without those that are escaped.
const SPARE_LIST: usize = GREATEST_TEMPLATE_BYTES + SPARE_POSITIONS + 2;

/// Room for both, and for what a template that does not fit looks at behind a list: at most the quotes of its own message, and two
/// a value.
const QUOTES_ROOM: usize = SPARE_LIST + 2 * GREATEST_TEMPLATE_BYTES + 2 * MOST_OPS + SPARE_POSITIONS + 2;

/// Room for the marks of a message that may have a template; `index_in_pieces` makes more.
const MARKS_ROOM: usize = GREATEST_TEMPLATE_BYTES / MARKED_BYTES + 3;

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

/// Reads a message that the fast tiers are not sure of: what is read, its row, where everything stood before it, and its status.
pub(crate) type ByScalar<'a> = dyn FnMut(&mut Reading<'_>, usize, Checkpoint, &mut u8) + 'a;

type Run = for<'m> unsafe fn(&mut Fast, &mut Reading<'m>, Messages<'m>, &mut [u8], &mut ByScalar<'_>);

/// A message that was looked at from afar, and where it goes.
struct Seen {
    start: *const u8,
    /// Its quotes, with its start before them and its end behind.
    quotes: *const u32,
    quote_count: usize,
    /// Bytes that are backslashes or control characters.
    odd: u32,
    row: usize,
    source: Source,
}

/// The fast tiers of one decoder.
pub(crate) struct Fast {
    objects: Vec<FastObject>,
    /// Those of an object that nobody reads.
    no_keys: KeyTable,
    templates: Templates,
    run: Run,
    /// Where the special bytes of the message under way are.
    marks: Vec<u64>,
    /// And where its quotes are; `QUOTES_ROOM` of them.
    quotes: Vec<u32>,
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
            no_keys: KeyTable::new(std::iter::empty())?,
            templates: Templates::default(),
            run,
            marks: vec![0; MARKS_ROOM],
            quotes: vec![0; QUOTES_ROOM],
            by_template: 0,
            by_walker: 0,
        })
    }

    /// Messages of `by_template` that were read step by step.
    pub(crate) fn by_steps(&self) -> u64 {
        self.templates.by_steps
    }

    /// Templates that were learned, and those of them that took the place of another.
    pub(crate) fn learned(&self) -> (u64, u64) {
        (self.templates.learned, self.templates.replaced)
    }

    /// Reads messages whose status is `LIVE` into their rows, and nulls for the others. What it is not sure to read as the scalar parser would, that one reads.
    pub(crate) fn messages<'m>(
        &mut self,
        reading: &mut Reading<'m>,
        messages: Messages<'m>,
        statuses: &mut [u8],
        by_scalar: &mut ByScalar<'_>,
    ) {
        // SAFETY: `new` chose `run` for a tier that the processor has.
        unsafe { (self.run)(self, reading, messages, statuses, by_scalar) }
    }

    /// Reads the message into the row, if it is sure to do it as the scalar parser would. Where it is not, columns may
    /// have been written, and list items and text appended: the caller takes those back.
    ///
    /// # Safety
    /// As `run`; the message's marks and quotes are written, if it was small enough to be looked at.
    #[inline(always)]
    unsafe fn message<S: Simd>(
        &mut self,
        reading: &mut Reading<'_>,
        row: usize,
        checkpoint: Checkpoint,
        looked_at: Option<Indexed>,
    ) -> bool {
        let bytes = reading.bytes;
        let range = bytes.as_ptr_range();
        let may_have_template = looked_at.is_some();
        // SAFETY: as the caller promises; `index_in_pieces` has made room.
        unsafe {
            let indexed = match looked_at {
                Some(indexed) => indexed,
                None => S::index_in_pieces(self, bytes),
            };
            if !indexed.is_ascii && !S::is_utf8(bytes.as_ptr(), bytes.len()) {
                return false;
            }
            // A quote that only seems to be there, just behind the end, is looked at from one byte further on.
            self.marks[bytes.len() / MARKED_BYTES + 1..][..2].fill(0);
            let mut walk = Walk {
                objects: &self.objects,
                max_depth: reading.program.max_depth.min(DEEPEST),
                reading,
                start: range.start,
                end: range.end,
                size: bytes.len(),
                row,
                marks: self.marks.as_ptr(),
                quotes: self.quotes[SPARE_LIST + 1..].as_ptr(),
                quote_count: indexed.quotes,
                odd: indexed.odd,
                spare_quotes: self.quotes.as_mut_ptr(),
                is_by_steps: false,
                knows_escapes: false,
                no_keys: &self.no_keys,
                checkpoint,
            };
            if may_have_template && self.templates.run::<S>(&mut walk) {
                self.by_template += 1;
                if self.templates.is_mostly_by_steps() {
                    self.templates.learn(walk.reading.program, &self.objects, bytes);
                }
                return true;
            }
            walk.undo();
            let mut is_read = may_have_template && indexed.odd == 0 && walk.message_by_members::<S>();
            if !is_read {
                walk.undo();
                is_read = walk.message::<S>();
            }
            if !is_read {
                return false;
            }
            self.by_walker += 1;
            let program = walk.reading.program;
            self.templates.learn(program, &self.objects, bytes);
            true
        }
    }

    /// As `Simd::index`, for a message of which only the marks are wanted, and whose quotes would be more than there is room for.
    ///
    /// # Safety
    /// As `Simd::index`.
    #[inline(always)]
    unsafe fn index_in_pieces<S: Simd>(&mut self, bytes: &[u8]) -> Indexed {
        const { assert!(GREATEST_TEMPLATE_BYTES.is_multiple_of(MARKED_BYTES)) };
        let words = bytes.len() / MARKED_BYTES + 3;
        if self.marks.len() < words {
            self.marks.resize(words, 0);
        }
        let quotes = self.quotes.as_mut_ptr();
        let mut indexed = Indexed { is_ascii: true, ..Indexed::default() };
        for (index, piece) in bytes.chunks(GREATEST_TEMPLATE_BYTES).enumerate() {
            // SAFETY: as the caller promises; behind a piece comes the next one or the padding. A piece writes one word of marks more than it
            // fills, which the next one writes over.
            unsafe {
                let marks = self.marks.as_mut_ptr().add(index * GREATEST_TEMPLATE_BYTES / MARKED_BYTES);
                indexed.is_ascii &= S::index(piece.as_ptr(), piece.len(), marks, quotes).is_ascii;
            }
        }
        indexed
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
unsafe fn run_avx2<'m>(
    fast: &mut Fast,
    reading: &mut Reading<'m>,
    messages: Messages<'m>,
    statuses: &mut [u8],
    by_scalar: &mut ByScalar<'_>,
) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe { run::<simd::avx2::Avx2>(fast, reading, messages, statuses, by_scalar) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt")]
unsafe fn run_avx512<'m>(
    fast: &mut Fast,
    reading: &mut Reading<'m>,
    messages: Messages<'m>,
    statuses: &mut [u8],
    by_scalar: &mut ByScalar<'_>,
) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe { run::<simd::avx512::Avx512>(fast, reading, messages, statuses, by_scalar) }
}

/// # Safety
/// The processor has the instruction set.
#[inline(always)]
unsafe fn run<'m, S: Simd>(
    fast: &mut Fast,
    reading: &mut Reading<'m>,
    messages: Messages<'m>,
    statuses: &mut [u8],
    by_scalar: &mut ByScalar<'_>,
) {
    const { assert!(PADDING_BYTES >= 64) };
    let max_bytes = reading.program.max_message_bytes;
    // The list of quotes has the message's start before the first one.
    let quotes = fast.quotes[SPARE_LIST..].as_mut_ptr();
    for (index, row_status) in statuses.iter_mut().enumerate() {
        let row = messages.row + index;
        if *row_status != status::LIVE {
            reading.columns.null_message(row);
            continue;
        }
        let bytes = messages.message(index);
        let source = Source { buffer: messages.buffer, offset: messages.offset(index) };
        let is_small = bytes.len() <= GREATEST_TEMPLATE_BYTES.min(max_bytes);
        let mut indexed = Indexed::default();
        if is_small {
            // SAFETY: there is room for the marks and quotes of a message that may have a template, and for what ends them; the caller vouches
            // for the padding.
            let is_read = unsafe {
                indexed = S::index(bytes.as_ptr(), bytes.len(), fast.marks.as_mut_ptr(), quotes.add(1));
                quotes.write(0);
                quotes.add(indexed.quotes + 1).write(bytes.len() as u32);
                let seen =
                    Seen { start: bytes.as_ptr(), quotes, quote_count: indexed.quotes, odd: indexed.odd, row, source };
                (indexed.is_ascii || S::is_utf8(bytes.as_ptr(), bytes.len()))
                    && fast.templates.read_fixed::<S>(&seen, reading.columns)
            };
            if is_read {
                fast.by_template += 1;
                continue;
            }
        }
        let checkpoint = reading.columns.checkpoint();
        reading.scratch.digests.clear();
        (reading.bytes, reading.source) = (bytes, source);
        // SAFETY: as the caller promises.
        let is_read = bytes.len() <= max_bytes
            && unsafe { S::message(fast, reading, row, checkpoint, is_small.then_some(indexed)) };
        if !is_read {
            reading.columns.restore(&checkpoint);
            by_scalar(reading, row, checkpoint, row_status);
        }
    }
}
