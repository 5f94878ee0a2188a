//! What a message must become, told by serde_json and plain arithmetic on texts: a second opinion that shares no code with any
//! tier.
//!
//! serde_json says what is JSON and cuts a message into the texts of its values; here is what those texts are worth. Dates
//! are counted day by day from a table instead of by formula, decimals by moving the point in a text.

use std::collections::BTreeMap;

use chalk_artifact::decode_plan::{DecodePlan, FieldPlan, MessagePlan, UnixUnit, Wanted};
use chalk_types::{IntWidth, Kind, Type, Value};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The value is not one of its type: the message fails.
#[derive(Debug, PartialEq)]
pub struct Refused;

type Verdict<T> = Result<T, Refused>;

/// Members of an object in the order of the wire, keys unescaped, duplicates and all.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(All).map(Members)
    }
}

/// Whether serde_json takes the message for JSON; none where it refuses a number beyond a float's range, which says nothing
/// about a message whose number nobody reads.
pub fn is_json(bytes: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(_) => Some(true),
        Err(error) if error.to_string().contains("out of range") => None,
        Err(_) => Some(false),
    }
}

/// The columns of a message that is JSON.
pub fn columns(plan: &DecodePlan, text: &str) -> Verdict<Vec<Value>> {
    let root = message_value(&plan.root, plan, &[], text)?;
    plan.columns
        .iter()
        .map(|column| {
            let mut value = &root;
            for &index in &column.path {
                match value {
                    Value::Struct(fields) => value = &fields[index as usize],
                    _ => break,
                }
            }
            Ok(match column.wanted {
                Wanted::Value => value.clone(),
                Wanted::Presence => Value::Bool(!value.is_null()),
            })
        })
        .collect()
}

/// Which fields of the message at `path` are looked at, by any column: the others are not type-checked. A field of which only
/// the presence is wanted has no contents worth a check, either.
fn is_read(plan: &DecodePlan, path: &[u32]) -> Reading {
    let mut reading = Reading::Not;
    for column in &plan.columns {
        let whole = path.starts_with(&column.path) && column.wanted == Wanted::Value;
        let below = column.path.len() > path.len() && column.path.starts_with(path);
        if whole || below {
            return Reading::Value;
        }
        if column.path == path && column.wanted == Wanted::Presence {
            reading = Reading::Presence;
        }
    }
    reading
}

#[derive(PartialEq)]
enum Reading {
    Not,
    Presence,
    Value,
}

/// A message with all of its fields; null stands for those that nobody reads, `true` for one that is only asked to be there.
fn message_value(message: &MessagePlan, plan: &DecodePlan, path: &[u32], text: &str) -> Verdict<Value> {
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| Refused)?;
    let members: BTreeMap<&str, &str> = members.0.iter().map(|(key, raw)| (key.as_str(), raw.get())).collect();
    let mut values = Vec::new();
    for (index, field) in message.fields.iter().enumerate() {
        let path: Vec<u32> = path.iter().copied().chain([index as u32]).collect();
        let reading = is_read(plan, &path);
        let value = match members.get(field.key.as_str()) {
            _ if reading == Reading::Not => Value::Null,
            None => match &field.default {
                Some(default) => default.clone(),
                None if field.ty.nullable => Value::Null,
                None => return Err(Refused),
            },
            Some(&"null") if field.ty.nullable => Value::Null,
            Some(&"null") => return Err(Refused),
            Some(_) if reading == Reading::Presence => Value::Bool(true),
            Some(text) => match (&field.ty.kind, &field.message) {
                (Kind::Struct(_), Some(inner)) => message_value(inner, plan, &path, text)?,
                _ => value(&field.ty, field, text)?,
            },
        };
        values.push(value);
    }
    Ok(Value::Struct(values))
}

/// A message of which everything is read.
fn whole_message(message: &MessagePlan, text: &str) -> Verdict<Value> {
    let columns = vec![chalk_artifact::decode_plan::ColumnPlan {
        ty: Type { kind: Kind::Null, nullable: true },
        path: vec![],
        wanted: Wanted::Value,
    }];
    let plan = super::plan(message.clone(), columns);
    message_value(message, &plan, &[], text)
}

