//! The Arrow type of each type, in both directions: the contract with everything outside.
//!
//! Text is a view (`Utf8View`) because a decoded message already lies in memory: a column of views points into it.
//!
//! This file must not know how columns are filled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};

use crate::{EnumType, IntWidth, Kind, StructField, StructType, Type};

/// An Arrow type that has no counterpart in the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedArrowType(pub DataType);

impl fmt::Display for UnsupportedArrowType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Arrow type {} has no counterpart in the language", self.0)
    }
}

impl std::error::Error for UnsupportedArrowType {}

/// The Arrow type of a kind.
pub fn to_arrow(kind: &Kind) -> DataType {
    match kind {
        Kind::Null => DataType::Null,
        Kind::Bool => DataType::Boolean,
        Kind::Int(width) => match width {
            IntWidth::Int8 => DataType::Int8,
            IntWidth::Int16 => DataType::Int16,
            IntWidth::Int32 => DataType::Int32,
            IntWidth::Int64 => DataType::Int64,
            IntWidth::UInt8 => DataType::UInt8,
            IntWidth::UInt16 => DataType::UInt16,
            IntWidth::UInt32 => DataType::UInt32,
            IntWidth::UInt64 => DataType::UInt64,
        },
        Kind::Float32 => DataType::Float32,
        Kind::Float64 => DataType::Float64,
        Kind::String => DataType::Utf8View,
        Kind::Bytes => DataType::BinaryView,
        Kind::Datetime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Date => DataType::Date32,
        Kind::Time => DataType::Time64(TimeUnit::Microsecond),
        Kind::Duration => DataType::Duration(TimeUnit::Microsecond),
        Kind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        Kind::List(item) => DataType::LargeList(Arc::new(arrow_field("item", item))),
        Kind::Vector(item, length) => DataType::FixedSizeList(Arc::new(arrow_field("item", item)), *length as i32),
        Kind::Map(key, value) => {
            let entries = Fields::from(vec![arrow_field("keys", key), arrow_field("values", value)]);
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
        }
        Kind::Struct(message) => {
            DataType::Struct(message.fields.iter().map(|field| arrow_field(&field.name, &field.ty)).collect())
        }
        Kind::Enum(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    }
}

/// The Arrow field of that name and type. An enum's variants travel as metadata, since a dictionary type has no room for them.
pub fn arrow_field(name: &str, ty: &Type) -> Field {
    let field = Field::new(name, to_arrow(&ty.kind), ty.nullable);
    match &ty.kind {
        Kind::Enum(def) => field.with_metadata(HashMap::from([
            ("chalk:enum".to_owned(), def.name.clone()),
            ("chalk:variants".to_owned(), def.variants.join(",")),
        ])),
        _ => field,
    }
}

/// The Arrow schema of a message.
pub fn arrow_schema(message: &StructType) -> Schema {
    Schema::new(message.fields.iter().map(|field| arrow_field(&field.name, &field.ty)).collect::<Fields>())
}

/// The type of an Arrow field; text and lists of every offset width are accepted.
pub fn from_arrow(field: &Field) -> Result<Type, UnsupportedArrowType> {
    let kind = match field.data_type() {
        DataType::Null => Kind::Null,
        DataType::Boolean => Kind::Bool,
        DataType::Int8 => Kind::Int(IntWidth::Int8),
        DataType::Int16 => Kind::Int(IntWidth::Int16),
        DataType::Int32 => Kind::Int(IntWidth::Int32),
        DataType::Int64 => Kind::Int(IntWidth::Int64),
        DataType::UInt8 => Kind::Int(IntWidth::UInt8),
        DataType::UInt16 => Kind::Int(IntWidth::UInt16),
        DataType::UInt32 => Kind::Int(IntWidth::UInt32),
        DataType::UInt64 => Kind::Int(IntWidth::UInt64),
        DataType::Float32 => Kind::Float32,
        DataType::Float64 => Kind::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Kind::Bytes,
        DataType::Timestamp(_, Some(_)) => Kind::Datetime,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Time32(_) | DataType::Time64(_) => Kind::Time,
        DataType::Duration(_) => Kind::Duration,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            Kind::Decimal { precision: *precision, scale: *scale as u8 }
        }
        DataType::List(item) | DataType::LargeList(item) => Kind::List(Box::new(from_arrow(item)?)),
        DataType::FixedSizeList(item, length) => Kind::Vector(Box::new(from_arrow(item)?), *length as u32),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                Kind::Map(Box::new(from_arrow(&fields[0])?), Box::new(from_arrow(&fields[1])?))
            }
            other => return Err(UnsupportedArrowType(other.clone())),
        },
        DataType::Struct(fields) => Kind::Struct(Arc::new(StructType {
            name: field.name().clone(),
            fields: fields
                .iter()
                .map(|field| Ok(StructField { name: field.name().clone(), ty: from_arrow(field)? }))
                .collect::<Result<_, _>>()?,
        })),
        DataType::Dictionary(_, values) => match (field.metadata().get("chalk:variants"), values.as_ref()) {
            (Some(variants), _) => Kind::Enum(Arc::new(EnumType {
                name: field.metadata().get("chalk:enum").cloned().unwrap_or_else(|| field.name().clone()),
                variants: variants.split(',').map(str::to_owned).collect(),
            })),
            (None, DataType::Utf8 | DataType::LargeUtf8) => Kind::String,
            _ => return Err(UnsupportedArrowType(field.data_type().clone())),
        },
        other => return Err(UnsupportedArrowType(other.clone())),
    };
    Ok(Type { kind, nullable: field.is_nullable() })
}
