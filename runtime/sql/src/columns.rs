//! Columns of events as the query engine has them, and its results as values.
//!
//! Scalars have the Arrow type that they have everywhere; an enum is its variant's name. Lists, maps and messages inside messages are
//! not readable by a query, but a result may be a list.
//!
//! This file must not know queries.

use std::ops::Range;
use std::sync::Arc;

use chalk_catalog::event::EventColumn;
use chalk_types::{IntWidth, Kind, Type, Value};
use chalk_types::{arrow_field, from_arrow, to_arrow};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, PrimitiveArray, StringViewArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Field, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

/// Whether a query can read a column of the kind.
pub(crate) fn is_readable(kind: &Kind) -> bool {
    !matches!(kind, Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) | Kind::Null)
}

/// A column of the table.
pub(crate) fn field(name: &str, ty: &Type) -> Field {
    match ty.kind {
        Kind::Enum(_) => Field::new(name, DataType::Utf8View, ty.nullable),
        _ => arrow_field(name, ty),
    }
}

/// The type of a column of a result; none where the language has none.
pub(crate) fn type_of(field: &Field) -> Option<Type> {
    match field.data_type() {
        // The language has moments in time only, and the session's zone is UTC.
        DataType::Timestamp(..) => Some(Type { kind: Kind::Datetime, nullable: field.is_nullable() }),
        _ => from_arrow(field).ok(),
    }
}

/// Rows of a column of events.
pub(crate) type Piece<'a> = (&'a EventColumn, Range<usize>);

fn words<'a>(pieces: &'a [Piece<'a>]) -> impl Iterator<Item = Option<u64>> + 'a {
    pieces.iter().flat_map(|(column, rows)| rows.clone().map(|row| column.is_valid(row).then(|| column.word(row))))
}

fn bytes<'a>(pieces: &'a [Piece<'a>]) -> impl Iterator<Item = Option<&'a [u8]>> + 'a {
    pieces.iter().flat_map(|(column, rows)| rows.clone().map(|row| column.is_valid(row).then(|| column.bytes(row))))
}

/// The rows as an array of the column's field.
///
/// # Panics
/// If no query can read the kind.
pub(crate) fn array(kind: &Kind, pieces: &[Piece<'_>]) -> ArrayRef {
    fn primitive<T: ArrowPrimitiveType>(pieces: &[Piece<'_>], of: impl Fn(u64) -> T::Native) -> ArrayRef {
        Arc::new(words(pieces).map(|word| word.map(&of)).collect::<PrimitiveArray<T>>())
    }
    match kind {
        Kind::Bool => Arc::new(words(pieces).map(|word| word.map(|word| word != 0)).collect::<BooleanArray>()),
        Kind::Int(IntWidth::Int8) => primitive::<Int8Type>(pieces, |word| word as i8),
        Kind::Int(IntWidth::Int16) => primitive::<Int16Type>(pieces, |word| word as i16),
        Kind::Int(IntWidth::Int32) => primitive::<Int32Type>(pieces, |word| word as i32),
        Kind::Int(IntWidth::Int64) => primitive::<Int64Type>(pieces, |word| word as i64),
        Kind::Int(IntWidth::UInt8) => primitive::<UInt8Type>(pieces, |word| word as u8),
        Kind::Int(IntWidth::UInt16) => primitive::<UInt16Type>(pieces, |word| word as u16),
        Kind::Int(IntWidth::UInt32) => primitive::<UInt32Type>(pieces, |word| word as u32),
        Kind::Int(IntWidth::UInt64) => primitive::<UInt64Type>(pieces, |word| word),
        // Narrowed again, because events hold floats wide.
        Kind::Float32 => primitive::<Float32Type>(pieces, |word| f64::from_bits(word) as f32),
        Kind::Float64 => primitive::<Float64Type>(pieces, f64::from_bits),
        Kind::Date => primitive::<Date32Type>(pieces, |word| word as i32),
        Kind::Time => primitive::<Time64MicrosecondType>(pieces, |word| word as i64),
        Kind::Duration => primitive::<DurationMicrosecondType>(pieces, |word| word as i64),
        Kind::Datetime => {
            let times: PrimitiveArray<TimestampMicrosecondType> =
                words(pieces).map(|word| word.map(|word| word as i64)).collect();
            Arc::new(times.with_timezone("UTC"))
        }
        Kind::Enum(def) => {
            let names = words(pieces).map(|word| word.map(|word| def.variants[word as usize].as_str()));
            Arc::new(names.collect::<StringViewArray>())
        }
        Kind::String => {
            let text = |bytes| std::str::from_utf8(bytes).expect("events hold text that was checked");
            Arc::new(bytes(pieces).map(|bytes| bytes.map(text)).collect::<StringViewArray>())
        }
        Kind::Bytes => Arc::new(bytes(pieces).collect::<BinaryViewArray>()),
        Kind::Decimal { precision, scale } => {
            let units = bytes(pieces)
                .map(|bytes| bytes.map(|bytes| i128::from_le_bytes(bytes.try_into().expect("a decimal is 16 bytes"))));
            let units: Decimal128Array = units.collect();
            Arc::new(units.with_precision_and_scale(*precision, *scale as i8).expect("a type of the language"))
        }
        Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) | Kind::Null => {
            unreachable!("the planner refuses {kind}")
        }
    }
}

/// Values of a result's column as the type of a feature; a value that does not fit is an error.
pub(crate) fn values(array: &ArrayRef, ty: &Type) -> Result<Vec<Value>, String> {
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(array, &to_arrow(&ty.kind), &exact).map_err(|error| error.to_string())?;
    (0..array.len()).map(|row| value(&array, &ty.kind, row)).collect()
}

fn value(array: &ArrayRef, kind: &Kind, row: usize) -> Result<Value, String> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    fn int<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> Value
    where
        T::Native: Into<i128>,
    {
        Value::Int(array.as_primitive::<T>().value(row).into())
    }
    Ok(match kind {
        Kind::Bool => Value::Bool(array.as_boolean().value(row)),
        Kind::Int(IntWidth::Int8) => int::<Int8Type>(array, row),
        Kind::Int(IntWidth::Int16) => int::<Int16Type>(array, row),
        Kind::Int(IntWidth::Int32) => int::<Int32Type>(array, row),
        Kind::Int(IntWidth::Int64) => int::<Int64Type>(array, row),
        Kind::Int(IntWidth::UInt8) => int::<UInt8Type>(array, row),
        Kind::Int(IntWidth::UInt16) => int::<UInt16Type>(array, row),
        Kind::Int(IntWidth::UInt32) => int::<UInt32Type>(array, row),
        Kind::Int(IntWidth::UInt64) => int::<UInt64Type>(array, row),
        Kind::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        Kind::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        Kind::Decimal { .. } => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row)),
        Kind::String => Value::String(array.as_string_view().value(row).to_owned()),
        Kind::Bytes => Value::Bytes(array.as_binary_view().value(row).to_vec()),
        Kind::Datetime => Value::Datetime(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        Kind::Time => Value::Time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        Kind::Duration => Value::Duration(array.as_primitive::<DurationMicrosecondType>().value(row)),
        Kind::List(item) => {
            let items = array.as_list::<i64>().value(row);
            Value::List((0..items.len()).map(|row| value(&items, &item.kind, row)).collect::<Result<_, _>>()?)
        }
        Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) | Kind::Enum(_) | Kind::Null => {
            return Err(format!("a query cannot give `{kind}`"));
        }
    })
}
