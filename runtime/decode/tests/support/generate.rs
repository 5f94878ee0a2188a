//! Random message types, the plans that read them, and messages of them: good, odd, wrong and broken.

use std::sync::Arc;

use chalk_artifact::decode_plan::{ColumnPlan, DecodePlan, FieldPlan, MessagePlan, UnixUnit, Wanted};
use chalk_types::{IntWidth, Kind, StructType, Type, Value};

use super::random::Random;
use super::{column, field, message, plan, status_enum, struct_of};

const KEYS: [&str; 16] = [
    "id",
    "name",
    "updated_at",
    "contact_info",
    "email_address",
    "email_addresS",
    "a",
    "b",
    "",
    "länge",
    "user-agent",
    "a_rather_long_key_that_is_longer_than_a_vector_of_sixty_four_bytes_is",
    "field_000000000000_a",
    "field_000000000000_b",
    "quoted\"key",
    "ts",
];

/// A random plan.
pub fn random_plan(random: &mut Random) -> DecodePlan {
    let root = random_message(random, 0);
    let mut columns = Vec::new();
    let whole_chance = 6;
    if random.once_in(whole_chance * 2) {
        columns.push(column(&root, &[], Wanted::Value));
    }
    collect(random, &root, &root, &mut Vec::new(), &mut columns);
    if random.once_in(3) {
        random.shuffle(&mut columns);
    }
    let mut plan = plan(root, columns);
    plan.strict = !random.once_in(8);
    if random.once_in(10) {
        plan.max_depth = 3 + random.below(4) as u32;
    }
    plan
}

fn collect(
    random: &mut Random,
    root: &MessagePlan,
    here: &MessagePlan,
    path: &mut Vec<String>,
    into: &mut Vec<ColumnPlan>,
) {
    for field in &here.fields {
        path.push(field.name.clone());
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_message = matches!(field.ty.kind, Kind::Struct(_));
        if is_message && !random.once_in(4) {
            collect(random, root, field.message.as_deref().expect("a message"), &mut path.clone(), into);
        }
        if random.once_in(if is_message { 4 } else { 2 }) {
            into.push(column(root, &names, Wanted::Value));
        }
        if random.once_in(if is_message { 4 } else { 12 }) {
            into.push(column(root, &names, Wanted::Presence));
        }
        path.pop();
    }
}

fn random_message(random: &mut Random, depth: usize) -> MessagePlan {
    let mut keys = KEYS;
    random.shuffle(&mut keys);
    let count = 1 + random.below(8);
    let fields = (0..count).map(|index| random_field(random, keys[index], index, depth)).collect();
    message(&format!("Message{depth}"), fields)
}

fn random_field(random: &mut Random, key: &str, index: usize, depth: usize) -> FieldPlan {
    let mut inner = None;
    let kind = random_kind(random, depth, &mut inner);
    let nullable = random.once_in(3);
    let unix = random
        .once_in(2)
        .then(|| [UnixUnit::Seconds, UnixUnit::Millis, UnixUnit::Micros, UnixUnit::Nanos][random.below(4)]);
    let default = match &kind {
        _ if nullable && random.once_in(6) => Some(Value::Null),
        Kind::Int(_) if random.once_in(4) => Some(Value::Int(7)),
        Kind::String if random.once_in(4) => Some(Value::String("a default that is longer than a view".into())),
        Kind::List(_) if random.once_in(4) => Some(Value::List(vec![])),
        _ => None,
    };
    FieldPlan {
        key: key.to_owned(),
        default,
        lenient: random.once_in(8),
        unix,
        message: inner.map(Box::new),
        ..field(&format!("f{index}"), Type { kind, nullable })
    }
}

fn random_kind(random: &mut Random, depth: usize, inner: &mut Option<MessagePlan>) -> Kind {
    let item = |random: &mut Random, inner: &mut Option<MessagePlan>| {
        let kind = random_kind(random, depth + 1, inner);
        Box::new(Type { kind, nullable: random.once_in(3) })
    };
    match random.below(if depth < 3 { 24 } else { 16 }) {
        0..=2 => Kind::INT,
        3..=5 => Kind::String,
        6 | 7 => Kind::Float64,
        8 => Kind::Bool,
        9 => Kind::Int(IntWidth::ALL[random.below(8)]),
        10 => Kind::Float32,
        11 => Kind::Bytes,
        12 => [Kind::Datetime, Kind::Date, Kind::Time, Kind::Duration][random.below(4)].clone(),
        13 => Kind::Decimal { precision: 8, scale: 2 },
        14 => status_enum(),
        15 => Kind::Datetime,
        16 | 17 => Kind::List(item(random, inner)),
        18 => Kind::Vector(item(random, inner), 1 + random.below(3) as u32),
        19 => {
            let key = [Kind::String, Kind::INT, Kind::Bool, status_enum()][random.below(4)].clone();
            let key = Type { kind: key, nullable: false };
            Kind::Map(Box::new(key), item(random, inner))
        }
        _ => {
            let message = random_message(random, depth + 1);
            let def: Arc<StructType> = Arc::new(struct_of(&message));
            *inner = Some(message);
            Kind::Struct(def)
        }
    }
}

