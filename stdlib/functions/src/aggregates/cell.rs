//! A value inside a partial, of any type: a word, or bytes on the heap; how values are ordered, compared, written and read.
//!
//! It keeps the form of the event's column, so that nothing is converted on the way into state; a `Value` is made only when
//! someone asks for the result.
//!
//! This file must not know which aggregate keeps the value.

use std::borrow::Cow;
use std::cmp::Ordering;

use chalk_catalog::aggregate::{Event, Heap, float_rank};
use chalk_catalog::event::{is_word, value_of_bytes, value_of_word};
use chalk_types::codec::{self, put_sized};
use chalk_types::{Kind, Type, Value, varint};

use super::bytes::{canonical, put_int, take_int};

/// A value as a column holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Raw<'a> {
    /// Of a kind of words.
    Word(u64),
    /// Of any other kind.
    Bytes(&'a [u8]),
}

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// Of a kind of words.
    Word(u64),
    /// Of any other kind.
    Bytes(Box<[u8]>),
}

impl Held {
    /// The value, to look at.
    pub(crate) fn raw(&self) -> Raw<'_> {
        match self {
            Held::Word(word) => Raw::Word(*word),
            Held::Bytes(bytes) => Raw::Bytes(bytes),
        }
    }
}

impl From<Raw<'_>> for Held {
    fn from(raw: Raw<'_>) -> Held {
        match raw {
            Raw::Word(word) => Held::Word(word),
            Raw::Bytes(bytes) => Held::Bytes(bytes.into()),
        }
    }
}

/// What stands for a value where values are sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'a> {
    /// Of a kind of words.
    Word(u64),
    /// Of any other kind.
    Bytes(Cow<'a, [u8]>),
}

impl From<Key<'_>> for Held {
    fn from(key: Key<'_>) -> Held {
        match key {
            Key::Word(word) => Held::Word(word),
            Key::Bytes(bytes) => Held::Bytes(bytes.into()),
        }
    }
}

const SIGN: u64 = 1 << 63;

/// How values of a type are ordered and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Signed,
    Unsigned,
    Float,
    Decimal,
    Bytes,
}

/// The place of one value of a type: one word of a partial.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    ty: Type,
    form: Form,
}

impl Cell {
    /// A place for values of the type.
    pub(crate) fn new(ty: &Type) -> Cell {
        let form = match &ty.kind {
            Kind::Float32 | Kind::Float64 => Form::Float,
            Kind::Int(width) if !width.is_signed() => Form::Unsigned,
            Kind::Bool | Kind::Enum(_) => Form::Unsigned,
            Kind::Decimal { .. } => Form::Decimal,
            kind if is_word(kind) => Form::Signed,
            _ => Form::Bytes,
        };
        Cell { ty: ty.clone(), form }
    }

    /// Whether values are words.
    pub(crate) fn is_word(&self) -> bool {
        is_word(&self.ty.kind)
    }

    /// Whether values are floats.
    pub(crate) fn is_float(&self) -> bool {
        self.form == Form::Float
    }

    /// Whether values are unsigned integers that may not fit into signed ones.
    pub(crate) fn is_uint64(&self) -> bool {
        matches!(&self.ty.kind, Kind::Int(chalk_types::IntWidth::UInt64))
    }

