//! Arrow values as JSON text: what `chalkc run` prints, what queries answer, what sinks will carry.
//!
//! Our own, because the text of a value is part of the language: datetimes to the microsecond with `Z`, durations as ISO 8601, bytes as
//! base64, NaN and infinities as the strings that protobuf's JSON mapping uses. A writer is made once per column and batch, so that a row
//! costs no look-up of types.
//!
//! This file must not know who reads the text.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeListArray, LargeListArray, MapArray,
    PrimitiveArray, RecordBatch, StringViewArray, StructArray,
};
use base64::Engine as _;
use chalk_types::{IntWidth, Kind, Type, format_date, format_duration, format_time, write_datetime};

/// Writes the rows of one batch as JSON objects whose keys are the names of its columns.
pub struct RowWriter {
    /// What stands before each value (`{"name":` or `,"name":`), and the values.
    columns: Vec<(Blocks, ValueWriter)>,
    rows: usize,
}

impl RowWriter {
    /// A writer for the batch; `types` has the language's type of each column.
    ///
    /// # Panics
    /// If a column's Arrow type is not that of its type: the engine made it, so that is a bug.
    pub fn new(batch: &RecordBatch, types: &[Type]) -> RowWriter {
        assert_eq!(batch.num_columns(), types.len());
        let columns = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .zip(types)
            .enumerate()
            .map(|(position, ((field, array), ty))| {
                let mut key = vec![if position == 0 { b'{' } else { b',' }];
                write_string(&mut key, field.name());
                key.push(b':');
                (Blocks::new(&key), ValueWriter::new(array, &ty.kind))
            })
            .collect();
        RowWriter { columns, rows: batch.num_rows() }
    }

    /// Appends all rows, one JSON object per line.
    pub fn write_rows(&self, out: &mut Vec<u8>) {
        for row in 0..self.rows {
            self.write_row(out, row);
            out.push(b'\n');
        }
    }

    /// Appends row `row` as one JSON object, without a newline.
    pub fn write_row(&self, out: &mut Vec<u8>, row: usize) {
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (key, value) in &self.columns {
            key.write(out);
            value.write(out, row);
        }
        out.push(b'}');
    }
}

/// Bytes that are written in every row, in blocks: a copy of a known size, less what was too much of it, costs less than one of any size.
struct Blocks(Vec<([u8; BLOCK_BYTES], usize)>);

const BLOCK_BYTES: usize = 32;

impl Blocks {
    fn new(bytes: &[u8]) -> Blocks {
        let block = |part: &[u8]| {
            let mut block = [0; BLOCK_BYTES];
            block[..part.len()].copy_from_slice(part);
            (block, part.len())
        };
        Blocks(bytes.chunks(BLOCK_BYTES).map(block).collect())
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (block, size_bytes) in &self.0 {
            out.extend_from_slice(block);
            out.truncate(out.len() - (BLOCK_BYTES - size_bytes));
        }
    }
}

