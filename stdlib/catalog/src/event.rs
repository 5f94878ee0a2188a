//! Columns of events: what aggregates take, in the one form in which it is computed, logged and replayed.
//!
//! A kernel's outputs become event columns once per batch; state is updated from them, the commit appends their bytes to the
//! changelog, and recovery reads the same columns back, so a replay runs the very code that the first run ran.
//!
//! | kind | data |
//! |---|---|
//! | bool, integers, date, datetime, time, duration, enum (its index) | `Words`: sign- or zero-extended to 64 bits |
//! | float, float32 (widened) | `Words`: bits of the f64 |
//! | string, bytes | `Bytes`: as they are |
//! | decimal | `Bytes`: 16 bytes, little-endian |
//! | list, vector, map, message | `Bytes`: as `chalk_types::codec` writes a value that is not null, tag included |
//!
//! This file must not know aggregates or where events come from.

use chalk_types::{Kind, Type, Value, codec};

/// One argument of many events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventColumn {
    /// 1 = not null, a byte per row; empty where no value is null. Under a null lie zeros or no bytes.
    pub valid: Vec<u8>,
    /// The values.
    pub data: EventData,
}

/// The values of a column; which form it has follows from the kind (table above).
#[derive(Clone, Debug, PartialEq)]
pub enum EventData {
    /// One word per row.
    Words(Vec<u64>),
    /// Text of any length.
    Bytes {
        /// Per row where its bytes end; they begin where those of the row before end.
        ends: Vec<u32>,
        /// All rows' bytes.
        bytes: Vec<u8>,
    },
}

/// Whether values of the kind are words.
pub fn is_word(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::Int(_)
            | Kind::Float32
            | Kind::Float64
            | Kind::Date
            | Kind::Datetime
            | Kind::Time
            | Kind::Duration
            | Kind::Enum(_)
    )
}

impl EventColumn {
    /// An empty column for values of the kind.
    pub fn new(kind: &Kind) -> EventColumn {
        let data = if is_word(kind) {
            EventData::Words(Vec::new())
        } else {
            EventData::Bytes { ends: Vec::new(), bytes: Vec::new() }
        };
        EventColumn { valid: Vec::new(), data }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match &self.data {
            EventData::Words(words) => words.len(),
            EventData::Bytes { ends, .. } => ends.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all rows; memory is kept.
    pub fn clear(&mut self) {
        self.valid.clear();
        match &mut self.data {
            EventData::Words(words) => words.clear(),
            EventData::Bytes { ends, bytes } => {
                ends.clear();
                bytes.clear();
            }
        }
    }

    /// Whether the row's value is not null.
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.is_empty() || self.valid[row] != 0
    }

    /// The word of a row.
    ///
    /// # Panics
    /// If the column holds bytes.
    pub fn word(&self, row: usize) -> u64 {
        match &self.data {
            EventData::Words(words) => words[row],
            EventData::Bytes { .. } => panic!("a column of bytes has no words"),
        }
    }

    /// The bytes of a row.
    ///
    /// # Panics
    /// If the column holds words.
    pub fn bytes(&self, row: usize) -> &[u8] {
        match &self.data {
            EventData::Bytes { ends, bytes } => {
                let start = if row == 0 { 0 } else { ends[row - 1] as usize };
                &bytes[start..ends[row] as usize]
            }
            EventData::Words(_) => panic!("a column of words has no bytes"),
        }
    }

    /// Appends a value; a slow way, for tests, tools and columns of rare kinds.
    pub fn push(&mut self, kind: &Kind, value: &Value) {
        let is_null = value.is_null();
        if is_null && self.valid.is_empty() {
            self.valid = vec![1; self.len()];
        }
        if is_null || !self.valid.is_empty() {
            self.valid.push(u8::from(!is_null));
        }
        match &mut self.data {
            EventData::Words(words) => words.push(if is_null { 0 } else { word_of(value) }),
            EventData::Bytes { ends, bytes } => {
                match value {
                    Value::Null => {}
                    Value::String(text) => bytes.extend_from_slice(text.as_bytes()),
                    Value::Bytes(value) => bytes.extend_from_slice(value),
                    Value::Decimal(value) => bytes.extend_from_slice(&value.to_le_bytes()),
                    value => codec::encode(bytes, kind, value),
                }
                ends.push(bytes.len() as u32);
            }
        }
    }

    /// The value of a row; a slow way.
    pub fn value(&self, ty: &Type, row: usize) -> Value {
        if !self.is_valid(row) {
            return Value::Null;
        }
        match &self.data {
            EventData::Words(words) => value_of_word(&ty.kind, words[row]),
            EventData::Bytes { .. } => value_of_bytes(ty, self.bytes(row)),
        }
    }
}

/// The word of a value that has one.
///
/// # Panics
/// If the value's kind is not one of words.
pub fn word_of(value: &Value) -> u64 {
    match value {
        Value::Bool(value) => u64::from(*value),
        Value::Int(value) => *value as u64,
        Value::Float(value) => value.to_bits(),
        Value::Date(days) => i64::from(*days) as u64,
        Value::Datetime(us) | Value::Time(us) | Value::Duration(us) => *us as u64,
        Value::Enum(index) => u64::from(*index),
        other => panic!("{other:?} is no word"),
    }
}

/// The value of the kind that a word stands for.
///
/// # Panics
/// If the kind is not one of words.
pub fn value_of_word(kind: &Kind, word: u64) -> Value {
    match kind {
        Kind::Bool => Value::Bool(word != 0),
        Kind::Int(width) if width.is_signed() => Value::Int(i128::from(word as i64)),
        Kind::Int(_) => Value::Int(i128::from(word)),
        Kind::Float32 | Kind::Float64 => Value::Float(f64::from_bits(word)),
        Kind::Date => Value::Date(word as i64 as i32),
        Kind::Datetime => Value::Datetime(word as i64),
        Kind::Time => Value::Time(word as i64),
        Kind::Duration => Value::Duration(word as i64),
        Kind::Enum(_) => Value::Enum(word as u32),
        other => panic!("{other} is no kind of words"),
    }
}

/// The value of a type whose kind is not one of words. Bytes that hold none are a bug of who wrote them.
pub fn value_of_bytes(ty: &Type, mut bytes: &[u8]) -> Value {
    match &ty.kind {
        Kind::String => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        Kind::Bytes => Value::Bytes(bytes.to_vec()),
        Kind::Decimal { .. } => Value::Decimal(i128::from_le_bytes(bytes.try_into().expect("16 bytes"))),
        _ => codec::decode(&mut bytes, ty).expect("it was encoded as this type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_with_their_nulls() {
        let samples = [
            (Type::INT, Value::Int(-5)),
            (Type::FLOAT, Value::Float(-0.5)),
            (Type::STRING, Value::String("ö".into())),
            (Kind::Decimal { precision: 9, scale: 2 }.required(), Value::Decimal(-12)),
            (Kind::List(Box::new(Type::INT)).required(), Value::List(vec![Value::Int(1)])),
        ];
        for (ty, value) in samples {
            let mut column = EventColumn::new(&ty.kind);
            for value in [&value, &Value::Null, &value] {
                column.push(&ty.kind, value);
            }
            let read: Vec<Value> = (0..3).map(|row| column.value(&ty, row)).collect();
            assert_eq!(read, [value.clone(), Value::Null, value], "{ty}");
        }
    }
}
