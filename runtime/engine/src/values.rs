//! Values of Arrow columns as stored bytes and as plain values.
//!
//! Bytes are those of `chalk_types::codec`, written without a `Value` in between, because this is done for every row of
//! a stream.
//!
//! This file must not know rows, keys or stamps.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use chalk_catalog::ColumnBuilder;
use chalk_types::codec::{decode, put_int, put_sized};
use chalk_types::{IntWidth, Kind, Type, Value, varint};

use crate::arrow_out::to_array;

/// Appends the value of a column at a row. The column has the Arrow type of the kind: the engine made it.
pub fn encode_at(out: &mut Vec<u8>, array: &ArrayRef, kind: &Kind, row: usize) {
    if *kind == Kind::Null || array.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match kind {
        Kind::Null => {}
        Kind::Bool => out.push(u8::from(array.as_boolean().value(row))),
        Kind::Int(width) => put_int(out, *width, int_at(array, *width, row)),
        Kind::Float32 => out.extend_from_slice(&array.as_primitive::<Float32Type>().value(row).to_le_bytes()),
        Kind::Float64 => out.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        Kind::Decimal { .. } => out.extend_from_slice(&array.as_primitive::<Decimal128Type>().value(row).to_le_bytes()),
        Kind::String => put_sized(out, array.as_string_view().value(row).as_bytes()),
        Kind::Bytes => put_sized(out, array.as_binary_view().value(row)),
        Kind::Datetime => {
            out.extend_from_slice(&array.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes());
        }
        Kind::Date => out.extend_from_slice(&array.as_primitive::<Date32Type>().value(row).to_le_bytes()),
        Kind::Time => out.extend_from_slice(&array.as_primitive::<Time64MicrosecondType>().value(row).to_le_bytes()),
        Kind::Duration => {
            out.extend_from_slice(&array.as_primitive::<DurationMicrosecondType>().value(row).to_le_bytes());
        }
        Kind::Enum(_) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let variant = dictionary.keys().value(row) as usize;
            put_sized(out, dictionary.values().as_string::<i32>().value(variant).as_bytes());
        }
        Kind::List(item) => {
            let list = array.as_list::<i64>();
            let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
            varint::put(out, range.len() as u64);
            range.for_each(|at| encode_at(out, list.values(), &item.kind, at));
        }
        Kind::Vector(item, length) => {
            let list = array.as_fixed_size_list();
            let start = row * *length as usize;
            (start..start + *length as usize).for_each(|at| encode_at(out, list.values(), &item.kind, at));
        }
        Kind::Map(key, value) => {
            let map = array.as_map();
            let range = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
            varint::put(out, range.len() as u64);
            for at in range {
                encode_at(out, map.keys(), &key.kind, at);
                encode_at(out, map.values(), &value.kind, at);
            }
        }
        Kind::Struct(message) => {
            for (column, field) in array.as_struct().columns().iter().zip(&message.fields) {
                encode_at(out, column, &field.ty.kind, row);
            }
        }
    }
}

/// The value of a column at a row.
pub fn value_at(array: &ArrayRef, ty: &Type, row: usize) -> Value {
    let mut bytes = Vec::new();
    encode_at(&mut bytes, array, &ty.kind, row);
    decode(&mut &bytes[..], ty).expect("bytes just written can be read")
}

/// Rows of values as a batch; `types` has the language's type of each column.
pub fn batch_of_values(schema: &SchemaRef, types: &[Type], rows: &[Vec<Value>]) -> RecordBatch {
    let column = |(at, ty): (usize, &Type)| {
        let mut column = ColumnBuilder::new(ty);
        rows.iter().for_each(|row| column.push_value(&row[at]));
        let views = column.views();
        // SAFETY: the column was made with this type, and has a row per row.
        unsafe { to_array(views.root(), ty, 0..rows.len()) }
    };
    let columns = types.iter().enumerate().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).expect("columns have the schema's types")
}

fn int_at(array: &ArrayRef, width: IntWidth, row: usize) -> i128 {
    match width {
        IntWidth::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        IntWidth::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        IntWidth::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        IntWidth::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        IntWidth::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        IntWidth::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        IntWidth::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        IntWidth::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
    }
}
