//! Columns in memory of any type: read a value out of one, build one from values or slots.
//!
//! Arguments of the reference evaluator, nested outputs of kernels and tests all need a column that somebody owns; the
//! buffers have Arrow's layout, so the engine hands them over without a copy.
//!
//! This file must not know Arrow's crates, kernels or functions.

use chalk_artifact::abi::{ColumnView, Slot};
use chalk_types::{Kind, Type, Value};

use crate::slot::{NULL_SLOT, bytes_slot, slot_bytes};

/// Reads a bit, least significant first.
///
/// # Safety
/// `index` is in range of the bitmap.
pub unsafe fn bit_at(bits: *const u8, index: usize) -> bool {
    // SAFETY: the caller vouches for the range.
    unsafe { bits.add(index / 8).read() & (1 << (index % 8)) != 0 }
}

/// Reads a view of text or bytes.
///
/// # Safety
/// The column holds views, the row is in range and not null, and its buffers live for `'a`.
pub unsafe fn text_at(view: &ColumnView, row: usize) -> &[u8] {
    // SAFETY: the caller vouches for the column; a view is 16 bytes: length, then the text itself or prefix, buffer, offset.
    unsafe {
        let entry = view.data.add(row * 16);
        let len = entry.cast::<u32>().read_unaligned() as usize;
        if len <= 12 {
            return std::slice::from_raw_parts(entry.add(4), len);
        }
        let buffer = entry.add(8).cast::<u32>().read_unaligned() as usize;
        let offset = entry.add(12).cast::<u32>().read_unaligned() as usize;
        std::slice::from_raw_parts((*view.buffers.add(buffer)).add(offset), len)
    }
}

/// The value at a row, in passing.
///
/// # Safety
/// The column is of type `ty` and the row is in range; the slot lives as long as the column.
pub unsafe fn slot_at(view: &ColumnView, ty: &Type, row: usize) -> Slot {
    // SAFETY: the caller vouches for type and range, on which every read below depends.
    unsafe {
        if !view.validity.is_null() && !bit_at(view.validity, row) {
            return NULL_SLOT;
        }
        let word = |w0: u64| Slot { w0, w1: 0, w2: 0, valid: 1 };
        let handle = |view: *const ColumnView, first: usize, len: usize| Slot {
            w0: view as u64,
            w1: first as u64,
            w2: len as u64,
            valid: 1,
        };
        match &ty.kind {
            Kind::Null => NULL_SLOT,
            Kind::Bool => word(u64::from(bit_at(view.data, row))),
            Kind::Int(width) => {
                let at = view.data.add(row * width.size_bytes());
                word(match (width.size_bytes(), width.is_signed()) {
                    (1, true) => at.cast::<i8>().read() as u64,
                    (2, true) => at.cast::<i16>().read() as u64,
                    (4, true) => at.cast::<i32>().read() as u64,
                    (1, false) => u64::from(at.read()),
                    (2, false) => u64::from(at.cast::<u16>().read()),
                    (4, false) => u64::from(at.cast::<u32>().read()),
                    _ => at.cast::<u64>().read(),
                })
            }
            Kind::Float32 => word(f64::from(view.data.cast::<f32>().add(row).read()).to_bits()),
            Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => {
                word(view.data.cast::<u64>().add(row).read())
            }
            Kind::Date => word(view.data.cast::<i32>().add(row).read() as u64),
            Kind::Enum(_) => word(u64::from(view.data.cast::<u32>().add(row).read())),
            Kind::Decimal { .. } => {
                let at = view.data.cast::<u64>().add(row * 2);
                Slot { w0: at.read(), w1: at.add(1).read(), w2: 0, valid: 1 }
            }
            Kind::String | Kind::Bytes => bytes_slot(text_at(view, row)),
            Kind::List(_) | Kind::Map(..) => {
                let offsets = view.data.cast::<i64>().add(row);
                let (first, end) = (offsets.read() as usize, offsets.add(1).read() as usize);
                let target = if matches!(ty.kind, Kind::Map(..)) { view as *const ColumnView } else { view.children };
                handle(target, first, end - first)
            }
            Kind::Vector(_, len) => handle(view.children, row * *len as usize, *len as usize),
            Kind::Struct(_) => handle(view, row, 0),
        }
    }
}

/// The value at a row.
///
/// # Safety
/// As for `slot_at`.
pub unsafe fn value_at(view: &ColumnView, ty: &Type, row: usize) -> Value {
    // SAFETY: the caller vouches for type and range.
    unsafe { slot_value(&slot_at(view, ty, row), ty) }
}

