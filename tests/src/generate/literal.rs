//! Literals: values at which things break, and some at which they do not.
//!
//! This file must not know expressions.

use chalk_types::{EnumType, IntWidth, Kind, Type, Value};

use super::node::{Node, node};
use crate::rng::Rng;

/// Integers near which arithmetic breaks.
pub(super) const INTS: [i64; 24] = [
    0,
    1,
    -1,
    2,
    3,
    7,
    10,
    60,
    100,
    127,
    -128,
    255,
    1000,
    65_535,
    86_400,
    1_000_000,
    2_147_483_647,
    -2_147_483_648,
    4_294_967_296,
    1_700_000_000,
    9_007_199_254_740_993,
    i64::MAX,
    i64::MIN,
    -9_223_372_036_854_775_807,
];

/// Floats near which arithmetic breaks, as the language writes them.
pub(super) const FLOATS: [&str; 20] = [
    "0.0",
    "1.0",
    "0.5",
    "1.5",
    "2.5",
    "-1.0",
    "3.25",
    "0.1",
    "-0.0",
    "100.0",
    "1e10",
    "1e-10",
    "9007199254740993.0",
    "9223372036854775807.0",
    "9223372036854775808.0",
    "1e300",
    "1e-300",
    "-2.5",
    "123.456",
    "1700000000.25",
];

/// Texts that mean something to some function, and some that mean nothing to any.
pub(super) const TEXTS: [&str; 40] = [
    "",
    " ",
    "a",
    "abc",
    "Hello World",
    "héé😀",
    "ÄÖÜß",
    "ok",
    "12",
    " -7 ",
    "1e3",
    "0.5",
    "true",
    "TRUE",
    "none",
    "2024-02-29T12:00:00Z",
    "2024-02-29",
    "12:34:56",
    "1969-12-31T23:59:59.999999Z",
    "2023-11-14T22:13:20+01:00",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "NaN",
    "Infinity",
    "-0.0",
    "1.005",
    "123.456",
    "a,b,,c",
    "a=1&b=2",
    "{\"a\":1,\"b\":[1,2,null]}",
    "[1,2,3]",
    "not json {",
    "twelve bytes",
    "thirteen byte",
    "a text that is longer than any view holds inline",
    "tab\tnewline\nquote\"backslash\\",
    "https://example.com/path/x?q=1#f",
    "aGVsbG8=",
    "x_y-Z.0",
];

