//! Values as JSON and JSON as values, in the encodings that clients know.
//!
//! datetime: ISO text with `Z` · date, time: ISO text · duration: ISO text, `PT1H30M` · bytes: base64 · decimal: text ·
//! enum: its name ·
//! NaN and infinities: `"NaN"`, `"Infinity"`, `"-Infinity"` · message: object · map: object, or pairs where keys are no
//! text.
//!
//! This file must not know requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chalk_types::{
    IntWidth, Kind, Type, Value, format_date, format_datetime, format_duration, format_float, format_time,
};
use chrono::{DateTime, NaiveDate, NaiveTime, Timelike};
use serde_json::{Map, Number, Value as Json};

/// A value of the kind as JSON.
pub(crate) fn to_json(kind: &Kind, value: &Value) -> Json {
    match (kind, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Bool(value)) => Json::Bool(*value),
        (_, Value::Int(number)) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => Json::from(number),
            (_, Ok(number)) => Json::from(number),
            _ => Json::String(number.to_string()),
        },
        (_, Value::Float(number)) => {
            Number::from_f64(*number).map_or_else(|| Json::String(format_float(*number)), Json::Number)
        }
        (Kind::Decimal { scale, .. }, Value::Decimal(unscaled)) => Json::String(decimal_text(*unscaled, *scale)),
        (_, Value::Decimal(unscaled)) => Json::String(unscaled.to_string()),
        (_, Value::String(text)) => Json::String(text.clone()),
        (_, Value::Bytes(bytes)) => Json::String(BASE64.encode(bytes)),
        (_, Value::Datetime(datetime_us)) => Json::String(format_datetime(*datetime_us)),
        (_, Value::Date(days)) => Json::String(format_date(*days)),
        (_, Value::Time(time_us)) => Json::String(format_time(*time_us)),
        (_, Value::Duration(duration_us)) => Json::String(format_duration(*duration_us)),
        (Kind::Enum(def), Value::Enum(index)) => {
            def.variants.get(*index as usize).map_or(Json::Null, |name| Json::String(name.clone()))
        }
        (Kind::List(item) | Kind::Vector(item, _), Value::List(items)) => {
            items.iter().map(|value| to_json(&item.kind, value)).collect()
        }
        (Kind::Map(key, item), Value::Map(entries)) if matches!(key.kind, Kind::String | Kind::Enum(_)) => {
            let entries = entries.iter().map(|(name, value)| {
                let name = to_json(&key.kind, name);
                (name.as_str().unwrap_or_default().to_owned(), to_json(&item.kind, value))
            });
            Json::Object(entries.collect())
        }
        (Kind::Map(key, item), Value::Map(entries)) => entries
            .iter()
            .map(|(name, value)| Json::Array(vec![to_json(&key.kind, name), to_json(&item.kind, value)]))
            .collect(),
        (Kind::Struct(message), Value::Struct(fields)) => {
            let fields = message.fields.iter().zip(fields);
            let object: Map<String, Json> =
                fields.map(|(field, value)| (field.name.clone(), to_json(&field.ty.kind, value))).collect();
            Json::Object(object)
        }
        (kind, value) => unreachable!("{value:?} is no {kind}"),
    }
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// JSON as a value of the type; the error says what was expected.
pub(crate) fn from_json(ty: &Type, json: &Json) -> Result<Value, String> {
    let wrong = || format!("expected {}, found {json}", describe(ty));
    match (&ty.kind, json) {
        (_, Json::Null) if ty.nullable => Ok(Value::Null),
        (Kind::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Int(width), Json::Number(number)) => int_of(number, *width).map(Value::Int).ok_or_else(wrong),
        (Kind::Float32 | Kind::Float64, Json::Number(number)) => number.as_f64().map(Value::Float).ok_or_else(wrong),
        (Kind::Float32 | Kind::Float64, Json::String(text)) => match text.as_str() {
            "NaN" => Ok(Value::Float(f64::NAN)),
            "Infinity" => Ok(Value::Float(f64::INFINITY)),
            "-Infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err(wrong()),
        },
        (Kind::Decimal { precision, scale }, Json::String(text)) => {
            parse_decimal(text, *precision, *scale).map(Value::Decimal).ok_or_else(wrong)
        }
        (Kind::Decimal { precision, scale }, Json::Number(number)) => {
            parse_decimal(&number.to_string(), *precision, *scale).map(Value::Decimal).ok_or_else(wrong)
        }
        (Kind::String, Json::String(text)) => Ok(Value::String(text.clone())),
        (Kind::Bytes, Json::String(text)) => BASE64.decode(text).map(Value::Bytes).map_err(|_| wrong()),
        (Kind::Datetime, Json::String(text)) => parse_datetime_us(text).map(Value::Datetime).ok_or_else(wrong),
        (Kind::Date, Json::String(text)) => {
            let date: NaiveDate = text.parse().map_err(|_| wrong())?;
            Ok(Value::Date((date - NaiveDate::default()).num_days() as i32))
        }
        (Kind::Time, Json::String(text)) => {
            let time: NaiveTime = text.parse().map_err(|_| wrong())?;
            let seconds_us = i64::from(time.num_seconds_from_midnight()) * 1_000_000;
            Ok(Value::Time(seconds_us + i64::from(time.nanosecond() / 1_000)))
        }
        (Kind::Duration, Json::String(text)) => parse_iso_duration_us(text).map(Value::Duration).ok_or_else(wrong),
        (Kind::Enum(def), Json::String(name)) => {
            let index = def.variants.iter().position(|variant| variant == name).ok_or_else(wrong)?;
            Ok(Value::Enum(index as u32))
        }
        (Kind::List(item), Json::Array(items)) => {
            Ok(Value::List(items.iter().map(|json| from_json(item, json)).collect::<Result<_, _>>()?))
        }
        (Kind::Vector(item, length), Json::Array(items)) if items.len() == *length as usize => {
            Ok(Value::List(items.iter().map(|json| from_json(item, json)).collect::<Result<_, _>>()?))
        }
        (Kind::Map(key, item), Json::Object(entries)) => {
            let entry = |(name, json): (&String, &Json)| {
                Ok((from_json(key, &Json::String(name.clone()))?, from_json(item, json)?))
            };
            Ok(Value::Map(entries.iter().map(entry).collect::<Result<_, String>>()?))
        }
        (Kind::Struct(message), Json::Object(object)) => {
            let field = |field: &chalk_types::StructField| {
                let json = object.get(&field.name).unwrap_or(&Json::Null);
                from_json(&field.ty, json).map_err(|error| format!("{}: {error}", field.name))
            };
            Ok(Value::Struct(message.fields.iter().map(field).collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}

fn describe(ty: &Type) -> String {
    match &ty.kind {
        Kind::Bytes => "base64 text".to_owned(),
        Kind::Datetime => "an ISO 8601 time with an offset".to_owned(),
        Kind::Date => "an ISO 8601 date".to_owned(),
        Kind::Time => "an ISO 8601 time of day".to_owned(),
        Kind::Duration => "an ISO 8601 duration, \"PT1H\"".to_owned(),
        Kind::Enum(def) => format!("one of {}", def.variants.join(", ")),
        _ => ty.to_string(),
    }
}

/// A whole number, also when it is written `1.0`.
fn int_of(number: &Number, width: IntWidth) -> Option<i128> {
    let whole = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(number), _, _) => i128::from(number),
        (_, Some(number), _) => i128::from(number),
        (_, _, Some(number)) if number.fract() == 0.0 && number.abs() < 9e15 => number as i128,
        _ => return None,
    };
    let (low, high) = width.range();
    (low..=high).contains(&whole).then_some(whole)
}

fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let all = format!("{whole}{fraction:0<width$}", width = usize::from(scale));
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unscaled: i128 = all.parse().ok()?;
    (unscaled < 10i128.checked_pow(u32::from(precision))?).then_some(sign * unscaled)
}

/// Microseconds since the epoch.
pub(crate) fn parse_datetime_us(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|datetime| datetime.timestamp_micros())
}

