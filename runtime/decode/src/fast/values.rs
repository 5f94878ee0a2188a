//! Values of every type, in any place: a field's, a list's item, a map's value.
//!
//! The walker reads the commonest fields itself; what is left comes here. Readers are compiled once per decoder, next to the
//! program's own: a reader takes what is common and certain, and what it is not sure of (an exponent, an escape in a date, a
//! `@lenient` text) is checked as JSON and read by the scalar parser's reader, that value alone. What that one refuses fails the
//! attempt, and the scalar parser makes the error.
//!
//! A value is written to the walk's current row; lists move that row to their items and back.
//!
//! This file must not know keys of messages or templates.

use chalk_artifact::decode_plan::UnixUnit;
use chalk_types::IntWidth;

use super::keys::KeyTable;
use super::lists::{self, MapPlan};
use super::simd::Simd;
use super::walker::Walk;
use super::{FastField, numbers, texts, times};
use crate::columns::ColumnId;
use crate::program::{Field, ObjectId, Reader, Shape};

/// A value as the fast tiers read it.
pub(super) struct FastValue {
    /// The column that it goes to.
    pub(super) column: ColumnId,
    /// Whether it may be null. Of a field the walker knows.
    pub(super) nullable: bool,
    pub(super) what: What,
    /// The scalar parser's way.
    reader: Reader,
}

/// What is read, with all that has to be known of the type.
pub(super) enum What {
    Bool,
    /// Integers that an `i64` holds, between these two.
    Int {
        low: i64,
        high: i64,
        size_bytes: u8,
    },
    UInt64,
    Float64,
    Float32,
    /// Digits behind the point, and ten to the power of the digits in all.
    Decimal {
        scale: u8,
        limit: u128,
    },
    String,
    Bytes,
    Datetime,
    Date,
    Time,
    Duration,
    /// A `datetime` or `duration` that travels as an integer.
    Unix(UnixUnit),
    Enum(KeyTable),
    List(Box<FastValue>),
    Vector(Box<FastValue>, u32),
    Map(Box<MapPlan>),
    Object(ObjectId),
    /// The scalar parser's reader alone.
    Scalar,
}

impl FastValue {
    pub(super) fn new(reader: &Reader, column: ColumnId, nullable: bool) -> FastValue {
        let item = |item: &crate::program::Item| Box::new(FastValue::new(&item.reader, item.column, item.nullable));
        let what = match (&reader.shape, reader.unix) {
            (Shape::Datetime | Shape::Duration, Some(unit)) => What::Unix(unit),
            (Shape::Bool, _) => What::Bool,
            (Shape::Int(IntWidth::UInt64), _) => What::UInt64,
            (Shape::Int(width), _) => {
                let (low, high) = width.range();
                What::Int { low: low as i64, high: high as i64, size_bytes: width.size_bytes() as u8 }
            }
            (Shape::Float32, _) => What::Float32,
            (Shape::Float64, _) => What::Float64,
            (Shape::String, _) => What::String,
            (Shape::Bytes, _) => What::Bytes,
            (Shape::Datetime, _) => What::Datetime,
            (Shape::Date, _) => What::Date,
            (Shape::Time, _) => What::Time,
            (Shape::Duration, _) => What::Duration,
            (Shape::Decimal { precision, scale }, _) => {
                What::Decimal { scale: *scale, limit: 10u128.pow(u32::from(*precision)) }
            }
            (Shape::Enum(def), _) => match KeyTable::new(def.variants.iter().map(String::as_bytes)) {
                Some(table) => What::Enum(table),
                None => What::Scalar,
            },
            (Shape::List(of), _) => What::List(item(of)),
            (Shape::Vector(of, length), _) => What::Vector(item(of), *length),
            (Shape::Map { key_column, key, value }, _) => {
                What::Map(Box::new(MapPlan { key: FastValue::new(key, *key_column, false), value: *item(value) }))
            }
            (Shape::Object(object), _) => What::Object(*object),
        };
        FastValue { column, nullable, what, reader: reader.clone() }
    }

    /// Whether its text has neither commas nor brackets.
    #[inline(always)]
    pub(super) fn is_simple(&self) -> bool {
        matches!(
            self.what,
            What::Bool
                | What::Int { .. }
                | What::UInt64
                | What::Float64
                | What::Float32
                | What::Decimal { .. }
                | What::Unix(_)
        )
    }