/// Writes the values of one column.
pub enum ValueWriter {
    /// Every value is null.
    Null,
    /// `bool`
    Bool(BooleanArray),
    /// Integers up to 64 bits.
    Int8(PrimitiveArray<Int8Type>),
    /// As above.
    Int16(PrimitiveArray<Int16Type>),
    /// As above.
    Int32(PrimitiveArray<Int32Type>),
    /// As above.
    Int64(PrimitiveArray<Int64Type>),
    /// As above.
    UInt8(PrimitiveArray<UInt8Type>),
    /// As above.
    UInt16(PrimitiveArray<UInt16Type>),
    /// As above.
    UInt32(PrimitiveArray<UInt32Type>),
    /// As above.
    UInt64(PrimitiveArray<UInt64Type>),
    /// `float32`
    Float32(PrimitiveArray<Float32Type>),
    /// `float`
    Float64(PrimitiveArray<Float64Type>),
    /// A JSON string, so that no digit is lost.
    Decimal(Decimal128Array),
    /// A JSON string.
    String(StringViewArray),
    /// Base64.
    Bytes(BinaryViewArray),
    /// RFC 3339.
    Datetime(PrimitiveArray<TimestampMicrosecondType>),
    /// `2024-01-31`
    Date(PrimitiveArray<Date32Type>),
    /// `12:34:56.789`
    Time(PrimitiveArray<Time64MicrosecondType>),
    /// `PT1H30M`
    Duration(PrimitiveArray<DurationMicrosecondType>),
    /// The variant's name.
    Enum(PrimitiveArray<Int32Type>, Vec<Vec<u8>>),
    /// A JSON array.
    List(LargeListArray, Box<ValueWriter>),
    /// A JSON array.
    Vector(FixedSizeListArray, Box<ValueWriter>),
    /// A JSON object; keys are written as text.
    Map(MapArray, Box<ValueWriter>, Box<ValueWriter>),
    /// A JSON object.
    Struct(StructArray, Vec<(Vec<u8>, ValueWriter)>),
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> PrimitiveArray<T> {
    array.as_primitive::<T>().clone()
}

impl ValueWriter {
    /// A writer for the column.
    ///
    /// # Panics
    /// If the array's Arrow type is not that of the kind.
    pub fn new(array: &ArrayRef, kind: &Kind) -> ValueWriter {
        match kind {
            Kind::Null => ValueWriter::Null,
            Kind::Bool => ValueWriter::Bool(array.as_boolean().clone()),
            Kind::Int(width) => match width {
                IntWidth::Int8 => ValueWriter::Int8(primitive(array)),
                IntWidth::Int16 => ValueWriter::Int16(primitive(array)),
                IntWidth::Int32 => ValueWriter::Int32(primitive(array)),
                IntWidth::Int64 => ValueWriter::Int64(primitive(array)),
                IntWidth::UInt8 => ValueWriter::UInt8(primitive(array)),
                IntWidth::UInt16 => ValueWriter::UInt16(primitive(array)),
                IntWidth::UInt32 => ValueWriter::UInt32(primitive(array)),
                IntWidth::UInt64 => ValueWriter::UInt64(primitive(array)),
            },
            Kind::Float32 => ValueWriter::Float32(primitive(array)),
            Kind::Float64 => ValueWriter::Float64(primitive(array)),
            Kind::Decimal { .. } => ValueWriter::Decimal(array.as_primitive::<Decimal128Type>().clone()),
            Kind::String => ValueWriter::String(array.as_string_view().clone()),
            Kind::Bytes => ValueWriter::Bytes(array.as_binary_view().clone()),
            Kind::Datetime => ValueWriter::Datetime(primitive(array)),
            Kind::Date => ValueWriter::Date(primitive(array)),
            Kind::Time => ValueWriter::Time(primitive(array)),
            Kind::Duration => ValueWriter::Duration(primitive(array)),
            Kind::Enum(def) => {
                let names = def
                    .variants
                    .iter()
                    .map(|variant| {
                        let mut text = Vec::new();
                        write_string(&mut text, variant);
                        text
                    })
                    .collect();
                ValueWriter::Enum(array.as_dictionary::<Int32Type>().keys().clone(), names)
            }
            Kind::List(item) => {
                let list = array.as_list::<i64>().clone();
                let items = ValueWriter::new(list.values(), &item.kind);
                ValueWriter::List(list, Box::new(items))
            }
            Kind::Vector(item, _) => {
                let list = array.as_fixed_size_list().clone();
                let items = ValueWriter::new(list.values(), &item.kind);
                ValueWriter::Vector(list, Box::new(items))
            }
            Kind::Map(key, value) => {
                let map = array.as_map().clone();
                let keys = ValueWriter::new(map.keys(), &key.kind);
                let values = ValueWriter::new(map.values(), &value.kind);
                ValueWriter::Map(map, Box::new(keys), Box::new(values))
            }
            Kind::Struct(message) => {
                let rows = array.as_struct().clone();
                let fields = message
                    .fields
                    .iter()
                    .zip(rows.columns())
                    .map(|(field, column)| {
                        let mut key = Vec::new();
                        write_string(&mut key, &field.name);
                        key.push(b':');
                        (key, ValueWriter::new(column, &field.ty.kind))
                    })
                    .collect();
                ValueWriter::Struct(rows, fields)
            }
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            ValueWriter::Null => true,
            ValueWriter::Bool(array) => array.is_null(row),
            ValueWriter::Int8(array) => array.is_null(row),
            ValueWriter::Int16(array) => array.is_null(row),
            ValueWriter::Int32(array) => array.is_null(row),
            ValueWriter::Int64(array) => array.is_null(row),
            ValueWriter::UInt8(array) => array.is_null(row),
            ValueWriter::UInt16(array) => array.is_null(row),
            ValueWriter::UInt32(array) => array.is_null(row),
            ValueWriter::UInt64(array) => array.is_null(row),
            ValueWriter::Float32(array) => array.is_null(row),
            ValueWriter::Float64(array) => array.is_null(row),
            ValueWriter::Decimal(array) => array.is_null(row),
            ValueWriter::String(array) => array.is_null(row),
            ValueWriter::Bytes(array) => array.is_null(row),
            ValueWriter::Datetime(array) => array.is_null(row),
            ValueWriter::Date(array) => array.is_null(row),
            ValueWriter::Time(array) => array.is_null(row),
            ValueWriter::Duration(array) => array.is_null(row),
            ValueWriter::Enum(keys, _) => keys.is_null(row),
            ValueWriter::List(array, _) => array.is_null(row),
            ValueWriter::Vector(array, _) => array.is_null(row),
            ValueWriter::Map(array, ..) => array.is_null(row),
            ValueWriter::Struct(array, _) => array.is_null(row),
        }
    }