/// How messages are written: blanks, key order, and how often something is odd.
pub struct Style {
    after_colon: &'static str,
    after_comma: &'static str,
    line: &'static str,
    shuffled: bool,
    /// Once in so many values something is odd.
    odd: usize,
}

impl Style {
    pub fn new(random: &mut Random) -> Style {
        let (after_colon, after_comma, line) =
            [("", "", ""), (" ", " ", ""), (" ", "", "\n  "), ("\t ", "\r\n", " "), ("", "", "")][random.below(5)];
        Style { after_colon, after_comma, line, shuffled: random.once_in(3), odd: [10_000, 40, 12][random.below(3)] }
    }
}

/// A message of that type.
pub fn random_json(random: &mut Random, message: &MessagePlan, style: &Style, out: &mut String) {
    let mut members: Vec<String> = Vec::new();
    for field in &message.fields {
        let optional = field.ty.nullable || field.default.is_some();
        if (optional && random.once_in(8)) || random.once_in(style.odd * 2) {
            continue;
        }
        members.push(member(random, field, style));
        if random.once_in(style.odd) {
            members.push(member(random, field, style));
        }
    }
    if random.once_in(style.odd.min(30)) {
        let mut unknown = format!("\"unknown{}\":", random.below(3));
        any_json(random, 0, &mut unknown);
        members.push(unknown);
    }
    if style.shuffled {
        random.shuffle(&mut members);
    }
    out.push('{');
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
            out.push_str(style.after_comma);
        }
        out.push_str(style.line);
        out.push_str(member);
    }
    if !members.is_empty() {
        out.push_str(style.line);
    }
    out.push('}');
}

fn member(random: &mut Random, field: &FieldPlan, style: &Style) -> String {
    let mut out = String::new();
    text_json(random, &field.key, style.odd, &mut out);
    out.push(':');
    out.push_str(style.after_colon);
    value_json(random, &field.ty, field, style, &mut out);
    out
}

fn value_json(random: &mut Random, ty: &Type, field: &FieldPlan, style: &Style, out: &mut String) {
    if random.once_in(style.odd) {
        return any_json(random, 0, out);
    }
    if (ty.nullable && random.once_in(6)) || random.once_in(style.odd * 2) {
        return out.push_str("null");
    }
    match &ty.kind {
        Kind::Int(width) => {
            let (low, high) = width.range();
            let value = match random.below(8) {
                0 => low,
                1 => high,
                2 => high + 1,
                3..=5 => (random.next() % 1000) as i128,
                _ => i128::from(random.next() as i64 >> random.below(60)),
            };
            let value = if random.once_in(style.odd) { value } else { value.clamp(low, high) };
            match random.below(12) {
                0 => out.push_str(&format!("{value}.0")),
                1 => out.push_str(&format!("{value}0e-1")),
                _ => out.push_str(&value.to_string()),
            }
        }
        Kind::Float32 | Kind::Float64 | Kind::Decimal { .. } => number_json(random, style.odd, out),
        Kind::Bool => out.push_str(if random.once_in(2) { "true" } else { "false" }),
        Kind::String => {
            let text = random_text(random);
            text_json(random, &text, 3, out);
        }
        Kind::Bytes => {
            out.push_str(random.pick(&["\"\"", "\"aGVsbG8=\"", "\"aGVsbG8gaGVsbG8gaGVsbG8\"", "\"\\u0061GVsbG8\""]))
        }
        Kind::Datetime if field.unix.is_some() => out.push_str(&(random.next() as i64 >> 20).to_string()),
        Kind::Duration if field.unix.is_some() => out.push_str(&(random.next() as i64 >> 20).to_string()),
        Kind::Datetime => {
            let value = (random.next() % 4_000_000_000_000_000) as i64;
            out.push_str(&format!("\"{}\"", chalk_types::format_datetime(value)));
        }
        Kind::Date => out.push_str(&format!("\"{}\"", chalk_types::format_date(random.below(40_000) as i32))),
        Kind::Time => out.push_str(&format!("\"{}\"", chalk_types::format_time(random.below(86_400_000_000) as i64))),
        Kind::Duration => out.push_str(&format!("\"{}\"", chalk_types::format_duration(random.next() as i64 >> 20))),
        Kind::Enum(_) => out.push_str(random.pick(&["\"pending\"", "\"failed\"", "\"ok\"", "\"\\u006fk\""])),
        Kind::List(item) => {
            let count = random.below(4);
            array_json(random, item, count, field, style, out);
        }
        Kind::Vector(item, length) => {
            let count = *length as usize + usize::from(random.once_in(style.odd));
            array_json(random, item, count, field, style, out);
        }
        Kind::Map(key, value) => {
            out.push('{');
            for index in 0..random.below(4) {
                if index > 0 {
                    out.push(',');
                }
                let key = match key.kind {
                    Kind::Int(_) => random.below(5).to_string(),
                    Kind::Bool => random.pick(&["true", "false"]).to_owned(),
                    Kind::Enum(_) => random.pick(&["pending", "failed", "ok"]).to_owned(),
                    _ => random_text(random),
                };
                text_json(random, &key, 8, out);
                out.push(':');
                value_json(random, value, field, style, out);
            }
            out.push('}');
        }
        Kind::Struct(_) => random_json(random, field.message.as_deref().expect("a message"), style, out),
        Kind::Null => out.push_str("null"),
    }
}