/// A value in passing as plain data.
///
/// # Safety
/// The slot holds a value of type `ty`, and what it points to is alive.
pub unsafe fn slot_value(slot: &Slot, ty: &Type) -> Value {
    if slot.valid == 0 {
        return Value::Null;
    }
    // SAFETY: the caller vouches for the slot.
    unsafe {
        match &ty.kind {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(slot.w0 & 1 != 0),
            Kind::Int(width) if width.is_signed() => Value::Int(i128::from(slot.w0 as i64)),
            Kind::Int(_) => Value::Int(i128::from(slot.w0)),
            Kind::Float32 | Kind::Float64 => Value::Float(f64::from_bits(slot.w0)),
            Kind::String => Value::String(String::from_utf8_lossy(slot_bytes(slot)).into_owned()),
            Kind::Bytes => Value::Bytes(slot_bytes(slot).to_vec()),
            Kind::Datetime => Value::Datetime(slot.w0 as i64),
            Kind::Date => Value::Date(slot.w0 as i32),
            Kind::Time => Value::Time(slot.w0 as i64),
            Kind::Duration => Value::Duration(slot.w0 as i64),
            Kind::Decimal { .. } => Value::Decimal(((u128::from(slot.w1) << 64) | u128::from(slot.w0)) as i128),
            Kind::Enum(_) => Value::Enum(slot.w0 as u32),
            Kind::List(item) | Kind::Vector(item, _) => Value::List(
                (0..slot.w2 as usize)
                    .map(|index| value_at(&*(slot.w0 as *const ColumnView), item, slot.w1 as usize + index))
                    .collect(),
            ),
            Kind::Map(key, value) => Value::Map(
                (slot.w1 as usize..(slot.w1 + slot.w2) as usize)
                    .map(|row| {
                        let map = &*(slot.w0 as *const ColumnView);
                        (value_at(&*map.children, key, row), value_at(&*map.children.add(1), value, row))
                    })
                    .collect(),
            ),
            Kind::Struct(message) => {
                let column = &*(slot.w0 as *const ColumnView);
                let fields = message.fields.iter().enumerate();
                Value::Struct(
                    fields.map(|(k, field)| value_at(&*column.children.add(k), &field.ty, slot.w1 as usize)).collect(),
                )
            }
        }
    }
}

/// Null-safe equality of two values in passing, as `==` has it: null equals null, NaN equals NaN, 0.0 equals -0.0.
///
/// # Safety
/// Both slots hold values of type `ty`, and what they point to is alive.
pub unsafe fn slots_equal(ty: &Type, a: &Slot, b: &Slot) -> bool {
    if a.valid == 0 || b.valid == 0 {
        return a.valid == b.valid;
    }
    // SAFETY: the caller vouches for the slots, and with them for the columns that they point into.
    unsafe {
        let column = |slot: &Slot| &*(slot.w0 as *const ColumnView);
        match &ty.kind {
            Kind::Float32 | Kind::Float64 => {
                let (a, b) = (f64::from_bits(a.w0), f64::from_bits(b.w0));
                a == b || (a.is_nan() && b.is_nan())
            }
            Kind::String | Kind::Bytes => slot_bytes(a) == slot_bytes(b),
            Kind::Decimal { .. } => (a.w0, a.w1) == (b.w0, b.w1),
            Kind::List(item) | Kind::Vector(item, _) => {
                a.w2 == b.w2
                    && (0..a.w2).all(|k| {
                        let left = slot_at(column(a), item, (a.w1 + k) as usize);
                        slots_equal(item, &left, &slot_at(column(b), item, (b.w1 + k) as usize))
                    })
            }
            // The order of entries says nothing.
            Kind::Map(key, value) => {
                let entry = |slot: &Slot, k: u64| {
                    let row = (slot.w1 + k) as usize;
                    (slot_at(&*column(slot).children, key, row), slot_at(&*column(slot).children.add(1), value, row))
                };
                let holds = |of: &Slot, wanted: (Slot, Slot)| {
                    (0..of.w2).any(|k| {
                        let found = entry(of, k);
                        slots_equal(key, &found.0, &wanted.0) && slots_equal(value, &found.1, &wanted.1)
                    })
                };
                a.w2 == b.w2 && (0..a.w2).all(|k| holds(b, entry(a, k)))
            }
            Kind::Struct(message) => message.fields.iter().enumerate().all(|(k, field)| {
                let left = slot_at(&*column(a).children.add(k), &field.ty, a.w1 as usize);
                slots_equal(&field.ty, &left, &slot_at(&*column(b).children.add(k), &field.ty, b.w1 as usize))
            }),
            _ => a.w0 == b.w0,
        }
    }
}