/// The text of a string literal.
pub(super) fn string_literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A literal of a kind without parts, or of a list of such; none of other kinds.
pub(super) fn of(rng: &mut Rng, kind: &Kind) -> Option<Node> {
    let ty = kind.clone().required();
    let literal = |text: String, value: Value| {
        // A minus before a number is an operator: brackets keep its operand its own.
        let text = if text.starts_with('-') { format!("({text})") } else { text };
        Node { literal: Some(value), ..node!(kind.clone().required(); text) }
    };
    Some(match kind {
        Kind::Bool => {
            let value = rng.percent(50);
            literal(value.to_string(), Value::Bool(value))
        }
        Kind::Int(IntWidth::Int64) => {
            let value = int(rng);
            literal(value.to_string(), Value::Int(value.into()))
        }
        Kind::Int(IntWidth::UInt64) => match rng.below(4) {
            0 => node!(ty; "18446744073709551615"),
            1 => node!(ty; "9223372036854775808"),
            _ => node!(ty; format!("({} as uint64)", rng.below(300))),
        },
        Kind::Int(width) => {
            let (low, high) = width.range();
            let value = [low, high, 0, 1, 5, 100, high - 1][rng.below(7)];
            node!(ty; format!("(({value}) as {})", width.name()))
        }
        Kind::Float32 => {
            node!(ty; format!("(({}) as float32)", rng.pick(&["0.5", "1.5", "0.1", "1e10", "-2.25", "0.0"])))
        }
        Kind::Float64 => match rng.below(10) {
            0 => node!(ty; "(0.0 / 0.0)"),
            1 => node!(ty; "(1.0 / 0.0)"),
            2 => node!(ty; "(-1.0 / 0.0)"),
            _ => {
                let text = *rng.pick(&FLOATS);
                literal(text.to_owned(), Value::Float(text.parse().expect("a float")))
            }
        },
        Kind::String => {
            let text = *rng.pick(&TEXTS);
            literal(string_literal(text), Value::String(text.to_owned()))
        }
        Kind::Bytes => {
            let text = *rng.pick(&["", "a", "\\x00\\xff", "hello", "{\\\"a\\\":1}", "longer than twelve bytes", "é"]);
            node!(ty; format!("b\"{text}\""))
        }
        Kind::Datetime => {
            let text = *rng.pick(&[
                "2024-02-29T12:00:00Z",
                "1970-01-01T00:00:00Z",
                "1969-12-31T23:59:59.999999Z",
                "2023-11-14T22:13:20.123456Z",
                "9999-12-31T23:59:59Z",
                "0001-01-01T00:00:00Z",
                "2024-12-31T23:30:00-02:00",
            ]);
            node!(ty; format!("(\"{text}\" as datetime)"))
        }
        Kind::Date => {
            let text = *rng.pick(&["2024-02-29", "1970-01-01", "1969-12-31", "2023-12-31", "9999-12-31", "0001-01-01"]);
            node!(ty; format!("(\"{text}\" as date)"))
        }
        Kind::Time => {
            let text = *rng.pick(&["00:00:00", "12:34:56", "23:59:59.999999", "06:00:00.5"]);
            node!(ty; format!("(\"{text}\" as time)"))
        }
        Kind::Duration => {
            let text = *rng.pick(&["0s", "1us", "500ms", "10m", "1h30m", "1d", "2w", "(-5m)", "(-1d)", "106751991d"]);
            node!(ty; text)
        }
        Kind::Decimal { precision, scale } => {
            let whole = usize::from(precision - scale);
            let text = match rng.below(6) {
                0 => "0".to_owned(),
                // Around the end of the lower 64 bits, and of their sign.
                5 if *precision > 28 => {
                    let ends = [
                        "922337203.6854775807",
                        "922337203.6854775808",
                        "1844674407.3709551615",
                        "1844674407.3709551616",
                    ];
                    (*rng.pick(&ends)).to_owned()
                }
                1 => format!("{}{}", "9".repeat(whole.max(1)), fraction(*scale, '9')),
                2 => format!("-{}{}", "9".repeat(whole.max(1)), fraction(*scale, '9')),
                3 => format!("1{}", fraction(*scale, '5')),
                _ => format!("-{}{}", rng.below(1000), fraction(*scale, '1')),
            };
            node!(ty; format!("(\"{text}\" as decimal({precision}, {scale}))"))
        }
        Kind::Enum(def) => variant(rng, def),
        Kind::List(item) => {
            let mut parts = Vec::new();
            let mut nullable = false;
            for _ in 0..rng.between(1, 3) {
                let value = of(rng, &item.kind)?;
                let value = if item.nullable && (!nullable || rng.percent(30)) {
                    nullable = true;
                    node!((**item).clone(); "(if ", if rng.percent(50) { "true" } else { "false" }, " then none else ", value, ")")
                } else {
                    value
                };
                parts.push(if parts.is_empty() { "[".into() } else { ", ".into() });
                parts.push(value.into());
            }
            parts.push("]".into());
            Node { ty, literal: None, parts }
        }
        Kind::Null | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => return None,
    })
}

fn fraction(scale: u8, digit: char) -> String {
    if scale == 0 { String::new() } else { format!(".{}", digit.to_string().repeat(usize::from(scale))) }
}

/// An integer, extreme ones often.
pub(super) fn int(rng: &mut Rng) -> i64 {
    if rng.percent(50) { *rng.pick(&INTS) } else { rng.below(40) as i64 - 10 }
}

fn variant(rng: &mut Rng, def: &std::sync::Arc<EnumType>) -> Node {
    let index = rng.below(def.variants.len());
    let ty = Type { kind: Kind::Enum(def.clone()), nullable: false };
    Node { literal: Some(Value::Enum(index as u32)), ..node!(ty; format!("{}.{}", def.name, def.variants[index])) }
}

/// A literal that says nothing, for expressions that do not matter.
pub(super) fn plain(kind: &Kind) -> Option<Node> {
    let text = match kind {
        Kind::Bool => "true".to_owned(),
        Kind::Int(IntWidth::Int64) => "1".to_owned(),
        Kind::Int(_) | Kind::Float32 | Kind::Decimal { .. } => format!("(1 as {kind})"),
        Kind::Float64 => "1.5".to_owned(),
        Kind::String => "\"a\"".to_owned(),
        Kind::Bytes => "b\"a\"".to_owned(),
        Kind::Datetime => "(\"2024-01-01T00:00:00Z\" as datetime)".to_owned(),
        Kind::Date => "(\"2024-01-01\" as date)".to_owned(),
        Kind::Time => "(\"00:00:00\" as time)".to_owned(),
        Kind::Duration => "1s".to_owned(),
        Kind::Enum(def) => format!("{}.{}", def.name, def.variants[0]),
        Kind::List(_) | Kind::Null | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => return None,
    };
    Some(node!(kind.clone().required(); text))
}
