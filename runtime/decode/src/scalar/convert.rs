//! What a JSON text, number or bool is worth as a value of a type: the rules, one place for each.
//!
//! A text, number or bool comes in without its message; a reason comes out where it does not fit. `@lenient` follows
//! pydantic's lax mode, with two differences that are stated in the crate's documentation: a datetime keeps needing an offset,
//! and no unit is guessed for `date` and `time`.
//!
//! This file must not know messages or columns.

use chalk_types::{IntWidth, Kind};

use super::number::{Misfit, Number};
use super::time;
use crate::columns::in_range;
use crate::error::{JsonType, Reason};
use crate::program::{Reader, Shape};

/// A value that is neither text nor made of parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Simple {
    Bool(bool),
    /// Integers, bits of floats, times, enum indexes, sign-extended.
    Word(u64),
    Decimal(i128),
}

impl Simple {
    fn int(value: i64) -> Simple {
        Simple::Word(value as u64)
    }

    /// A key to tell equal values by.
    pub(crate) fn bits(self) -> u128 {
        match self {
            Simple::Bool(value) => u128::from(value),
            Simple::Word(word) => u128::from(word),
            Simple::Decimal(value) => value as u128,
        }
    }
}

fn wrong_type(reader: &Reader, found: JsonType) -> Reason {
    Reason::WrongType { expected: reader.kind.clone(), found }
}

fn out_of_range(reader: &Reader) -> Reason {
    Reason::OutOfRange { expected: reader.kind.clone() }
}

fn misfit(reader: &Reader, misfit: Misfit) -> Reason {
    match misfit {
        Misfit::Fraction => Reason::Fraction { expected: reader.kind.clone() },
        Misfit::TooLarge => out_of_range(reader),
    }
}

/// A JSON number as a value of the type.
pub(crate) fn from_number(reader: &Reader, number: Number<'_>) -> Result<Simple, Reason> {
    match &reader.shape {
        Shape::Int(width) => integer(reader, number, *width),
        Shape::Float64 => {
            number.to_f64().map(|value| Simple::Word(value.to_bits())).ok_or_else(|| out_of_range(reader))
        }
        Shape::Float32 => {
            number.to_f32().map(|value| Simple::Word(u64::from(value.to_bits()))).ok_or_else(|| out_of_range(reader))
        }
        Shape::Decimal { precision, scale } => {
            let unscaled = number.scaled(i64::from(*scale)).map_err(|why| misfit(reader, why))?;
            if unscaled.unsigned_abs() < 10u128.pow(u32::from(*precision)) {
                Ok(Simple::Decimal(unscaled))
            } else {
                Err(out_of_range(reader))
            }
        }
        Shape::Datetime | Shape::Duration if reader.unix.is_some() => {
            let unit = reader.unix.expect("tested");
            let value = number.scaled(0).map_err(|why| misfit(reader, why))?;
            time::from_unit(value, unit).map(Simple::int).ok_or_else(|| out_of_range(reader))
        }
        _ if reader.lenient => lenient_number(reader, number),
        _ => Err(wrong_type(reader, JsonType::Number)),
    }
}

fn integer(reader: &Reader, number: Number<'_>, width: IntWidth) -> Result<Simple, Reason> {
    let value = number.scaled(0).map_err(|why| misfit(reader, why))?;
    if in_range(value, width) { Ok(Simple::Word(value as u64)) } else { Err(out_of_range(reader)) }
}

/// Numbers where the type wants something else: 0 and 1 are bools; a datetime is seconds since the epoch, or milliseconds
/// beyond ±2e10, and a duration is seconds.
fn lenient_number(reader: &Reader, number: Number<'_>) -> Result<Simple, Reason> {
    match &reader.shape {
        Shape::Bool => match number.scaled(0) {
            Ok(0) => Ok(Simple::Bool(false)),
            Ok(1) => Ok(Simple::Bool(true)),
            _ => Err(out_of_range(reader)),
        },
        Shape::Datetime => {
            const GREATEST_SECONDS: f64 = 2e10;
            let size = number.to_f64().ok_or_else(|| out_of_range(reader))?.abs();
            micros(reader, number, if size > GREATEST_SECONDS { 3 } else { 6 })
        }
        Shape::Duration => micros(reader, number, 6),
        _ => Err(wrong_type(reader, JsonType::Number)),
    }
}

fn micros(reader: &Reader, number: Number<'_>, scale: i64) -> Result<Simple, Reason> {
    let value = number.scaled(scale).map_err(|why| misfit(reader, why))?;
    i64::try_from(value).map(Simple::int).map_err(|_| out_of_range(reader))
}

/// `true` or `false` as a value of the type.
pub(crate) fn from_bool(reader: &Reader, value: bool) -> Result<Simple, Reason> {
    match &reader.shape {
        Shape::Bool => Ok(Simple::Bool(value)),
        Shape::Int(_) if reader.lenient => Ok(Simple::Word(u64::from(value))),
        Shape::Float64 if reader.lenient => Ok(Simple::Word(f64::from(u8::from(value)).to_bits())),
        Shape::Float32 if reader.lenient => Ok(Simple::Word(u64::from(f32::from(u8::from(value)).to_bits()))),
        _ => Err(wrong_type(reader, JsonType::Bool)),
    }
}

