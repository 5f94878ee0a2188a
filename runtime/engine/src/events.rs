//! Outputs of a main kernel as event columns: what aggregations take, one column per output that a feed names.
//!
//! They are copied out of the kernel's buffers before Arrow gets those, into memory that is kept from batch to batch; only values that have
//! parts (lists, messages) go through Arrow. Rows are gathered by partition afterwards, when it is known which of them count.
//!
//! This file must not know feeds' tables or time.

use arrow_array::ArrayRef;
use chalk_artifact::manifest::Resolver;
use chalk_catalog::event::{EventColumn, EventData};
use chalk_types::{IntWidth, Kind, Type};

use crate::output::{OutputColumn, OutputValues, TextBuffers};
use crate::values::encode_at;

/// The outputs of a batch that events are made of, a row per applied message.
#[derive(Default)]
pub(crate) struct EventOutputs {
    /// Per output of the main kernel: its kind and column, where a feed names it.
    columns: Vec<Option<(Kind, EventColumn)>>,
}

impl EventOutputs {
    /// For the outputs of a resolver's main kernel, whose types are given.
    pub(crate) fn new(plan: &Resolver, types: &[Type]) -> EventOutputs {
        let is_named = |output: u32| {
            plan.feeds.iter().any(|feed| feed.key.iter().chain(&feed.columns).any(|named| *named == output))
        };
        let column = |(output, ty): (usize, &Type)| {
            is_named(output as u32).then(|| (ty.kind.clone(), EventColumn::new(&ty.kind)))
        };
        EventOutputs { columns: types.iter().enumerate().map(column).collect() }
    }

    /// The column of an output.
    ///
    /// # Panics
    /// If no feed names the output.
    pub(crate) fn column(&self, output: u32) -> &EventColumn {
        let Some((_, column)) = &self.columns[output as usize] else { panic!("output {output} is part of no event") };
        column
    }

    /// Takes the first `rows` rows of those outputs that have no parts.
    pub(crate) fn take(&mut self, outputs: &[OutputColumn], texts: &TextBuffers, rows: usize) {
        for (column, output) in self.columns.iter_mut().zip(outputs) {
            let Some((kind, column)) = column else { continue };
            column.clear();
            take_valid(column, output.valid_bytes(rows));
            match (output.values(), &mut column.data) {
                (OutputValues::Fixed(bytes), EventData::Words(words)) => widen(kind, bytes, rows, words),
                (OutputValues::Fixed(bytes), EventData::Bytes { ends, bytes: into }) => {
                    // Decimals.
                    into.extend_from_slice(&bytes[..rows * 16]);
                    ends.extend((1..=rows as u32).map(|row| row * 16));
                    blank(&column.valid, ends, into);
                }
                (OutputValues::Bool(bytes), EventData::Words(words)) => {
                    words.extend(bytes[..rows].iter().map(|byte| u64::from(*byte)));
                }
                (OutputValues::Views(views), EventData::Bytes { ends, bytes }) => {
                    for (row, view) in views[..rows].iter().enumerate() {
                        if column.valid.is_empty() || column.valid[row] != 0 {
                            texts.append_text(*view, bytes);
                        }
                        ends.push(end_of(bytes));
                    }
                }
                (OutputValues::Nested, _) => {}
                _ => unreachable!("the form of a column follows from its kind"),
            }
            if let EventData::Words(words) = &mut column.data {
                words.iter_mut().zip(&column.valid).filter(|(_, valid)| **valid == 0).for_each(|(word, _)| *word = 0);
            }
        }
    }

    /// Takes the outputs that have parts, from Arrow; `array_of` finds the array of an output.
    pub(crate) fn take_nested<'a>(&mut self, array_of: impl Fn(usize) -> &'a ArrayRef, rows: usize) {
        for (output, column) in self.columns.iter_mut().enumerate() {
            let Some((kind, column)) = column.as_mut().filter(|(kind, _)| is_nested(kind)) else { continue };
            let array = array_of(output);
            if array.null_count() != 0 {
                column.valid.extend((0..rows).map(|row| u8::from(array.is_valid(row))));
            }
            let EventData::Bytes { ends, bytes } = &mut column.data else {
                unreachable!("values with parts are bytes")
            };
            for row in 0..rows {
                if array.is_valid(row) {
                    encode_at(bytes, array, kind, row);
                }
                ends.push(end_of(bytes));
            }
        }
    }
}

/// Whether a value of the kind has parts: it gets into an event through Arrow.
pub(crate) fn is_nested(kind: &Kind) -> bool {
    matches!(kind, Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_))
}