    /// Appends the value of row `row`.
    pub fn write(&self, out: &mut Vec<u8>, row: usize) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self {
            ValueWriter::Null => unreachable!("a null column is null in every row"),
            ValueWriter::Bool(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            ValueWriter::Int8(array) => write_int(out, array.value(row)),
            ValueWriter::Int16(array) => write_int(out, array.value(row)),
            ValueWriter::Int32(array) => write_int(out, array.value(row)),
            ValueWriter::Int64(array) => write_int(out, array.value(row)),
            ValueWriter::UInt8(array) => write_int(out, array.value(row)),
            ValueWriter::UInt16(array) => write_int(out, array.value(row)),
            ValueWriter::UInt32(array) => write_int(out, array.value(row)),
            ValueWriter::UInt64(array) => write_int(out, array.value(row)),
            ValueWriter::Float32(array) => {
                let value = array.value(row);
                if value.is_finite() { write_debug(out, value) } else { write_float(out, f64::from(value)) }
            }
            ValueWriter::Float64(array) => write_float(out, array.value(row)),
            ValueWriter::Decimal(array) => write_quoted(out, &array.value_as_string(row)),
            ValueWriter::String(array) => write_string(out, array.value(row)),
            ValueWriter::Bytes(array) => {
                write_quoted(out, &base64::engine::general_purpose::STANDARD.encode(array.value(row)));
            }
            ValueWriter::Datetime(array) => {
                out.push(b'"');
                write_datetime(out, array.value(row));
                out.push(b'"');
            }
            ValueWriter::Date(array) => write_quoted(out, &format_date(array.value(row))),
            ValueWriter::Time(array) => write_quoted(out, &format_time(array.value(row))),
            ValueWriter::Duration(array) => write_quoted(out, &format_duration(array.value(row))),
            ValueWriter::Enum(keys, names) => out.extend_from_slice(&names[keys.value(row) as usize]),
            ValueWriter::List(array, items) => {
                let offsets = array.value_offsets();
                write_items(out, items, offsets[row] as usize..offsets[row + 1] as usize);
            }
            ValueWriter::Vector(array, items) => {
                let length = array.value_length() as usize;
                write_items(out, items, row * length..(row + 1) * length);
            }
            ValueWriter::Map(array, keys, values) => {
                let offsets = array.value_offsets();
                out.push(b'{');
                for entry in offsets[row] as usize..offsets[row + 1] as usize {
                    if entry != offsets[row] as usize {
                        out.push(b',');
                    }
                    let start = out.len();
                    keys.write(out, entry);
                    if out[start] != b'"' {
                        out.insert(start, b'"');
                        out.push(b'"');
                    }
                    out.push(b':');
                    values.write(out, entry);
                }
                out.push(b'}');
            }
            ValueWriter::Struct(_, fields) => {
                out.push(b'{');
                for (position, (key, value)) in fields.iter().enumerate() {
                    if position != 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key);
                    value.write(out, row);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_items(out: &mut Vec<u8>, items: &ValueWriter, rows: std::ops::Range<usize>) {
    out.push(b'[');
    for row in rows.clone() {
        if row != rows.start {
            out.push(b',');
        }
        items.write(out, row);
    }
    out.push(b']');
}

fn write_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_debug(out: &mut Vec<u8>, value: impl std::fmt::Debug) {
    let _ = write!(out, "{value:?}"); // writing to a Vec cannot fail
}

/// The shortest digits that give the value back, as Rust's `{:?}` writes them: the text of a float is that, here in less time. Values that others
/// may write in another way are left to it: very large and very small ones, which have an exponent, and ties.
fn write_finite(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) && !may_tie(magnitude) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        write_debug(out, value);
    }
}

/// Whether a value from 1e-4 to 1e16 may lie in the middle between two shortest texts, such as 8388608.0009765625 between …562 and …563.
///
/// Then it has exactly one digit more than the texts, which have 17 at most, and so a fraction of `d` bits and digits with `2 <= d <= 21` (three of them
/// may be zeros in front); and the texts' error, 5 / 10^d, is below half of the last bit, 2^-k: so 10^(d-1) > 2^k. Below 2^23, where `k >= 30`,
/// that takes eleven digits: prices and the like are no ties.
fn may_tie(magnitude: f64) -> bool {
    let fits_bits = |bits: i32| {
        let scaled = magnitude * f64::from(1 << bits);
        scaled == scaled.trunc()
    };
    let clear_bits = if magnitude < 8_388_608.0 { 10 } else { 0 };
    fits_bits(22) && !fits_bits(clear_bits)
}

fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_finite(out, value);
    } else {
        write_quoted(out, &chalk_types::format_float(value));
    }
}

/// Text that needs no escaping.
fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// The first byte from a position on that has to be escaped.
fn find_special(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let rest = &bytes[from..];
    if rest.len() < 8 {
        let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        return rest.iter().position(is_special).map(|position| from + position);
    }
    let special_in = |at: usize| {
        let word = u64::from_le_bytes(rest[at..at + 8].try_into().expect("eight bytes"));
        // The lowest byte that is found is one; of those above it a borrow may pretend it.
        let below = |word: u64, byte: u8| word.wrapping_sub(ONES * u64::from(byte)) & !word & HIGH;
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let special = below(word, 0x20) | is(b'"') | is(b'\\');
        (special != 0).then(|| from + at + special.trailing_zeros() as usize / 8)
    };
    // The last word may begin among bytes that are known not to be special.
    let last = rest.len() - 8;
    (0..last).step_by(8).find_map(special_in).or_else(|| special_in(last))
}

/// A JSON string: quotes, backslashes and control characters escaped, everything else as UTF-8.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if has_special(bytes) {
        write_escaped(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

/// Whether a byte has to be escaped.
fn has_special(bytes: &[u8]) -> bool {
    const WIDE: usize = 16;
    if bytes.len() < WIDE {
        return find_special(bytes, 0).is_some();
    }
    // Without a branch, so that the compiler looks at all of them at once.
    let special_in = |wide: &[u8; WIDE]| {
        wide.iter().fold(0, |any, &byte| any | u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\'))
    };
    let last: &[u8; WIDE] = bytes.last_chunk().expect("there are as many");
    bytes.as_chunks::<WIDE>().0.iter().fold(special_in(last), |any, wide| any | special_in(wide)) != 0
}

/// A text with bytes that have to be escaped.
#[cold]
fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut written = 0;
    while let Some(position) = find_special(bytes, written) {
        out.extend_from_slice(&bytes[written..position]);
        written = position + 1;
        match bytes[position] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}"); // writing to a Vec cannot fail
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// serde_json is of another opinion only about DEL and the like, which need no escape.
    #[test]
    fn text_comes_back_whatever_is_in_it_and_wherever() {
        for special in
            ["", "\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{1f}", "\u{7f}", "é", "\u{20ac}", "\u{1f600}", "\"\\\u{1}"]
        {
            for before in 0..40 {
                let text = format!("{}{special}{}{special}", "x".repeat(before), "ÿ".repeat(before / 2));
                let mut out = Vec::new();
                write_string(&mut out, &text);
                assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
            }
        }
    }

    /// Any exponent, any number of digits, ties, and values at which the notation changes. The randomness is the same in every run.
    #[test]
    fn floats_are_written_as_debug_writes_them() {
        let check = |value: f64| {
            let mut out = Vec::new();
            write_float(&mut out, value);
            assert_eq!(String::from_utf8(out).expect("text"), format!("{value:?}"));
        };
        let mut state = 0x5eed_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ (state >> 33)
        };
        for _ in 0..100_000 {
            let value = f64::from_bits(random());
            if value.is_finite() {
                check(value);
            }
            check((random() >> (random() % 64)) as f64 / 10f64.powi((random() % 20) as i32));
            // Ties are among these.
            check((random() >> (11 + random() % 53)) as f64 / 2f64.powi((random() % 30) as i32));
        }
        for edge in [
            0.0,
            8_388_608.0 + 1.0 / 1_024.0,
            1.0,
            1e-4,
            1e-5,
            1e15,
            1e16,
            1e17,
            123.0,
            0.1,
            f64::MIN_POSITIVE,
            f64::MAX,
            5e-324,
        ] {
            for value in [edge, edge.next_up(), edge.next_down()] {
                if value.is_finite() {
                    check(value);
                    check(-value);
                }
            }
        }
    }
}