/// A JSON string, unescaped, as a value of the type; `String` and `Bytes` are not asked here.
pub(crate) fn from_text(reader: &Reader, text: &[u8]) -> Result<Simple, Reason> {
    let form = |value: Option<i64>, form| {
        value.map(Simple::int).ok_or_else(|| Reason::BadText { expected: reader.kind.clone(), form })
    };
    match &reader.shape {
        Shape::Datetime if reader.unix.is_none() => match (time::datetime(text), reader.lenient) {
            (None, true) => lenient_text(reader, text),
            (value, _) => form(value, time::DATETIME_FORM),
        },
        Shape::Duration if reader.unix.is_none() => match (time::duration(text), reader.lenient) {
            (None, true) => lenient_text(reader, text),
            (value, _) => form(value, time::DURATION_FORM),
        },
        Shape::Date => form(time::date(text).map(i64::from), time::DATE_FORM),
        Shape::Time => form(time::time(text), time::TIME_FORM),
        Shape::Enum(def) => match def.variants.iter().position(|variant| variant.as_bytes() == text) {
            Some(index) => Ok(Simple::Word(index as u64)),
            None => {
                let found = String::from_utf8_lossy(text);
                let found = found.chars().take(40).collect();
                Err(Reason::UnknownVariant { found, expected: reader.kind.clone() })
            }
        },
        _ if reader.lenient => lenient_text(reader, text),
        _ => Err(wrong_type(reader, JsonType::String)),
    }
}

/// A map's key: what `from_text` reads, and numbers and bools as JSON would write them.
pub(crate) fn from_key(reader: &Reader, text: &[u8]) -> Result<Simple, Reason> {
    match &reader.shape {
        Shape::Int(_) | Shape::Float32 | Shape::Float64 | Shape::Decimal { .. } => {
            match std::str::from_utf8(text).ok().and_then(Number::from_text) {
                Some(number) => from_number(reader, number),
                None => Err(Reason::BadText { expected: reader.kind.clone(), form: "a key that is a number" }),
            }
        }
        Shape::Bool => match text {
            b"true" => Ok(Simple::Bool(true)),
            b"false" => Ok(Simple::Bool(false)),
            _ => Err(Reason::BadText { expected: Kind::Bool, form: "a key that is \"true\" or \"false\"" }),
        },
        Shape::Datetime | Shape::Duration if reader.unix.is_some() => {
            match std::str::from_utf8(text).ok().and_then(Number::from_text) {
                Some(number) => from_number(reader, number),
                None => Err(Reason::BadText { expected: reader.kind.clone(), form: "a key that is a whole number" }),
            }
        }
        _ => from_text(reader, text),
    }
}

/// Text where the type wants a number or bool; blanks around it and underscores between digits are allowed.
fn lenient_text(reader: &Reader, text: &[u8]) -> Result<Simple, Reason> {
    let bad = |form| Reason::BadText { expected: reader.kind.clone(), form };
    let text = std::str::from_utf8(text).map_or("", str::trim);
    match &reader.shape {
        Shape::Bool => {
            const TRUE: [&str; 6] = ["true", "1", "yes", "on", "t", "y"];
            const FALSE: [&str; 6] = ["false", "0", "no", "off", "f", "n"];
            if TRUE.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                Ok(Simple::Bool(true))
            } else if FALSE.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                Ok(Simple::Bool(false))
            } else {
                Err(bad("true or false, 1 or 0, yes or no, on or off"))
            }
        }
        Shape::Int(_) | Shape::Float32 | Shape::Float64 | Shape::Decimal { .. } | Shape::Datetime | Shape::Duration => {
            if let (Shape::Float32 | Shape::Float64, Some(value)) = (&reader.shape, special_float(text)) {
                return Ok(match reader.shape {
                    Shape::Float32 => Simple::Word(u64::from((value as f32).to_bits())),
                    _ => Simple::Word(value.to_bits()),
                });
            }
            // Most are plain already, and cost no memory.
            let plain;
            let number = match Number::from_text(text) {
                Some(number) => Some(number),
                None => {
                    plain = plain_digits(text);
                    Number::from_text(&plain)
                }
            };
            match number {
                Some(number) => from_number(reader, number),
                None => Err(bad(match reader.shape {
                    Shape::Datetime if reader.unix.is_none() => time::DATETIME_FORM,
                    Shape::Duration if reader.unix.is_none() => time::DURATION_FORM,
                    _ => "a number, or text that is one",
                })),
            }
        }
        _ => Err(wrong_type(reader, JsonType::String)),
    }
}

/// A number's text as JSON would write it: no plus sign, no leading zeros, no underscores between digits.
fn plain_digits(text: &str) -> String {
    let (sign, rest) = match text.as_bytes() {
        [b'-', ..] => ("-", &text[1..]),
        [b'+', ..] => ("", &text[1..]),
        _ => ("", text),
    };
    let mut digits = String::with_capacity(text.len());
    let bytes = rest.as_bytes();
    for (index, character) in rest.char_indices() {
        let between =
            index > 0 && bytes[index - 1].is_ascii_digit() && bytes.get(index + 1).is_some_and(u8::is_ascii_digit);
        if character != '_' || !between {
            digits.push(character);
        }
    }
    let zeros = digits.bytes().take_while(|&byte| byte == b'0').count();
    let keep = usize::from(zeros > 0 && !digits.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit));
    format!("{sign}{}", &digits[zeros - keep..])
}

fn special_float(text: &str) -> Option<f64> {
    let (negative, name) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let value = if ["inf", "infinity"].iter().any(|word| word.eq_ignore_ascii_case(name)) {
        f64::INFINITY
    } else if name.eq_ignore_ascii_case("nan") {
        f64::NAN
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}
