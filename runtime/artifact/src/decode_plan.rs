//! What a decoder does with a message type: every declared field, and which of them become columns.
//!
//! It is data, not code, so that the same precompiled decoders serve every artifact.
//!
//! This file must not know bytes or columns in memory.

use chalk_types::{Type, Value};
use serde::{Deserialize, Serialize};

/// How messages of one type become columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecodePlan {
    /// The message type.
    pub root: MessagePlan,
    /// The columns wanted, in the order in which kernels number them.
    pub columns: Vec<ColumnPlan>,
    /// Whether bytes that no column reads must be valid JSON and UTF-8 (`@relaxed` turns it off).
    pub strict: bool,
    /// Greatest nesting of objects and arrays.
    pub max_depth: u32,
    /// Greatest message.
    pub max_message_bytes: u32,
}

/// Default of `DecodePlan::max_depth`.
pub const MAX_DEPTH: u32 = 128;
/// Default of `DecodePlan::max_message_bytes`.
pub const MAX_MESSAGE_BYTES: u32 = 16 << 20;

/// A wanted column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnPlan {
    /// Its type; nullable where the field or any message on the way to it may be null. `bool` for `Presence`.
    pub ty: Type,
    /// Field indexes from the root message; empty for the whole message as a struct.
    pub path: Vec<u32>,
    /// What of that field.
    pub wanted: Wanted,
}

/// What a column holds of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// The value; of a message, list or map the whole of it.
    Value,
    /// Whether it is there and not null, as a bool that is never null. Its contents are not type-checked.
    Presence,
}

/// A message type on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessagePlan {
    /// The name in the source, for errors.
    pub name: String,
    /// All declared fields in declaration order.
    pub fields: Vec<FieldPlan>,
}

/// A declared field on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldPlan {
    /// The name in the source, for error paths.
    pub name: String,
    /// The key on the wire (`@json`), matched exactly.
    pub key: String,
    /// Its type. A field whose type is not nullable and that has no default is required.
    pub ty: Type,
    /// Used when the key is absent (not when it is null).
    pub default: Option<Value>,
    /// `@lenient`: text-to-number and the like.
    pub lenient: bool,
    /// `@unix(unit)`: a datetime that travels as an integer.
    pub unix: Option<UnixUnit>,
    /// The plan of the message inside: of a field whose type is a message, or a list, vector or map (of lists …) of messages.
    pub message: Option<Box<MessagePlan>>,
}

/// The unit of an integer datetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnixUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds; rounded to the nearest microsecond.
    Nanos,
}
