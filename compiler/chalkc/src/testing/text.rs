//! Values as a test would write them, so that a value that was found can be copied into the test.
//!
//! This file must not know tests.

use chalk_types::{Kind, Type, Value, format_date, format_datetime, format_float, format_time};

/// The literal of a value of that type.
pub(crate) fn literal(value: &Value, ty: &Type) -> String {
    match (value, &ty.kind) {
        (Value::Null, _) => "none".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Float(value), _) if value.is_finite() => format_float(*value),
        (Value::Float(value), _) => format!("\"{}\"", format_float(*value)),
        (Value::Decimal(unscaled), Kind::Decimal { scale, .. }) => decimal(*unscaled, *scale),
        (Value::Decimal(unscaled), _) => unscaled.to_string(),
        (Value::String(text), _) => quoted(text),
        (Value::Bytes(bytes), _) => {
            let letters: String = bytes.iter().map(|byte| byte_text(*byte)).collect();
            format!("b\"{letters}\"")
        }
        (Value::Datetime(time_us), _) => format!("\"{}\"", format_datetime(*time_us)),
        (Value::Date(days), _) => format!("\"{}\"", format_date(*days)),
        (Value::Time(time_us), _) => format!("\"{}\"", format_time(*time_us)),
        (Value::Duration(duration_us), _) => duration(*duration_us),
        (Value::List(items), Kind::List(item) | Kind::Vector(item, _)) => {
            let items: Vec<String> = items.iter().map(|value| literal(value, item)).collect();
            format!("[{}]", items.join(", "))
        }
        (Value::Map(entries), Kind::Map(key, value)) => {
            let entry = |(k, v): &(Value, Value)| format!("{}: {}", literal(k, key), literal(v, value));
            braced(entries.iter().map(entry).collect())
        }
        (Value::Struct(fields), Kind::Struct(message)) => {
            let fields = fields.iter().zip(&message.fields);
            braced(fields.map(|(value, field)| format!("{}: {}", field.name, literal(value, &field.ty))).collect())
        }
        (Value::Enum(variant), Kind::Enum(def)) => {
            def.variants.get(*variant as usize).cloned().unwrap_or_else(|| format!("variant {variant}"))
        }
        (other, _) => format!("{other:?}"),
    }
}

fn braced(items: Vec<String>) -> String {
    if items.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", items.join(", ")) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(control))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

fn byte_text(byte: u8) -> String {
    match byte {
        b'"' => "\\\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

fn decimal(unscaled: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// `1h30m`
pub(crate) fn duration(duration_us: i64) -> String {
    const UNITS: [(u64, &str); 6] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us")];
    if duration_us == 0 {
        return "0s".to_owned();
    }
    let mut rest = duration_us.unsigned_abs();
    let mut text = if duration_us < 0 { "-".to_owned() } else { String::new() };
    for (unit_us, name) in UNITS {
        if rest >= unit_us {
            text.push_str(&format!("{}{name}", rest / unit_us));
            rest %= unit_us;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chalk_types::{EnumType, StructField, StructType};

    use super::*;

    #[test]
    fn a_value_is_written_as_a_test_would_write_it() {
        let message = StructType {
            name: "M".to_owned(),
            fields: vec![StructField { name: "a".to_owned(), ty: Type::INT.to_optional() }],
        };
        let def = EnumType { name: "E".to_owned(), variants: vec!["ok".to_owned(), "failed".to_owned()] };
        let map = Kind::Map(Box::new(Type::STRING), Box::new(Type::FLOAT)).required();
        for (value, ty, text) in [
            (Value::Null, Type::INT.to_optional(), "none"),
            (Value::Int(-5), Type::INT, "-5"),
            (Value::Float(1.0), Type::FLOAT, "1.0"),
            (Value::Float(f64::NAN), Type::FLOAT, "\"NaN\""),
            (Value::Decimal(-5), Kind::Decimal { precision: 12, scale: 2 }.required(), "-0.05"),
            (Value::String("a\"\u{1}\n".to_owned()), Type::STRING, "\"a\\\"\\u{1}\\n\""),
            (Value::Bytes(vec![0, b'a', b'"']), Type::BYTES, "b\"\\x00a\\\"\""),
            (Value::Datetime(1_700_000_000_000_000), Type::DATETIME, "\"2023-11-14T22:13:20Z\""),
            (Value::Duration(5_400_000_000), Kind::Duration.required(), "1h30m"),
            (Value::Duration(30 * 86_400_000_000), Kind::Duration.required(), "30d"),
            (Value::Duration(-1_001), Kind::Duration.required(), "-1ms1us"),
            (Value::List(vec![Value::Int(1)]), Kind::List(Box::new(Type::INT)).required(), "[1]"),
            (Value::Map(vec![(Value::String("a".to_owned()), Value::Float(2.5))]), map.clone(), "{ \"a\": 2.5 }"),
            (Value::Map(vec![]), map, "{}"),
            (Value::Struct(vec![Value::Null]), Kind::Struct(Arc::new(message)).required(), "{ a: none }"),
            (Value::Enum(1), Kind::Enum(Arc::new(def)).required(), "failed"),
        ] {
            assert_eq!(literal(&value, &ty), text);
        }
    }
}
