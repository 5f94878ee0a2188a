//! The types of the language: what a value may be, how types meet, and the Arrow type of each.
//!
//! Compiler and runtime both speak of columns, so both need one answer to "what is the Arrow type of this": it is
//! here, in both directions. A type is plain data, cheap to clone and to serialise into an artifact.
//!
//! This crate must never know syntax, diagnostics or where a type came from.

mod arrow;
pub mod codec;
mod coerce;
mod value;
pub mod varint;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use arrow::{UnsupportedArrowType, arrow_field, arrow_schema, from_arrow, to_arrow};
pub use coerce::{Coercion, coercion, common_type};
pub use value::{Value, format_date, format_datetime, format_duration, format_float, format_time, write_datetime};

/// A type with its nullability: `int?` is `Type { kind: Int(Int64), nullable: true }`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Type {
    /// What a non-null value is.
    pub kind: Kind,
    /// Whether the value may be null (`T?`).
    pub nullable: bool,
}

/// What a non-null value is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// The type of `none` alone; it coerces to every nullable type.
    Null,
    /// `bool`
    Bool,
    /// `int` and the sized integers.
    Int(IntWidth),
    /// `float32`
    Float32,
    /// `float`
    Float64,
    /// `string`: UTF-8, counted in code points.
    String,
    /// `bytes`
    Bytes,
    /// `datetime`: microseconds since the Unix epoch, UTC.
    Datetime,
    /// `date`: days since the Unix epoch.
    Date,
    /// `time`: microseconds since midnight.
    Time,
    /// `duration`: microseconds.
    Duration,
    /// `decimal(precision, scale)`, stored as an `i128` of `scale` decimal places.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// `[T]`
    List(Box<Type>),
    /// `[T; N]`
    Vector(Box<Type>, u32),
    /// `map<K, V>`; keys are never null.
    Map(Box<Type>, Box<Type>),
    /// A message (or a feature class seen as a row).
    Struct(Arc<StructType>),
    /// An enum; a value is the index of its variant.
    Enum(Arc<EnumType>),
}

/// Width and sign of an integer type; `int` is `Int64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum IntWidth {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
}

impl IntWidth {
    /// Every width, in the order of declaration.
    pub const ALL: [IntWidth; 8] = [
        IntWidth::Int8,
        IntWidth::Int16,
        IntWidth::Int32,
        IntWidth::Int64,
        IntWidth::UInt8,
        IntWidth::UInt16,
        IntWidth::UInt32,
        IntWidth::UInt64,
    ];

    /// Bytes of one value.
    pub fn size_bytes(self) -> usize {
        match self {
            IntWidth::Int8 | IntWidth::UInt8 => 1,
            IntWidth::Int16 | IntWidth::UInt16 => 2,
            IntWidth::Int32 | IntWidth::UInt32 => 4,
            IntWidth::Int64 | IntWidth::UInt64 => 8,
        }
    }

    /// Whether negative values exist.
    pub fn is_signed(self) -> bool {
        matches!(self, IntWidth::Int8 | IntWidth::Int16 | IntWidth::Int32 | IntWidth::Int64)
    }

    /// Least and greatest value, wide enough for every width.
    pub fn range(self) -> (i128, i128) {
        let bits = self.size_bytes() as u32 * 8;
        if self.is_signed() { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) }
    }

    /// The name in the language.
    pub fn name(self) -> &'static str {
        match self {
            IntWidth::Int8 => "int8",
            IntWidth::Int16 => "int16",
            IntWidth::Int32 => "int32",
            IntWidth::Int64 => "int",
            IntWidth::UInt8 => "uint8",
            IntWidth::UInt16 => "uint16",
            IntWidth::UInt32 => "uint32",
            IntWidth::UInt64 => "uint64",
        }
    }
}

/// A message type: named fields in declaration order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StructType {
    /// The name in the source.
    pub name: String,
    /// The fields, in declaration order.
    pub fields: Vec<StructField>,
}

impl StructType {
    /// Position of the field of that name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// One field of a message type.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StructField {
    /// The name in the source (the name on the wire may differ: that is the decode plan's business).
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// An enum: its variants in declaration order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct EnumType {
    /// The name in the source.
    pub name: String,
    /// The variants' names; a value is an index into them.
    pub variants: Vec<String>,
}

impl Kind {
    /// The type of `int`.
    pub const INT: Kind = Kind::Int(IntWidth::Int64);

    /// The non-null type of this kind.
    pub fn required(self) -> Type {
        Type { kind: self, nullable: false }
    }

    /// The nullable type of this kind.
    pub fn optional(self) -> Type {
        Type { kind: self, nullable: true }
    }

    /// Whether values are numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Decimal { .. })
    }

    /// Whether `<` is defined between two values.
    pub fn is_ordered(&self) -> bool {
        match self {
            Kind::Null
            | Kind::Bool
            | Kind::Int(_)
            | Kind::Float32
            | Kind::Float64
            | Kind::String
            | Kind::Bytes
            | Kind::Datetime
            | Kind::Date
            | Kind::Time
            | Kind::Duration
            | Kind::Decimal { .. } => true,
            Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) | Kind::Enum(_) => false,
        }
    }
}

impl Type {
    /// `int`
    pub const INT: Type = Type { kind: Kind::INT, nullable: false };
    /// `float`
    pub const FLOAT: Type = Type { kind: Kind::Float64, nullable: false };
    /// `bool`
    pub const BOOL: Type = Type { kind: Kind::Bool, nullable: false };
    /// `string`
    pub const STRING: Type = Type { kind: Kind::String, nullable: false };
    /// `bytes`
    pub const BYTES: Type = Type { kind: Kind::Bytes, nullable: false };
    /// `datetime`
    pub const DATETIME: Type = Type { kind: Kind::Datetime, nullable: false };
    /// The type of `none`.
    pub const NULL: Type = Type { kind: Kind::Null, nullable: true };

    /// The same type, nullable.
    pub fn to_optional(&self) -> Type {
        Type { kind: self.kind.clone(), nullable: true }
    }

    /// The same type, not null.
    pub fn to_required(&self) -> Type {
        Type { kind: self.kind.clone(), nullable: false }
    }

    /// The same type, nullable if it is or `other` is so.
    pub fn nullable_if(self, other: bool) -> Type {
        Type { nullable: self.nullable || other, kind: self.kind }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.nullable) {
            (Kind::Null, _) => f.write_str("none"),
            (kind, false) => write!(f, "{kind}"),
            (kind, true) => write!(f, "{kind}?"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Null => f.write_str("none"),
            Kind::Bool => f.write_str("bool"),
            Kind::Int(width) => f.write_str(width.name()),
            Kind::Float32 => f.write_str("float32"),
            Kind::Float64 => f.write_str("float"),
            Kind::String => f.write_str("string"),
            Kind::Bytes => f.write_str("bytes"),
            Kind::Datetime => f.write_str("datetime"),
            Kind::Date => f.write_str("date"),
            Kind::Time => f.write_str("time"),
            Kind::Duration => f.write_str("duration"),
            Kind::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            Kind::List(item) => write!(f, "[{item}]"),
            Kind::Vector(item, length) => write!(f, "[{item}; {length}]"),
            Kind::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Kind::Struct(message) => f.write_str(&message.name),
            Kind::Enum(def) => f.write_str(&def.name),
        }
    }
}
