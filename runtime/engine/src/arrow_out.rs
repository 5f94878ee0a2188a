//! Column views as Arrow arrays: the boundary between kernel memory and everything that speaks Arrow.
//!
//! Scalar outputs of kernels are handed over as they are (see `output`); this file copies what has a shape of its own: lists, maps, vectors, messages
//! and everything inside them.
//!
//! This file must not know kernels or messages.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeListArray, Int32Array, LargeListArray, MapArray, NullArray,
    StringArray, StructArray, make_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayDataBuilder;
use arrow_schema::{DataType, Field, Fields};
use chalk_artifact::abi::ColumnView;
use chalk_catalog::{bit_at, text_at};
use chalk_types::{EnumType, Kind, Type, arrow_field, to_arrow};

/// Bytes of one value of a kind that has a fixed width.
pub(crate) fn fixed_width(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Int(width) => Some(width.size_bytes()),
        Kind::Float32 | Kind::Date | Kind::Enum(_) => Some(4),
        Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => Some(8),
        Kind::Decimal { .. } => Some(16),
        Kind::Null
        | Kind::Bool
        | Kind::String
        | Kind::Bytes
        | Kind::List(_)
        | Kind::Vector(..)
        | Kind::Map(..)
        | Kind::Struct(_) => None,
    }
}

/// The Arrow array of values of a fixed width.
pub(crate) fn fixed_array(kind: &Kind, rows: usize, values: Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
    if let Kind::Enum(def) = kind {
        let keys = Int32Array::new(ScalarBuffer::new(values, 0, rows), nulls);
        return enum_array(def, keys);
    }
    let data = ArrayDataBuilder::new(to_arrow(kind)).len(rows).add_buffer(values).nulls(nulls);
    // SAFETY: the buffer holds `rows` values of the type's width (the builder checks nothing else of a fixed-width type), and every bit
    // pattern is a value.
    make_array(unsafe { data.build_unchecked() })
}

fn enum_array(def: &EnumType, keys: Int32Array) -> ArrayRef {
    let variants: StringArray = def.variants.iter().map(Some).collect();
    Arc::new(DictionaryArray::new(keys, Arc::new(variants)))
}

/// Copies rows of a column into an Arrow array.
///
/// # Safety
/// `column` is a column of type `ty` with at least `rows.end` rows (`abi::ColumnView` says how it lies in memory), alive and unchanged
/// during the call; strings are UTF-8.
pub unsafe fn to_array(column: &ColumnView, ty: &Type, rows: Range<usize>) -> ArrayRef {
    let count = rows.len();
    let nulls = (ty.nullable && !column.validity.is_null()).then(|| {
        // SAFETY: a validity bitmap has a bit per row.
        NullBuffer::new(BooleanBuffer::collect_bool(count, |row| unsafe { bit_at(column.validity, rows.start + row) }))
    });
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    // SAFETY: of the pointers read in this function: a column of this kind has the buffers and children that `abi::ColumnView` lists.
    let child = |index: usize| unsafe { &*column.children.add(index) };
    match &ty.kind {
        Kind::Null => Arc::new(NullArray::new(count)),
        Kind::Bool => {
            // SAFETY: a bool column has a bit per row.
            let values = BooleanBuffer::collect_bool(count, |row| unsafe { bit_at(column.data, rows.start + row) });
            Arc::new(BooleanArray::new(values, nulls))
        }
        Kind::String => {
            let mut builder = StringViewBuilder::with_capacity(count);
            for row in 0..count {
                // SAFETY: a string column of that many rows; strings are UTF-8.
                let text =
                    is_valid(row).then(|| unsafe { std::str::from_utf8_unchecked(text_at(column, rows.start + row)) });
                builder.append_option(text);
            }
            Arc::new(builder.finish())
        }
        Kind::Bytes => {
            let mut builder = BinaryViewBuilder::with_capacity(count);
            for row in 0..count {
                // SAFETY: a bytes column of that many rows.
                builder.append_option(is_valid(row).then(|| unsafe { text_at(column, rows.start + row) }));
            }
            Arc::new(builder.finish())
        }
        Kind::List(item) => {
            // SAFETY: a list column has one more i64 offset than rows.
            let offsets = unsafe { offsets(column, &rows) };
            let (first, last) = (offsets[0] as usize, offsets[count] as usize);
            // SAFETY: the items reach to the last offset.
            let items = unsafe { to_array(child(0), item, first..last) };
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| offset - first as i64).collect());
            Arc::new(LargeListArray::new(Arc::new(arrow_field("item", item)), offsets, items, nulls))
        }
        Kind::Vector(item, length) => {
            let length = *length as usize;
            // SAFETY: a vector column has `length` items per row.
            let items = unsafe { to_array(child(0), item, rows.start * length..rows.end * length) };
            let field = Arc::new(arrow_field("item", item));
            Arc::new(FixedSizeListArray::new(field, length as i32, items, nulls))
        }
        Kind::Map(key, value) => {
            // SAFETY: a map column has one more i64 offset than rows.
            let offsets = unsafe { offsets(column, &rows) };
            let (first, last) = (offsets[0] as usize, offsets[count] as usize);
            // SAFETY: keys and values reach to the last offset.
            let (keys, values) =
                unsafe { (to_array(child(0), key, first..last), to_array(child(1), value, first..last)) };
            let fields = Fields::from(vec![arrow_field("keys", key), arrow_field("values", value)]);
            let entries = StructArray::new(fields.clone(), vec![keys, values], None);
            let offsets = offsets.iter().map(|offset| (offset - first as i64) as i32).collect();
            let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
            Arc::new(MapArray::new(field, OffsetBuffer::new(offsets), entries, nulls, false))
        }
        Kind::Struct(message) => {
            let fields: Fields = message.fields.iter().map(|field| arrow_field(&field.name, &field.ty)).collect();
            let columns = message
                .fields
                .iter()
                .enumerate()
                // SAFETY: a struct column's children have its rows.
                .map(|(index, field)| unsafe { to_array(child(index), &field.ty, rows.clone()) })
                .collect();
            if fields.is_empty() {
                return Arc::new(StructArray::new_empty_fields(count, nulls));
            }
            // A required field below a null message holds filler, which Arrow allows under the parent's null.
            Arc::new(StructArray::new(fields, columns, nulls))
        }
        kind => {
            let width = fixed_width(kind).expect("the kinds without a width are above");
            let mut values = MutableBuffer::new(count * width);
            // SAFETY: a fixed-width column has `width` bytes per row.
            values.extend_from_slice(unsafe {
                std::slice::from_raw_parts(column.data.add(rows.start * width), count * width)
            });
            fixed_array(kind, count, values.into(), nulls)
        }
    }
}

/// The offsets of the rows, one more than rows.
///
/// # Safety
/// `column` is a list or map column with at least `rows.end` rows.
unsafe fn offsets<'a>(column: &'a ColumnView, rows: &Range<usize>) -> &'a [i64] {
    // SAFETY: the caller's promise; offsets are aligned as i64 because columns are allocated so.
    unsafe { std::slice::from_raw_parts(column.data.cast::<i64>().add(rows.start), rows.len() + 1) }
}