fn array_json(random: &mut Random, item: &Type, count: usize, field: &FieldPlan, style: &Style, out: &mut String) {
    out.push('[');
    for index in 0..count {
        if index > 0 {
            out.push(',');
            out.push_str(style.after_comma);
        }
        value_json(random, item, field, style, out);
    }
    out.push(']');
}

fn number_json(random: &mut Random, odd: usize, out: &mut String) {
    let value = random.next() as i64 >> random.below(60);
    let text = match random.below(10) {
        0 => value.to_string(),
        1 => format!("{}", f64::from_bits(random.next() & !(0x7ff << 52) | ((1000 + random.next() % 50) << 52))),
        2 => format!("{value}e{}", random.below(8)),
        3 => format!("{}.{}E-{}", value >> 30, random.below(1000), random.below(30)),
        _ => format!("{}.{}", value >> 45, random.below(100)),
    };
    out.push_str(&text);
    if random.once_in(odd) {
        out.push_str(random.pick(&["e400", "e-400", ".5", "00"]));
    }
}

fn random_text(random: &mut Random) -> String {
    let mut text = random
        .pick(&["", "x", "John Smith", "twelve bytes", "thirteen bytes", "john.smith@gmail.com", "grüße", "東京 😀"])
        .to_owned();
    while random.once_in(4) {
        text.push_str(random.pick(&[
            "\n",
            "\"",
            "\\",
            "/",
            "\u{1}",
            "é",
            "😀",
            "0123456789012345678901234567890123456789",
        ]));
    }
    text
}

/// A JSON string of the text; once in so many characters an escape that need not be.
pub fn text_json(random: &mut Random, text: &str, escapes: usize, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' if random.once_in(2) => out.push_str("\\n"),
            _ if (character as u32) < 0x20 || random.once_in(escapes * 20) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Any JSON value, and now and then something that only looks like one.
pub fn any_json(random: &mut Random, depth: usize, out: &mut String) {
    match random.below(if depth < 4 { 14 } else { 11 }) {
        0 => out.push_str("null"),
        1 => out.push_str("true"),
        2 => out.push_str("false"),
        3 | 4 => number_json(random, 30, out),
        5 => out.push_str(random.pick(&["0", "-0", "1e5", "-1.5E+3", "123456789012345678901234567890", "0.000001"])),
        6..=9 => {
            let text = random_text(random);
            text_json(random, &text, 3, out);
        }
        10 if random.once_in(10) => {
            out.push_str(random.pick(&[
                "01",
                "-",
                "1.",
                ".5",
                "nul",
                "tru",
                "\"\\x\"",
                "\"\\ud800\"",
                "\"\t\"",
                "+1",
                "1e",
                "[",
                "{}}",
                "\"\\ud83d\\ude00\"",
            ]));
        }
        10 => out.push_str("{}"),
        11 | 12 => {
            out.push('[');
            for index in 0..random.below(4) {
                if index > 0 {
                    out.push(',');
                }
                any_json(random, depth + 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for index in 0..random.below(4) {
                if index > 0 {
                    out.push_str(", ");
                }
                let key = random.pick(&KEYS);
                text_json(random, key, 10, out);
                out.push(':');
                any_json(random, depth + 1, out);
            }
            out.push('}');
        }
    }
}

/// Breaks the message, or perhaps not, by a few edits.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        let at = random.below(bytes.len() + 1);
        let byte = match random.below(4) {
            0 => random.next() as u8,
            _ => b"\"\\{}[]:,0123456789-+.eEtfn u\n\x01\xff\xc3 "[random.below(33)],
        };
        match random.below(5) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => bytes.extend_from_slice(
                random.pick(&["}", " ", "x", "{}", ",\"a\":1}", "\0", "\n\n", "\"", "0"]).as_bytes(),
            ),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
}