fn value(ty: &Type, field: &FieldPlan, text: &str) -> Verdict<Value> {
    if text == "null" {
        return if ty.nullable { Ok(Value::Null) } else { Err(Refused) };
    }
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match &ty.kind {
        Kind::Null => Err(Refused),
        Kind::Bool => text.parse().map(Value::Bool).map_err(|_| Refused),
        Kind::Int(width) if is_number => integer(*width, text),
        Kind::Float64 if is_number => serde_json::from_str(text).map(Value::Float).map_err(|_| Refused),
        Kind::Float32 if is_number => {
            // serde_json reads a float32 by way of a float, which rounds twice; the standard library does not.
            let value: f32 = text.parse().map_err(|_| Refused)?;
            if value.is_finite() { Ok(Value::Float(f64::from(value))) } else { Err(Refused) }
        }
        Kind::Decimal { precision, scale } if is_number => {
            let value = scaled(text, i64::from(*scale)).ok_or(Refused)?;
            if value.unsigned_abs().to_string().len() <= usize::from(*precision) || value == 0 {
                Ok(Value::Decimal(value))
            } else {
                Err(Refused)
            }
        }
        Kind::Datetime if field.unix.is_some() && is_number => unix(field.unix, text).map(Value::Datetime),
        Kind::Duration if field.unix.is_some() && is_number => unix(field.unix, text).map(Value::Duration),
        Kind::Datetime | Kind::Duration if field.unix.is_some() => Err(Refused),
        Kind::List(item) => items(item, field, text).map(Value::List),
        Kind::Vector(item, length) => {
            let values = items(item, field, text)?;
            if values.len() == *length as usize { Ok(Value::List(values)) } else { Err(Refused) }
        }
        Kind::Map(key, value) => entries(key, value, field, text),
        Kind::Struct(_) => whole_message(field.message.as_deref().expect("a message"), text),
        kind => {
            let text: String = serde_json::from_str(text).map_err(|_| Refused)?;
            of_text(kind, text)
        }
    }
}

fn of_text(kind: &Kind, text: String) -> Verdict<Value> {
    match kind {
        Kind::String => Some(Value::String(text)),
        Kind::Bytes => base64(&text).map(Value::Bytes),
        Kind::Enum(def) => {
            def.variants.iter().position(|variant| *variant == text).map(|index| Value::Enum(index as u32))
        }
        Kind::Date => date(&text).map(Value::Date),
        Kind::Time => time(&text).filter(|&time| time < DAY_US).map(Value::Time),
        Kind::Datetime => datetime(&text).map(Value::Datetime),
        Kind::Duration => duration(&text).map(Value::Duration),
        _ => None,
    }
    .ok_or(Refused)
}

fn items(item: &Type, field: &FieldPlan, text: &str) -> Verdict<Vec<Value>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Refused)?;
    items.into_iter().map(|raw| value(item, field, raw.get())).collect()
}

fn entries(key: &Type, item: &Type, field: &FieldPlan, text: &str) -> Verdict<Value> {
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| Refused)?;
    let mut entries: Vec<(Value, &RawValue)> = Vec::new();
    for (text, raw) in members.0 {
        let key = match &key.kind {
            // A number or bool as a key is its own JSON text.
            Kind::Bool | Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Decimal { .. } => {
                let is_whole = serde_json::from_str::<&RawValue>(&text).is_ok_and(|raw| raw.get().len() == text.len());
                if !is_whole {
                    return Err(Refused);
                }
                value(key, field, &text)?
            }
            Kind::Datetime | Kind::Duration if field.unix.is_some() => {
                let is_whole = serde_json::from_str::<&RawValue>(&text).is_ok_and(|raw| raw.get().len() == text.len());
                if !is_whole {
                    return Err(Refused);
                }
                value(key, field, &text)?
            }
            kind => of_text(kind, text)?,
        };
        // The entry stands where its last key stood.
        entries.retain(|(other, _)| format!("{other:?}") != format!("{key:?}"));
        entries.push((key, raw));
    }
    let entries: Verdict<Vec<_>> =
        entries.into_iter().map(|(key, raw)| Ok((key, value(item, field, raw.get())?))).collect();
    entries.map(Value::Map)
}

fn integer(width: IntWidth, text: &str) -> Verdict<Value> {
    let value = scaled(text, 0).ok_or(Refused)?;
    let fits = match width {
        IntWidth::Int8 => i8::try_from(value).is_ok(),
        IntWidth::Int16 => i16::try_from(value).is_ok(),
        IntWidth::Int32 => i32::try_from(value).is_ok(),
        IntWidth::Int64 => i64::try_from(value).is_ok(),
        IntWidth::UInt8 => u8::try_from(value).is_ok(),
        IntWidth::UInt16 => u16::try_from(value).is_ok(),
        IntWidth::UInt32 => u32::try_from(value).is_ok(),
        IntWidth::UInt64 => u64::try_from(value).is_ok(),
    };
    if fits { Ok(Value::Int(value)) } else { Err(Refused) }
}