/// A batch's messages stay below 4 GiB, and a message's columns are made of it; `EventColumn` counts in 32 bits.
fn end_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a column of a batch stays below 4 GiB")
}

fn take_valid(column: &mut EventColumn, valid: Option<&[u8]>) {
    if let Some(valid) = valid.filter(|valid| valid.contains(&0)) {
        column.valid.extend_from_slice(valid);
    }
}

/// Takes the bytes of null rows out of a column of 16 bytes a row.
fn blank(valid: &[u8], ends: &mut [u32], bytes: &mut Vec<u8>) {
    if valid.is_empty() {
        return;
    }
    let mut kept = 0;
    for (row, end) in ends.iter_mut().enumerate() {
        if valid[row] != 0 {
            bytes.copy_within(row * 16..row * 16 + 16, kept);
            kept += 16;
        }
        *end = kept as u32;
    }
    bytes.truncate(kept);
}

/// Values of a fixed width as words.
fn widen(kind: &Kind, bytes: &[u8], rows: usize, words: &mut Vec<u64>) {
    fn each<const N: usize>(bytes: &[u8], rows: usize, words: &mut Vec<u64>, word: impl Fn([u8; N]) -> u64) {
        let (values, _) = bytes.as_chunks::<N>();
        words.extend(values[..rows].iter().map(|value| word(*value)));
    }
    match kind {
        Kind::Int(IntWidth::Int8) => each(bytes, rows, words, |b| i64::from(i8::from_ne_bytes(b)) as u64),
        Kind::Int(IntWidth::Int16) => each(bytes, rows, words, |b| i64::from(i16::from_ne_bytes(b)) as u64),
        Kind::Int(IntWidth::Int32) | Kind::Date => {
            each(bytes, rows, words, |b| i64::from(i32::from_ne_bytes(b)) as u64);
        }
        Kind::Int(IntWidth::UInt8) => each(bytes, rows, words, |b: [u8; 1]| u64::from(b[0])),
        Kind::Int(IntWidth::UInt16) => each(bytes, rows, words, |b| u64::from(u16::from_ne_bytes(b))),
        Kind::Int(IntWidth::UInt32) | Kind::Enum(_) => {
            each(bytes, rows, words, |b| u64::from(u32::from_ne_bytes(b)));
        }
        Kind::Float32 => each(bytes, rows, words, |b| f64::from(f32::from_ne_bytes(b)).to_bits()),
        Kind::Int(_) | Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => {
            each(bytes, rows, words, u64::from_ne_bytes);
        }
        other => unreachable!("{other} is no kind of words with a width"),
    }
}

/// Appends rows of a column to an empty one of the same kind.
pub(crate) fn gather(from: &EventColumn, rows: &[u32], into: &mut EventColumn) {
    match (&from.data, &mut into.data) {
        (EventData::Words(from), EventData::Words(into)) => {
            into.extend(rows.iter().map(|row| from[*row as usize]));
        }
        (EventData::Bytes { .. }, EventData::Bytes { ends, bytes }) => {
            for row in rows {
                bytes.extend_from_slice(from.bytes(*row as usize));
                ends.push(end_of(bytes));
            }
        }
        _ => unreachable!("columns of one kind have one form"),
    }
    if !from.valid.is_empty() {
        into.valid.extend(rows.iter().map(|row| from.valid[*row as usize]));
        if !into.valid.contains(&0) {
            into.valid.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use chalk_types::Value;

    use super::*;

    #[test]
    fn rows_are_gathered_with_their_nulls_and_a_column_without_nulls_says_so() {
        for ty in [Type::INT.to_optional(), Type::STRING.to_optional()] {
            let sample = |row: i128| match ty.kind {
                Kind::String => Value::String(format!("text {row}")),
                _ => Value::Int(row),
            };
            let mut column = EventColumn::new(&ty.kind);
            for row in 0..6 {
                column.push(&ty.kind, &if row == 2 { Value::Null } else { sample(row) });
            }
            let mut some = EventColumn::new(&ty.kind);
            gather(&column, &[1, 2, 5], &mut some);
            let read: Vec<Value> = (0..3).map(|row| some.value(&ty, row)).collect();
            assert_eq!(read, [sample(1), Value::Null, sample(5)]);
            let mut some = EventColumn::new(&ty.kind);
            gather(&column, &[0, 4], &mut some);
            assert!(some.valid.is_empty(), "{ty}");
        }
    }
}