    /// The values of a field that is no message: one for each column that it goes to.
    pub(super) fn of_field(field: &Field) -> Vec<FastValue> {
        field.leaves.iter().map(|leaf| FastValue::new(&leaf.reader, leaf.column, field.nullable)).collect()
    }
}

/// Reads the value at `at`, which is not null, into everything that the field goes to; gives the byte behind it.
///
/// # Safety
/// As `Walk::read_single`.
#[inline(always)]
pub(super) unsafe fn read_field<S: Simd>(
    walk: &mut Walk<'_, '_>,
    field: &FastField,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    if field.has_presence {
        walk.note_presence(field);
    }
    let (objects, row) = (walk.objects, walk.row);
    let mut after = None;
    for value in &objects[field.object as usize].values[field.index as usize] {
        // SAFETY: as the caller promises.
        after = unsafe { read::<S>(walk, value, at, depth) };
        // An attempt that failed among the items of a list has left the row there.
        walk.row = row;
        after?;
    }
    // SAFETY: as the caller promises.
    if after.is_some() { after } else { unsafe { walk.skip_value::<S>(at, depth) } }
}

/// Reads the value at `at`, which is not null, into the current row of its column; gives the byte behind it, which may lie
/// behind the message's end.
///
/// # Safety
/// As `Walk::read_single`; the value's column has room for the walk's row.
#[inline(always)]
pub(super) unsafe fn read<S: Simd>(
    walk: &mut Walk<'_, '_>,
    value: &FastValue,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; the layout of the column follows from what is read.
    let after = unsafe {
        match &value.what {
            What::String => return walk.read_string::<S>(value.column, at),
            What::Int { low, high, size_bytes } => {
                numbers::int::<S>(walk, value.column, at, (*low, *high), *size_bytes)
            }
            What::Float64 => numbers::float64::<S>(walk, value.column, at),
            What::Bool => numbers::boolean(walk, value.column, at),
            What::Object(object) => return S::read_object(walk, *object, at, depth + 1),
            What::List(item) => return S::list(walk, value.column, item, at, depth + 1),
            What::Map(plan) => return S::map(walk, value.column, plan, at, depth + 1),
            What::Vector(item, length) => {
                return S::vector(walk, value.column, item, *length, at, depth + 1);
            }
            What::UInt64 => numbers::uint64::<S>(walk, value.column, at),
            What::Float32 => numbers::float32::<S>(walk, value.column, at),
            What::Decimal { scale, limit } => numbers::decimal::<S>(walk, value.column, at, *scale, *limit),
            What::Unix(unit) => numbers::unix::<S>(walk, value.column, at, *unit),
            What::Enum(variants) => texts::variant::<S>(walk, value.column, at, variants),
            What::Bytes => texts::bytes::<S>(walk, value.column, at),
            What::Datetime => times::datetime::<S>(walk, value.column, at),
            What::Date => times::date(walk, value.column, at),
            What::Time => times::time::<S>(walk, value.column, at),
            What::Duration => times::duration::<S>(walk, value.column, at),
            What::Scalar => None,
        }
    };
    match after {
        Some(after) => Some(after),
        // SAFETY: as the caller promises.
        None => unsafe { S::read_as_scalar(walk, value, at, depth) },
    }
}

/// Checks the value as JSON and lets the scalar parser read it.
///
/// # Safety
/// As `read`.
#[inline(always)]
pub(super) unsafe fn read_as_scalar<S: Simd>(
    walk: &mut Walk<'_, '_>,
    value: &FastValue,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        // `@lenient` takes numbers and bools in quotes, and those that are written plainly are read as keys of maps are.
        if value.reader.lenient
            && *at == b'"'
            && let Some(after) = lists::key::<S>(walk, value, at)
        {
            return Some(after);
        }
    }
    // SAFETY: as the caller promises.
    let after = unsafe { walk.skip_value::<S>(at, depth)? };
    let (position, row) = (walk.position(at), walk.row);
    walk.reading.value(&value.reader, value.column, position, row).ok()?;
    Some(after)
}