/// A number's text times 10 to the `scale`, by moving the point; none where digits are left behind it, or it has more than 38.
fn scaled(text: &str, scale: i64) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // An exponent that no i64 holds moves the point out of sight, one way or the other.
    let exponent: i64 =
        exponent.trim_start_matches('+').parse().unwrap_or(if exponent.starts_with('-') { -1 << 40 } else { 1 << 40 });
    let shift = exponent + scale - fraction.len() as i64;
    let moved = if shift >= 0 {
        if significant.trim_end_matches('0').len() as i64 + shift > 100 {
            return None;
        }
        format!("{significant}{}", "0".repeat(shift as usize))
    } else {
        let cut = significant.len() as i64 + shift;
        let (kept, lost) = significant.split_at(cut.max(0) as usize);
        if cut < 0 || lost.bytes().any(|digit| digit != b'0') {
            return None;
        }
        kept.to_owned()
    };
    if moved.len() > 38 {
        return None;
    }
    format!("{sign}{moved}").parse().ok()
}

fn unix(unit: Option<UnixUnit>, text: &str) -> Verdict<i64> {
    let value = scaled(text, 0).ok_or(Refused)?;
    let value_us = match unit.expect("tested") {
        UnixUnit::Seconds => value.checked_mul(1_000_000).ok_or(Refused)?,
        UnixUnit::Millis => value.checked_mul(1_000).ok_or(Refused)?,
        UnixUnit::Micros => value,
        // The nearest, halves upwards.
        UnixUnit::Nanos => value.div_euclid(1_000) + i128::from(value.rem_euclid(1_000) >= 500),
    };
    i64::try_from(value_us).map_err(|_| Refused)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let stripped = text.trim_end_matches('=');
    let padding = text.len() - stripped.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = String::new();
    for character in stripped.chars() {
        let standard = match character {
            '-' => '+',
            '_' => '/',
            other => other,
        };
        bits.push_str(&format!("{:06b}", ALPHABET.find(standard)?));
    }
    let (bytes, rest) = bits.split_at(bits.len() / 8 * 8);
    if rest.len() >= 6 || rest.contains('1') {
        return None;
    }
    bytes.as_bytes().chunks(8).map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 2).ok()).collect()
}

const DAY_US: i64 = 86_400_000_000;

/// A number of so many digits and nothing else.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn date(text: &str) -> Option<i32> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let months = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1..=12).contains(&month) || day < 1 || day > months[month as usize - 1] {
        return None;
    }
    // Leap years before this one, counted from the year 0, which is one.
    let leap_years = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    let days = year * 365 + leap_years + months[..month as usize - 1].iter().sum::<i64>() + day - 1;
    Some((days - 719_528) as i32)
}

fn time(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let parts: Vec<&str> = whole.split(':').collect();
    let [hour, minute, second] = parts[..] else { return None };
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_us = fraction.map_or(Some(0), fraction_us)?;
    Some((hour * 3_600 + minute * 60 + second) * 1_000_000 + fraction_us)
}

fn fraction_us(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seven: i64 = format!("{fraction}0000000")[..7].parse().ok()?;
    Some((seven + 5) / 10)
}

fn datetime(text: &str) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let days = i64::from(date(day)?);
    let (clock, offset_minutes) = if let Some(clock) = rest.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else {
        let (clock, offset) = rest.split_at_checked(rest.len().checked_sub(6)?)?;
        let sign = match offset.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, minutes) = offset[1..].split_once(':')?;
        let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        (clock, sign * (hours * 60 + minutes))
    };
    Some(days * DAY_US + time(clock)? - offset_minutes * 60_000_000)
}

fn duration(text: &str) -> Option<i64> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let text = text.strip_prefix('P')?;
    let (days, clock) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, clock)) => (days, clock),
        None => (text, ""),
    };
    if days.is_empty() && clock.is_empty() {
        return None;
    }
    let total =
        parts_us(days, &[('W', 604_800), ('D', 86_400)])? + parts_us(clock, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    i64::try_from(sign * total).ok()
}

/// Parts such as `3H` in the order of the units, each at most once.
fn parts_us(mut text: &str, units: &[(char, i128)]) -> Option<i128> {
    let mut total = 0;
    for &(letter, seconds) in units {
        let Some((part, rest)) = text.split_once(letter) else { continue };
        let (whole, fraction) = match part.split_once('.') {
            Some((whole, fraction)) if letter == 'S' => (whole, i128::from(fraction_us(fraction)?)),
            Some(_) => return None,
            None => (part, 0),
        };
        if whole.is_empty() || whole.len() > 18 {
            return None;
        }
        total += i128::from(digits(whole, whole.len())?) * seconds * 1_000_000 + fraction;
        text = rest;
    }
    text.is_empty().then_some(total)
}
