//! Random messages for a message type: most of them valid, many with extreme values, some broken in every way there is.
//!
//! This file must not know expressions or resolvers.

use base64::Engine as _;
use chalk_types::{IntWidth, Kind, Type};

use super::literal::{FLOATS, INTS, TEXTS};
use super::package::{Common, Input, MessageDecl, Wire};
use crate::json::string_text;
use crate::message::Message;
use crate::rng::Rng;

/// Keys of maps: some of them are asked for.
pub(super) const MAP_KEYS: [&str; 5] = ["a", "b", "", "héé😀", "a key longer than twelve bytes"];

/// How messages of one run are to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mood {
    /// Anything.
    Any,
    /// All that may be null is.
    AllNull,
    /// Nothing is null.
    NoNull,
}

struct Writer<'a> {
    rng: &'a mut Rng,
    common: &'a Common,
    mood: Mood,
    /// In how many of a thousand places something is wrong.
    faults: usize,
}

/// A valid message.
pub(super) fn valid(rng: &mut Rng, common: &Common, message: &MessageDecl) -> String {
    Writer { rng, common, mood: Mood::Any, faults: 0 }.message(message, 0)
}

/// Messages with envelopes for a resolver.
pub(super) fn messages(
    rng: &mut Rng,
    common: &Common,
    input: &Input,
    inner: Option<&str>,
    count: usize,
) -> Vec<Message> {
    let mood = match rng.below(8) {
        0 => Mood::AllNull,
        1 => Mood::NoNull,
        _ => Mood::Any,
    };
    (0..count)
        .map(|offset| {
            let bytes = bytes(rng, common, input, inner, mood);
            envelope(rng, Message::new(bytes, offset as i64))
        })
        .collect()
}

fn bytes(rng: &mut Rng, common: &Common, input: &Input, inner: Option<&str>, mood: Mood) -> Vec<u8> {
    let name = match input {
        Input::Json(name) => Some(name.as_str()),
        // What a parse function reads is often what it wants.
        Input::Text | Input::Bytes => inner.filter(|_| rng.percent(70)),
    };
    match name.and_then(|name| common.message(name)) {
        Some(message) => {
            let faults = if rng.percent(85) { 0 } else { 40 };
            let text = Writer { rng, common, mood, faults }.message(message, 0);
            if rng.percent(4) { broken(rng, text.into_bytes()) } else { text.into_bytes() }
        }
        None if *input == Input::Bytes && rng.percent(30) => (0..rng.below(30)).map(|_| rng.below(256) as u8).collect(),
        None => {
            let text = (*rng.pick(&TEXTS)).as_bytes().to_vec();
            if rng.percent(3) { [&text[..], b"\xff"].concat() } else { text }
        }
    }
}

fn envelope(rng: &mut Rng, mut message: Message) -> Message {
    if rng.percent(70) {
        message.timestamp_us = Some(*rng.pick(&[0, -1, 1_700_000_000_000_000, 253_402_300_799_999_999]));
    }
    if rng.percent(60) {
        message.key = Some((*rng.pick(&TEXTS)).as_bytes().to_vec());
    }
    message.partition = *rng.pick(&[0, 1, 7, i64::from(i32::MAX)]);
    for _ in 0..rng.below(3) {
        let name = *rng.pick(&["h1", "h2", "h1", "other"]);
        let value = *rng.pick(&["", "User", "a", "longer than twelve bytes", "héé"]);
        message.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }
    message
}

/// Bytes with something wrong with them.
fn broken(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = rng.below(bytes.len() + 1);
    match rng.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, *rng.pick(b"{}[],:\"\\x0\x01")),
        2 => {
            let junk: [&[u8]; 6] = [b" ", b"\n", b"x", b"{}", b",", b"\xff"];
            bytes.extend_from_slice(junk[rng.below(junk.len())]);
        }
        3 => bytes.splice(0..0, *rng.pick(&[*b"\xef\xbb\xbf", *b"\n\t ", *b"[[["])).for_each(drop),
        4 if at < bytes.len() => {
            bytes.remove(at);
        }
        _ if at < bytes.len() => bytes[at] = rng.below(256) as u8,
        _ => bytes.clear(),
    }
    bytes
}

