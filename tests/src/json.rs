//! Values as JSON text, written plainly: a second opinion on what the engine prints.
//!
//! This file must not know columns.

use std::fmt::Write as _;

use base64::Engine as _;
use chalk_types::{Kind, Type, Value, format_date, format_datetime, format_duration, format_float, format_time};

/// The text of a value of that type.
pub fn text_of(value: &Value, ty: &Type) -> String {
    let quoted = |text: String| format!("\"{text}\"");
    match (value, &ty.kind) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Float(value), _) if !value.is_finite() => quoted(format_float(*value)),
        (Value::Float(value), Kind::Float32) => format!("{:?}", *value as f32),
        (Value::Float(value), _) => format_float(*value),
        (Value::Decimal(value), Kind::Decimal { scale, .. }) => quoted(decimal_text(*value, usize::from(*scale))),
        (Value::String(text), _) => string_text(text),
        (Value::Bytes(bytes), _) => quoted(base64::engine::general_purpose::STANDARD.encode(bytes)),
        (Value::Datetime(value), _) => quoted(format_datetime(*value)),
        (Value::Date(value), _) => quoted(format_date(*value)),
        (Value::Time(value), _) => quoted(format_time(*value)),
        (Value::Duration(value), _) => quoted(format_duration(*value)),
        (Value::List(items), Kind::List(item) | Kind::Vector(item, _)) => {
            let items: Vec<String> = items.iter().map(|value| text_of(value, item)).collect();
            format!("[{}]", items.join(","))
        }
        (Value::Map(entries), Kind::Map(key_type, value_type)) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = text_of(key, key_type);
                let key = if key.starts_with('"') { key } else { quoted(key) };
                format!("{key}:{}", text_of(value, value_type))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        (Value::Struct(values), Kind::Struct(message)) => {
            object_text(message.fields.iter().zip(values).map(|(field, value)| (field.name.as_str(), value, &field.ty)))
        }
        (Value::Enum(index), Kind::Enum(def)) => string_text(&def.variants[*index as usize]),
        (value, _) => panic!("{value:?} is no `{ty}`"),
    }
}

/// An object of named values.
pub fn object_text<'a>(fields: impl Iterator<Item = (&'a str, &'a Value, &'a Type)>) -> String {
    let fields: Vec<String> =
        fields.map(|(name, value, ty)| format!("{}:{}", string_text(name), text_of(value, ty))).collect();
    format!("{{{}}}", fields.join(","))
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A JSON string.
pub fn string_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32); // writing to a String cannot fail
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(12_345, 2), "123.45");
        assert_eq!(decimal_text(7, 0), "7");
    }
}