    /// An argument of an event.
    pub(crate) fn argument<'a>(&self, event: &Event<'a>, arg: usize) -> Raw<'a> {
        if self.is_word() { Raw::Word(event.word(arg)) } else { Raw::Bytes(event.bytes(arg)) }
    }

    /// The value that a word holds.
    ///
    /// # Panics
    /// If it holds none.
    pub(crate) fn get<'a>(&self, word: u64, heap: &'a Heap) -> Raw<'a> {
        if self.is_word() {
            Raw::Word(word)
        } else {
            Raw::Bytes(heap.get::<Vec<u8>>(word).expect("the word holds a value"))
        }
    }

    /// Puts a value into a word, in place of what it held.
    pub(crate) fn set(&self, word: &mut u64, heap: &mut Heap, value: Raw<'_>) {
        match value {
            Raw::Word(value) => *word = value,
            Raw::Bytes(bytes) => {
                let held = heap.get_or_insert(word, Vec::new);
                held.clear();
                held.extend_from_slice(bytes);
            }
        }
    }

    /// Frees what a word holds; it is 0 after that.
    pub(crate) fn clear(&self, word: &mut u64, heap: &mut Heap) {
        if self.is_word() { *word = 0 } else { heap.remove(word) }
    }

    /// Bytes on the heap, of a value as it may be typically.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.is_word() { 0 } else { 64 }
    }

    /// The order of the language, made total: NaN is the greatest float, -0.0 is below 0.0; enums by their index;
    /// lists and the like by their bytes.
    pub(crate) fn compare(&self, a: Raw<'_>, b: Raw<'_>) -> Ordering {
        match (self.form, a, b) {
            (Form::Signed, Raw::Word(a), Raw::Word(b)) => (a as i64).cmp(&(b as i64)),
            (Form::Unsigned, Raw::Word(a), Raw::Word(b)) => a.cmp(&b),
            (Form::Float, Raw::Word(a), Raw::Word(b)) => float_rank(a).cmp(&float_rank(b)),
            (Form::Decimal, Raw::Bytes(a), Raw::Bytes(b)) => decimal(a).cmp(&decimal(b)),
            (_, Raw::Bytes(a), Raw::Bytes(b)) => a.cmp(b),
            _ => panic!("a word and bytes are not of one type"),
        }
    }

    /// A value as a key: keys of a type are ordered, as words or as bytes, as `compare` orders values.
    pub(crate) fn key<'a>(&self, raw: Raw<'a>) -> Key<'a> {
        match (self.form, raw) {
            (Form::Unsigned, Raw::Word(word)) => Key::Word(word),
            (Form::Float, Raw::Word(word)) => Key::Word(float_rank(word) as u64 ^ SIGN),
            (_, Raw::Word(word)) => Key::Word(word ^ SIGN),
            (Form::Decimal, Raw::Bytes(bytes)) => {
                Key::Bytes(Cow::Owned((decimal(bytes) as u128 ^ (1 << 127)).to_be_bytes().to_vec()))
            }
            (_, Raw::Bytes(bytes)) => Key::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// As `key`, where values that are equal to the language have one key: -0.0 and 0.0, also inside of lists and the like.
    pub(crate) fn distinct_key<'a>(&self, raw: Raw<'a>) -> Key<'a> {
        match raw {
            Raw::Word(word) if self.is_float() && f64::from_bits(word) == 0.0 => self.key(Raw::Word(0)),
            Raw::Bytes(bytes) if self.form == Form::Bytes && holds_floats(&self.ty.kind) => {
                let value = without_negative_zeros(value_of_bytes(&self.ty, bytes));
                let mut bytes = Vec::new();
                codec::encode(&mut bytes, &self.ty.kind, &value);
                Key::Bytes(Cow::Owned(bytes))
            }
            raw => self.key(raw),
        }
    }

    /// The value that a key stands for.
    pub(crate) fn of_key(&self, key: &Held) -> Held {
        match (self.form, key) {
            (Form::Unsigned, Held::Word(word)) => Held::Word(*word),
            // A rank is its own inverse.
            (Form::Float, Held::Word(word)) => Held::Word(float_rank_inverse((word ^ SIGN) as i64)),
            (_, Held::Word(word)) => Held::Word(word ^ SIGN),
            (Form::Decimal, Held::Bytes(bytes)) => {
                let bits = u128::from_be_bytes(bytes[..].try_into().expect("a decimal has 16 bytes"));
                Held::Bytes((bits ^ (1 << 127)).to_le_bytes().into())
            }
            (_, Held::Bytes(bytes)) => Held::Bytes(bytes.clone()),
        }
    }

    /// The value as the language's.
    pub(crate) fn value(&self, raw: Raw<'_>) -> Value {
        match raw {
            Raw::Word(word) if self.is_float() => value_of_word(&self.ty.kind, canonical(word)),
            Raw::Word(word) => value_of_word(&self.ty.kind, word),
            Raw::Bytes(bytes) => value_of_bytes(&self.ty, bytes),
        }
    }

    /// Appends a value's bytes.
    pub(crate) fn encode(&self, raw: Raw<'_>, out: &mut Vec<u8>) {
        match (self.form, raw) {
            (Form::Float, Raw::Word(word)) => out.extend_from_slice(&canonical(word).to_le_bytes()),
            (Form::Unsigned, Raw::Word(word)) => varint::put(out, word),
            (_, Raw::Word(word)) => put_int(out, word as i64),
            (Form::Decimal, Raw::Bytes(bytes)) => out.extend_from_slice(bytes),
            (_, Raw::Bytes(bytes)) => put_sized(out, bytes),
        }
    }

    /// Takes a value off the front; `None` where the bytes hold none of the type.
    pub(crate) fn decode<'a>(&self, input: &mut &'a [u8]) -> Option<Raw<'a>> {
        Some(match self.form {
            Form::Float => Raw::Word(u64::from_le_bytes(varint::take_array(input)?)),
            Form::Unsigned => Raw::Word(varint::take(input)?),
            Form::Signed => Raw::Word(take_int(input)? as u64),
            Form::Decimal => Raw::Bytes(varint::take_bytes(input, 16)?),
            Form::Bytes => {
                let bytes = varint::take_sized(input)?;
                let is_one = match &self.ty.kind {
                    Kind::Bytes => true,
                    Kind::String => std::str::from_utf8(bytes).is_ok(),
                    _ => {
                        let mut rest = bytes;
                        codec::decode(&mut rest, &self.ty).is_some_and(|value| !value.is_null()) && rest.is_empty()
                    }
                };
                is_one.then_some(Raw::Bytes(bytes))?
            }
        })
    }
}

/// The bits of a float of that rank; of NaN one pattern.
fn float_rank_inverse(rank: i64) -> u64 {
    (rank ^ (((rank >> 63) as u64) >> 1) as i64) as u64
}

fn holds_floats(kind: &Kind) -> bool {
    match kind {
        Kind::Float32 | Kind::Float64 => true,
        Kind::List(item) | Kind::Vector(item, _) => holds_floats(&item.kind),
        Kind::Map(key, value) => holds_floats(&key.kind) || holds_floats(&value.kind),
        Kind::Struct(message) => message.fields.iter().any(|field| holds_floats(&field.ty.kind)),
        _ => false,
    }
}

fn without_negative_zeros(value: Value) -> Value {
    let all = |values: Vec<Value>| values.into_iter().map(without_negative_zeros).collect();
    match value {
        Value::Float(0.0) => Value::Float(0.0),
        Value::Float(value) => Value::Float(f64::from_bits(canonical(value.to_bits()))),
        Value::List(items) => Value::List(all(items)),
        Value::Struct(fields) => Value::Struct(all(fields)),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (without_negative_zeros(key), without_negative_zeros(value)))
                .collect(),
        ),
        other => other,
    }
}

/// A decimal as its column holds it.
pub(crate) fn decimal(bytes: &[u8]) -> i128 {
    i128::from_le_bytes(bytes.try_into().expect("a decimal has 16 bytes"))
}