/// `PT1H30M`, `-PT0.5S`, `P1DT2H`; years and months have no length.
fn parse_iso_duration_us(text: &str) -> Option<i64> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let rest = rest.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total_us = 0i64;
    for (mut part, units) in [
        (days, &[('W', 604_800_000_000i64), ('D', 86_400_000_000)][..]),
        (time, &[('H', 3_600_000_000), ('M', 60_000_000), ('S', 1_000_000)]),
    ] {
        while !part.is_empty() {
            let end = part.find(|c: char| c.is_ascii_alphabetic())?;
            let unit_us = units.iter().find(|(unit, _)| part[end..].starts_with(*unit))?.1;
            let (whole, fraction) = part[..end].split_once('.').unwrap_or((&part[..end], ""));
            let whole_us = whole.parse::<i64>().ok()?.checked_mul(unit_us)?;
            let fraction_us = match fraction {
                "" => 0,
                digits if unit_us == 1_000_000 && digits.len() <= 6 => format!("{digits:0<6}").parse().ok()?,
                _ => return None,
            };
            total_us = total_us.checked_add(whole_us)?.checked_add(fraction_us)?;
            part = &part[end + 1..];
        }
    }
    (rest.len() > 1).then_some(sign * total_us)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chalk_types::EnumType;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_clients_expect_and_read_back() {
        let status = Kind::Enum(Arc::new(EnumType { name: "S".into(), variants: vec!["a".into(), "b".into()] }));
        let text_map = Kind::Map(Box::new(Type::STRING), Box::new(Type::INT));
        for (kind, value, json) in [
            (Kind::INT, Value::Int(-3), json!(-3)),
            (Kind::Int(IntWidth::UInt64), Value::Int(u64::MAX.into()), json!(u64::MAX)),
            (Kind::Float64, Value::Float(1.5), json!(1.5)),
            (Kind::Float64, Value::Float(f64::NEG_INFINITY), json!("-Infinity")),
            (Kind::Decimal { precision: 9, scale: 2 }, Value::Decimal(-5), json!("-0.05")),
            (Kind::Bytes, Value::Bytes(vec![0xff, 0]), json!("/wA=")),
            (Kind::Datetime, Value::Datetime(1_700_000_000_500_000), json!("2023-11-14T22:13:20.5Z")),
            (Kind::Date, Value::Date(-1), json!("1969-12-31")),
            (Kind::Time, Value::Time(3_600_000_001), json!("01:00:00.000001")),
            (Kind::Duration, Value::Duration(5_400_000_000), json!("PT1H30M")),
            (Kind::Duration, Value::Duration(-500_000), json!("-PT0.5S")),
            (status, Value::Enum(1), json!("b")),
            (
                Kind::List(Box::new(Kind::INT.optional())),
                Value::List(vec![Value::Null, Value::Int(1)]),
                json!([null, 1]),
            ),
            (text_map, Value::Map(vec![(Value::String("k".into()), Value::Int(1))]), json!({ "k": 1 })),
        ] {
            assert_eq!(to_json(&kind, &value), json, "{kind}");
            assert_eq!(from_json(&kind.clone().required(), &json), Ok(value), "{kind}");
        }
        assert_eq!(to_json(&Kind::Float64, &Value::Float(f64::NAN)), json!("NaN"));
    }

    #[test]
    fn what_is_no_value_of_the_type_is_refused() {
        for (kind, json, expected) in [
            (Kind::INT, json!("1"), "expected int, found \"1\""),
            (Kind::INT, json!(1.5), "expected int, found 1.5"),
            (Kind::INT, Json::Null, "expected int, found null"),
            (Kind::Int(IntWidth::Int8), json!(128), "expected int8, found 128"),
            (
                Kind::Datetime,
                json!("2024-01-01T00:00:00"),
                "expected an ISO 8601 time with an offset, found \"2024-01-01T00:00:00\"",
            ),
            (Kind::Decimal { precision: 3, scale: 2 }, json!("10.00"), "expected decimal(3, 2), found \"10.00\""),
        ] {
            assert_eq!(from_json(&kind.required(), &json), Err(expected.to_owned()));
        }
    }
}
