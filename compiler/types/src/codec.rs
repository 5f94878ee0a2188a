//! Values as bytes: the encoding in which features, keys and arguments of aggregates are stored.
//!
//! It must stay readable by every later version, so it is written down: a tag byte (0 null, 1 a value), then
//! bool: one byte · integers: their width, little-endian · floats: their bits · datetime, time, duration: i64 µs ·
//! date:
//! i32 days · decimal: i128 unscaled · string, bytes: varint length, bytes · enum: the variant's *name* as a string, so
//! that variants
//! may be added or reordered · list: varint count, items · vector: items · map: varint count, keys and values in turn ·
//! struct: the fields in order. Items, keys, values and fields are tagged like any value.
//!
//! This file must not know columns (who holds columns may write the same bytes without a `Value` in between) or where bytes are kept.

use crate::{IntWidth, Kind, Type, Value, varint};

/// Appends a value of the type. A value that is not of the type is a bug of the caller.
pub fn encode(out: &mut Vec<u8>, ty: &Kind, value: &Value) {
    if value.is_null() {
        out.push(0);
        return;
    }
    out.push(1);
    match (ty, value) {
        (Kind::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::Int(width), Value::Int(value)) => put_int(out, *width, *value),
        (Kind::Float32, Value::Float(value)) => out.extend_from_slice(&(*value as f32).to_bits().to_le_bytes()),
        (Kind::Float64, Value::Float(value)) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        (Kind::Decimal { .. }, Value::Decimal(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Kind::String, Value::String(text)) => put_sized(out, text.as_bytes()),
        (Kind::Bytes, Value::Bytes(bytes)) => put_sized(out, bytes),
        (Kind::Datetime, Value::Datetime(us))
        | (Kind::Time, Value::Time(us))
        | (Kind::Duration, Value::Duration(us)) => {
            out.extend_from_slice(&us.to_le_bytes());
        }
        (Kind::Date, Value::Date(days)) => out.extend_from_slice(&days.to_le_bytes()),
        (Kind::Enum(def), Value::Enum(index)) => {
            put_sized(out, def.variants.get(*index as usize).map_or(&b""[..], |name| name.as_bytes()));
        }
        (Kind::List(item), Value::List(items)) => {
            varint::put(out, items.len() as u64);
            items.iter().for_each(|value| encode(out, &item.kind, value));
        }
        (Kind::Vector(item, length), Value::List(items)) if items.len() == *length as usize => {
            items.iter().for_each(|value| encode(out, &item.kind, value));
        }
        (Kind::Map(key_type, value_type), Value::Map(entries)) => {
            varint::put(out, entries.len() as u64);
            for (key, value) in entries {
                encode(out, &key_type.kind, key);
                encode(out, &value_type.kind, value);
            }
        }
        (Kind::Struct(message), Value::Struct(fields)) if fields.len() == message.fields.len() => {
            for (field, value) in message.fields.iter().zip(fields) {
                encode(out, &field.ty.kind, value);
            }
        }
        (ty, value) => panic!("{value:?} is no {ty}"),
    }
}

/// Appends an integer of the width.
pub fn put_int(out: &mut Vec<u8>, width: IntWidth, value: i128) {
    out.extend_from_slice(&value.to_le_bytes()[..width.size_bytes()]);
}

/// Appends a length and the bytes.
pub fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a value of the type off the front; `None` where the bytes hold none.
pub fn decode(input: &mut &[u8], ty: &Type) -> Option<Value> {
    match varint::take_array(input)? {
        [0] => Some(Value::Null),
        [1] => decode_present(input, &ty.kind),
        _ => None,
    }
}

fn decode_present(input: &mut &[u8], kind: &Kind) -> Option<Value> {
    Some(match kind {
        Kind::Null => Value::Null,
        Kind::Bool => Value::Bool(varint::take_array::<1>(input)? != [0]),
        Kind::Int(width) => {
            let bytes = varint::take_bytes(input, width.size_bytes())?;
            let negative = width.is_signed() && bytes.last()? & 0x80 != 0;
            let mut wide = [if negative { 0xff } else { 0 }; 16];
            wide[..bytes.len()].copy_from_slice(bytes);
            Value::Int(i128::from_le_bytes(wide))
        }
        Kind::Float32 => Value::Float(f64::from(f32::from_le_bytes(varint::take_array(input)?))),
        Kind::Float64 => Value::Float(f64::from_le_bytes(varint::take_array(input)?)),
        Kind::Decimal { .. } => Value::Decimal(i128::from_le_bytes(varint::take_array(input)?)),
        Kind::String => Value::String(take_text(input)?),
        Kind::Bytes => Value::Bytes(varint::take_sized(input)?.to_vec()),
        Kind::Datetime => Value::Datetime(i64::from_le_bytes(varint::take_array(input)?)),
        Kind::Time => Value::Time(i64::from_le_bytes(varint::take_array(input)?)),
        Kind::Duration => Value::Duration(i64::from_le_bytes(varint::take_array(input)?)),
        Kind::Date => Value::Date(i32::from_le_bytes(varint::take_array(input)?)),
        Kind::Enum(def) => {
            let name = take_text(input)?;
            Value::Enum(def.variants.iter().position(|variant| *variant == name)? as u32)
        }
        Kind::List(item) => {
            let count = take_count(input)?;
            Value::List((0..count).map(|_| decode(input, item)).collect::<Option<_>>()?)
        }
        Kind::Vector(item, length) => Value::List((0..*length).map(|_| decode(input, item)).collect::<Option<_>>()?),
        Kind::Map(key, value) => {
            let count = take_count(input)?;
            Value::Map((0..count).map(|_| Some((decode(input, key)?, decode(input, value)?))).collect::<Option<_>>()?)
        }
        Kind::Struct(message) => {
            Value::Struct(message.fields.iter().map(|field| decode(input, &field.ty)).collect::<Option<_>>()?)
        }
    })
}

/// A count of items; each takes a byte at least, so a greater one is damage, not a reason to reserve memory.
fn take_count(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::take(input)?).ok().filter(|count| *count <= input.len())
}