impl Writer<'_> {
    fn is_fault(&mut self) -> bool {
        self.faults > 0 && self.rng.below(1000) < self.faults
    }

    fn blank(&mut self) -> &'static str {
        if self.rng.percent(3) { [" ", "\n", "\t", "  "][self.rng.below(4)] } else { "" }
    }

    fn message(&mut self, message: &MessageDecl, depth: usize) -> String {
        let mut entries = Vec::new();
        for (field, wire) in message.ty.fields.iter().zip(&message.wire) {
            let may_lack = field.ty.nullable || wire.default.is_some();
            let lacks = match self.mood {
                Mood::Any => may_lack && self.rng.percent(12),
                Mood::AllNull => may_lack && self.rng.percent(50),
                Mood::NoNull => false,
            };
            if lacks || self.is_fault() {
                continue;
            }
            let key = wire.key.as_deref().map_or(field.name.clone(), |key| key.replace("\\\"", "\""));
            let key = if self.rng.percent(2) {
                format!(
                    "\"\\u{:04x}{}",
                    u32::from(key.chars().next().unwrap_or('f')),
                    &string_text(&key)[1 + key.chars().next().map_or(0, char::len_utf8)..]
                )
            } else {
                string_text(&key)
            };
            if self.is_fault() {
                // Twice: the last one wins.
                entries.push(format!("{key}:{}", self.other()));
            }
            let value = self.value(&field.ty, wire, depth);
            entries.push(format!("{}{key}{}:{}{value}{}", self.blank(), self.blank(), self.blank(), self.blank()));
        }
        if self.rng.percent(15) {
            let unknown = format!("\"unknown\":{}", self.other());
            let at = self.rng.below(entries.len() + 1);
            entries.insert(at, unknown);
        }
        if self.rng.percent(12) && entries.len() > 1 {
            let at = self.rng.below(entries.len() - 1);
            entries.swap(at, at + 1);
        }
        format!("{{{}}}", entries.join(","))
    }

    /// A value that is something else.
    fn other(&mut self) -> String {
        (*self.rng.pick(&[
            "null",
            "true",
            "0",
            "-1",
            "1.5",
            "\"\"",
            "\"text\"",
            "[]",
            "{}",
            "[1,null]",
            "{\"a\":{\"b\":[1]}}",
            "1e400",
            "\"\\ud800\"",
            "99999999999999999999",
            "\"12\"",
            "1e3",
            "-0",
            "0.1e1",
        ]))
        .to_owned()
    }

    fn value(&mut self, ty: &Type, wire: &Wire, depth: usize) -> String {
        if self.is_fault() {
            return self.other();
        }
        let is_null = ty.nullable
            && match self.mood {
                Mood::Any => self.rng.percent(25),
                Mood::AllNull => true,
                Mood::NoNull => false,
            };
        if is_null {
            return "null".to_owned();
        }
        let plain = Wire::default();
        match &ty.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool if wire.lenient && self.rng.percent(40) => {
                (*self.rng.pick(&["0", "1", "\"yes\"", "\"Off\"", "\" true \"", "\"2\""])).to_owned()
            }
            Kind::Bool => self.rng.percent(50).to_string(),
            Kind::Int(width) => {
                let text = self.int(*width);
                if wire.lenient && self.rng.percent(40) { format!("\" {text} \"") } else { text }
            }
            Kind::Float64 => {
                if wire.lenient && self.rng.percent(20) {
                    return (*self.rng.pick(&["\"NaN\"", "\"inf\"", "\"-Infinity\"", "true"])).to_owned();
                }
                let text = self.float();
                if wire.lenient && self.rng.percent(40) { format!("\"{text}\"") } else { text }
            }
            Kind::Float32 => {
                (*self.rng.pick(&["0.5", "1.5", "-0.0", "0.1", "1e10", "3", "16777217", "-2.25"])).to_owned()
            }
            Kind::String => self.string(),
            Kind::Bytes => {
                let text = *self.rng.pick(&TEXTS);
                format!("\"{}\"", base64::engine::general_purpose::STANDARD.encode(text))
            }
            Kind::Datetime => match wire.unix {
                Some("s") => (*self.rng.pick(&["0", "1700000000", "-1", "253402300799", "1e9"])).to_owned(),
                Some("ms") => (*self.rng.pick(&["0", "1700000000123", "-1"])).to_owned(),
                Some("us") => (*self.rng.pick(&["0", "1700000000123456", "-1"])).to_owned(),
                Some(_) => (*self.rng.pick(&["0", "1700000000123456789", "-1", "1500", "1499"])).to_owned(),
                None => (*self.rng.pick(&[
                    "\"2024-02-29T12:00:00Z\"",
                    "\"1969-12-31T23:59:59.999999Z\"",
                    "\"2023-11-14T22:13:20.123456789+01:00\"",
                    "\"9999-12-31T23:59:59Z\"",
                    "\"2024-03-31 01:30:00-05:00\"",
                    "\"1970-01-01T00:00:00z\"",
                ]))
                .to_owned(),
            },
            Kind::Date => (*self.rng.pick(&[
                "\"2024-02-29\"",
                "\"1969-12-31\"",
                "\"2023-11-14\"",
                "\"0001-01-01\"",
                "\"9999-12-31\"",
            ]))
            .to_owned(),
            Kind::Time => (*self.rng.pick(&["\"00:00:00\"", "\"12:34:56.789\"", "\"23:59:59.999999\""])).to_owned(),
            Kind::Duration => {
                (*self.rng.pick(&["\"PT0S\"", "\"PT1H30M\"", "\"P1D\"", "\"-PT0.5S\"", "\"P2W\"", "\"PT0.000001S\""]))
                    .to_owned()
            }
            Kind::Decimal { precision, scale } => self.decimal(*precision, *scale),
            Kind::Enum(def) => string_text(self.rng.pick::<String>(&def.variants)),
            Kind::List(item) => {
                let count = *self.rng.pick(&[0, 1, 1, 2, 3, 7]);
                self.items(item, count, &plain, depth)
            }
            Kind::Vector(item, length) => {
                let count = if self.is_fault() { 1 + *length as usize } else { *length as usize };
                self.items(item, count, &plain, depth)
            }
            Kind::Map(key, value) => {
                let entries: Vec<String> = (0..self.rng.below(4))
                    .map(|_| format!("{}:{}", self.map_key(key), self.value(value, &plain, depth)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
            Kind::Struct(message) => {
                let common = self.common;
                let message = common.message(&message.name).expect("declared before");
                self.message(message, depth + 1)
            }
        }
    }

    fn items(&mut self, item: &Type, count: usize, wire: &Wire, depth: usize) -> String {
        let items: Vec<String> = (0..count).map(|_| self.value(item, wire, depth)).collect();
        format!("[{}]", items.join(","))
    }

    fn map_key(&mut self, key: &Type) -> String {
        match &key.kind {
            Kind::String => string_text(self.rng.pick::<&str>(&MAP_KEYS)),
            _ => format!("\"{}\"", self.rng.pick(&[0, 1, 1, 7])),
        }
    }

    fn int(&mut self, width: IntWidth) -> String {
        let (low, high) = width.range();
        let value = match self.rng.below(4) {
            0 => i128::from(*self.rng.pick(&INTS)),
            1 => *self.rng.pick(&[low, high, low + 1, high - 1]),
            _ => self.rng.below(40) as i128 - 10,
        };
        let value = value.clamp(low, high);
        if self.rng.percent(4) { format!("{value}.0") } else { value.to_string() }
    }

    fn float(&mut self) -> String {
        if self.rng.percent(30) { self.int(IntWidth::Int64) } else { (*self.rng.pick(&FLOATS)).to_owned() }
    }

    fn decimal(&mut self, precision: u8, scale: u8) -> String {
        if precision > 28 && self.rng.percent(25) {
            // Around the end of the lower 64 bits, and of their sign.
            let ends =
                ["922337203.6854775807", "922337203.6854775808", "-922337203.6854775809", "1844674407.3709551616"];
            return (*self.rng.pick(&ends)).to_owned();
        }
        let whole = usize::from(precision - scale);
        let digits = self.rng.between(1, whole.max(1));
        let fraction = self.rng.below(usize::from(scale) + 1);
        let sign = if self.rng.percent(40) { "-" } else { "" };
        let whole: String =
            (0..digits).map(|at| char::from(b'1' + self.rng.below(9) as u8 * u8::from(at < 18))).collect();
        let rest: String = (0..fraction).map(|_| char::from(b'0' + self.rng.below(10) as u8)).collect();
        if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
    }

    fn string(&mut self) -> String {
        match self.rng.below(12) {
            0 => "\"\\u00e9\\n\\t\\\"\\\\\\/\"".to_owned(),
            1 => "\"\\uD83D\\uDE00 escaped pair\"".to_owned(),
            2 => format!("\"{}\"", "long ".repeat(self.rng.between(1, 30))),
            _ => string_text(self.rng.pick::<&str>(&TEXTS)),
        }
    }
}