fn take_text(input: &mut &[u8]) -> Option<String> {
    String::from_utf8(varint::take_sized(input)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{EnumType, StructField, StructType};

    use super::*;

    fn samples() -> Vec<(Type, Value)> {
        let status = Arc::new(EnumType { name: "Status".into(), variants: vec!["pending".into(), "ok".into()] });
        let point = Arc::new(StructType {
            name: "Point".into(),
            fields: vec![
                StructField { name: "x".into(), ty: Kind::INT.optional() },
                StructField { name: "name".into(), ty: Type::STRING },
            ],
        });
        let map = Kind::Map(Box::new(Type::STRING), Box::new(Kind::Float64.optional()));
        vec![
            (Kind::INT.optional(), Value::Null),
            (Type::BOOL, Value::Bool(true)),
            (Type::INT, Value::Int(i64::MIN.into())),
            (Kind::Int(IntWidth::Int8).required(), Value::Int(-1)),
            (Kind::Int(IntWidth::UInt64).required(), Value::Int(u64::MAX.into())),
            (Type::FLOAT, Value::Float(f64::NEG_INFINITY)),
            (Kind::Float32.required(), Value::Float(0.5)),
            (Kind::Decimal { precision: 38, scale: 2 }.required(), Value::Decimal(-12_345)),
            (Type::STRING, Value::String("Grüße".into())),
            (Type::BYTES, Value::Bytes(vec![0, 255])),
            (Type::DATETIME, Value::Datetime(-1)),
            (Kind::Date.required(), Value::Date(19_000)),
            (Kind::Enum(status).required(), Value::Enum(1)),
            (Kind::List(Box::new(Kind::INT.optional())).required(), Value::List(vec![Value::Int(1), Value::Null])),
            (
                Kind::Vector(Box::new(Type::FLOAT), 2).required(),
                Value::List(vec![Value::Float(1.0), Value::Float(2.0)]),
            ),
            (map.required(), Value::Map(vec![(Value::String("k".into()), Value::Null)])),
            (Kind::Struct(point).required(), Value::Struct(vec![Value::Null, Value::String("p".into())])),
        ]
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        for (ty, value) in samples() {
            let mut bytes = Vec::new();
            encode(&mut bytes, &ty.kind, &value);
            let mut rest = &bytes[..];
            assert_eq!(decode(&mut rest, &ty), Some(value), "{ty}");
            assert!(rest.is_empty(), "{ty}");
        }
    }

    #[test]
    fn damaged_bytes_are_no_value() {
        for (ty, value) in samples() {
            let mut bytes = Vec::new();
            encode(&mut bytes, &ty.kind, &value);
            for size in 0..bytes.len() {
                assert_eq!(decode(&mut &bytes[..size], &ty), None, "{ty} cut to {size} bytes");
            }
        }
        assert_eq!(
            decode(&mut &[1, 0xff, 0xff, 0xff, 0xff, 0x7f][..], &Kind::List(Box::new(Type::INT)).required()),
            None
        );
    }

    #[test]
    fn an_enum_is_read_by_name_after_its_variants_were_reordered() {
        let of = |variants: [&str; 2]| {
            Kind::Enum(Arc::new(EnumType { name: "E".into(), variants: variants.map(str::to_owned).to_vec() }))
                .required()
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, &of(["a", "b"]).kind, &Value::Enum(1));
        assert_eq!(decode(&mut &bytes[..], &of(["b", "c"])), Some(Value::Enum(0)));
        assert_eq!(decode(&mut &bytes[..], &of(["x", "y"])), None);
    }
}
