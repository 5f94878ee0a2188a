//! Messages of a type, written by one producer: a `Shape` decides once what a producer does the same way every time (key
//! order, blanks, which keys it leaves out, what it adds), so that templates are learned, hit, missed and relearned.

use chalk_artifact::decode_plan::{FieldPlan, MessagePlan, UnixUnit};
use chalk_types::{Kind, Type};

use super::super::random::Random;
use super::text::{
    any_json, base64_json, date_text, datetime_json, duration_json, number_json, random_text, string_json, text_json,
    time_text,
};

/// A producer's habits.
#[derive(Clone)]
pub struct Shape {
    seed: u64,
    before_colon: &'static str,
    after_colon: &'static str,
    after_comma: &'static str,
    line: &'static str,
    around: &'static str,
    shuffled: bool,
    /// Once in so many fields one is left out, or is null.
    missing: usize,
    /// Unknown members per object, at most.
    unknown: usize,
    /// Once in so many values something is odd.
    odd: usize,
    /// Once in so many keys one is written with an escape.
    key_escapes: usize,
}

impl Shape {
    pub fn new(random: &mut Random) -> Shape {
        let (before_colon, after_colon, after_comma, line) = [
            ("", "", "", ""),
            ("", "", "", ""),
            ("", " ", " ", ""),
            ("", " ", "", "\n  "),
            (" ", "\t ", "\r\n", " "),
            ("", " ", "", "\n                                                                    "),
        ][random.below(6)];
        Shape {
            seed: random.next(),
            before_colon,
            after_colon,
            after_comma,
            line,
            around: random.pick(&["", "", "", " ", "\n", " \t\r\n "]),
            shuffled: random.once_in(2),
            missing: [1_000, 8, 3][random.below(3)],
            unknown: [0, 0, 2, 5][random.below(4)],
            odd: [100_000, 300, 60, 12][random.below(4)],
            key_escapes: [100_000, 100_000, 300][random.below(3)],
        }
    }

    /// The same producer with other values: nothing odd about them.
    pub fn orderly(mut self) -> Shape {
        self.odd = 1_000_000;
        self
    }
}

/// Appends a message of that type.
pub fn write_message(random: &mut Random, message: &MessagePlan, shape: &Shape, out: &mut Vec<u8>) {
    out.extend_from_slice(shape.around.as_bytes());
    Writer { random, shape, out }.object(message, 1);
    out.extend_from_slice(shape.around.as_bytes());
}

struct Writer<'a> {
    random: &'a mut Random,
    shape: &'a Shape,
    out: &'a mut Vec<u8>,
}

/// What stands between the braces.
#[derive(Clone, Copy)]
enum Member {
    Field(usize),
    Unknown(usize),
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// An object; `place` tells objects of different places apart, so that each has habits of its own.
    fn object(&mut self, message: &MessagePlan, place: u64) {
        let shape = self.shape;
        // Habits come from a source of their own, so that values do not change them.
        let mut habits = Random(shape.seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut members: Vec<(Member, bool)> = Vec::new();
        for (index, field) in message.fields.iter().enumerate() {
            let optional = field.ty.nullable || field.default.is_some();
            let (absent, null) = (habits.once_in(shape.missing), habits.once_in(shape.missing));
            if (!optional || !absent) && !self.random.once_in(shape.odd * 4) {
                members.push((Member::Field(index), null && field.ty.nullable));
            }
        }
        for index in 0..habits.below(shape.unknown + 1) {
            members.push((Member::Unknown(index), false));
        }
        if shape.shuffled {
            habits.shuffle(&mut members);
        }
        if self.random.once_in(shape.odd) && !members.is_empty() {
            // A member twice, or two that have changed places.
            let (from, to) = (self.random.below(members.len()), self.random.below(members.len()));
            if self.random.once_in(2) {
                members.insert(to, members[from]);
            } else {
                members.swap(from, to);
            }
        }
        self.out.push(b'{');
        for (position, &(member, null)) in members.iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
                self.text(shape.after_comma);
            }
            self.text(shape.line);
            match member {
                Member::Field(index) => {
                    let field = &message.fields[index];
                    self.key(&field.key);
                    if null && !self.random.once_in(20) {
                        self.text("null");
                    } else {
                        self.value(&field.ty, field, place * 31 + index as u64);
                    }
                }
                Member::Unknown(index) => self.unknown(&mut habits, index),
            }
        }
        if !members.is_empty() {
            self.text(shape.line);
        }
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        text_json(self.random, key, self.shape.key_escapes, self.out);
        self.text(self.shape.before_colon);
        self.out.push(b':');
        self.text(self.shape.after_colon);
    }

    /// A member that no declaration knows: the same value every time, or another one, of the same kind or any.
    fn unknown(&mut self, habits: &mut Random, index: usize) {
        let key = habits.pick(&["unknown", "IDs", "nam", "a_", "", "email_addres", "x".repeat(70).as_str()]).to_owned();
        self.key(&format!("{key}{index}"));
        match habits.below(6) {
            0 => any_json(habits, 1, self.out),
            1 => any_json(self.random, 1, self.out),
            2 => string_json(self.random, self.shape.odd, self.out),
            3 => number_json(self.random, self.shape.odd, self.out),
            4 => {
                // Whatever comes behind it begins anywhere among the vectors.
                let huge = self.random.once_in(3_000);
                let size = if huge { self.random.below(140_000) } else { self.random.below(130) };
                self.out.push(b'"');
                self.out.extend((0..size).map(|_| b'.'));
                self.out.push(b'"');
            }
            _ => self.text("{\"a\":[1,2,{\"b\":null}],\"c\":\"}\"}"),
        }
    }

    fn value(&mut self, ty: &Type, field: &FieldPlan, place: u64) {
        let odd = self.shape.odd;
        if self.random.once_in(odd) {
            return any_json(self.random, 0, self.out);
        }
        if (ty.nullable && self.random.once_in(8)) || self.random.once_in(odd * 2) {
            return self.text("null");
        }
        if field.lenient && self.random.once_in(3) && self.lenient(ty, field, place) {
            return;
        }
        let random = &mut *self.random;
        match &ty.kind {
            Kind::Null => self.text("null"),
            Kind::Bool => {
                let text = if random.once_in(2) { "true" } else { "false" };
                self.text(text);
            }
            Kind::Int(width) => {
                let (low, high) = width.range();
                let value = match random.below(10) {
                    0 => low,
                    1 => high,
                    2 => high + 1,
                    3 => low - 1,
                    4..=6 => (random.next() % 1000) as i128,
                    _ => i128::from(random.next() as i64 >> random.below(63)),
                };
                let value = if random.once_in(odd) { value } else { value.clamp(low, high) };
                let text = match random.below(25) {
                    0 => format!("{value}.0"),
                    1 => format!("{value}0e-1"),
                    _ => value.to_string(),
                };
                if random.once_in(odd) { number_json(random, 2, self.out) } else { self.text(&text) }
            }
            Kind::Float32 | Kind::Float64 => number_json(random, odd, self.out),
            Kind::Decimal { precision, scale } => self.decimal(*precision, *scale),
            Kind::String => string_json(random, odd, self.out),
            Kind::Bytes => base64_json(random, odd, self.out),
            Kind::Datetime | Kind::Duration if field.unix.is_some() => {
                let value = match (field.unix, random.below(odd.min(30))) {
                    (_, 0) => random.next() as i64,
                    (Some(UnixUnit::Seconds), _) => (random.next() % 4_000_000_000) as i64 - 1_000_000_000,
                    _ => random.next() as i64 >> (10 + random.below(30)),
                };
                self.text(&value.to_string());
            }
            Kind::Datetime => datetime_json(random, odd, self.out),
            Kind::Date => {
                self.out.push(b'"');
                date_text(random, odd, self.out);
                self.out.push(b'"');
            }
            Kind::Time => {
                self.out.push(b'"');
                time_text(random, odd, self.out);
                self.out.push(b'"');
            }
            Kind::Duration => duration_json(random, odd, self.out),
            Kind::Enum(def) => {
                let text = match random.below(odd) {
                    0 => random.pick(&["OK", "pendin", "create ", "AAAAAAAAAAAAAAAAZ"]).to_owned(),
                    _ => def.variants[random.below(def.variants.len())].clone(),
                };
                text_json(random, &text, 200, self.out);
            }
            Kind::List(item) => {
                let count = if random.once_in(30) { random.below(90) } else { random.below(4) };
                self.array(item, count, field, place);
            }
            Kind::Vector(item, length) => {
                let count = match random.below(odd) {
                    0 => random.below(5),
                    _ => *length as usize,
                };
                self.array(item, count, field, place);
            }
            Kind::Map(key, value) => self.map(key, value, field, place),
            Kind::Struct(_) => self.object(field.message.as_deref().expect("a message"), place),
        }
    }

    /// A value as only `@lenient` reads it: numbers in quotes, with what may stand around and in them, bools as words and
    /// numbers, moments as numbers. False where the type has no such way.
    fn lenient(&mut self, ty: &Type, field: &FieldPlan, place: u64) -> bool {
        let is_number = matches!(ty.kind, Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Decimal { .. });
        let is_moment = matches!(ty.kind, Kind::Datetime | Kind::Duration);
        match &ty.kind {
            Kind::Bool => {
                let text = self.random.pick(&[
                    "\"yes\"",
                    "\"Off\"",
                    "\"true\"",
                    "\"false\"",
                    "1",
                    "0",
                    "0.0",
                    "\" t \"",
                    "\"maybe\"",
                ]);
                self.text(text);
            }
            _ if is_number || (is_moment && field.unix.is_some()) => {
                if self.random.once_in(6) {
                    let text = self.random.pick(&[
                        "true",
                        "\"nan\"",
                        "\"-inf\"",
                        "\"+1_000\"",
                        "\"007\"",
                        "\"1__0\"",
                        "\"\"",
                        "\"1,5\"",
                        "\"12]\"",
                    ]);
                    self.text(text);
                    return true;
                }
                let blank = self.random.pick(&["", "", "", " ", "\\t"]);
                self.text("\"");
                self.text(blank);
                // As one that is not lenient would write it.
                let strict = FieldPlan { lenient: false, ..field.clone() };
                self.value(&Type { nullable: false, ..ty.clone() }, &strict, place);
                self.text(blank);
                self.text("\"");
            }
            _ if is_moment => {
                let value = self.random.next() as i64 >> (20 + self.random.below(40));
                let text = if self.random.once_in(2) { format!("{value}.5") } else { format!("\"{value}\"") };
                self.text(&text);
            }
            _ => return false,
        }
        true
    }

    fn decimal(&mut self, precision: u8, scale: u8) {
        let (odd, random) = (self.shape.odd, &mut *self.random);
        if random.once_in(odd.min(20)) {
            return number_json(random, odd, self.out);
        }
        if random.once_in(3) {
            self.out.push(b'-');
        }
        let whole = random.below(usize::from(precision - scale) + 1);
        if whole == 0 {
            self.out.push(b'0');
        } else {
            self.out.push(b'1' + random.below(9) as u8);
            self.out.extend((1..whole).map(|_| b'0' + random.below(10) as u8));
        }
        let places = random.below(usize::from(scale) + 1);
        if places > 0 {
            self.out.push(b'.');
            self.out.extend((0..places).map(|_| b'0' + random.below(10) as u8));
            if random.once_in(10) {
                self.out.extend_from_slice(b"00000000000000000000".split_at(random.below(20)).0);
            }
        }
    }

    fn array(&mut self, item: &Type, count: usize, field: &FieldPlan, place: u64) {
        self.out.push(b'[');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
                self.text(self.shape.after_comma);
            }
            self.value(item, field, place * 31 + 7);
        }
        self.out.push(b']');
    }

    fn map(&mut self, key: &Type, value: &Type, field: &FieldPlan, place: u64) {
        let odd = self.shape.odd;
        let count = if self.random.once_in(20) { self.random.below(60) } else { self.random.below(4) };
        self.out.push(b'{');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
                self.text(self.shape.after_comma);
            }
            self.text(self.shape.line);
            if self.random.once_in(odd) {
                string_json(self.random, 10, self.out);
            } else {
                self.map_key(key, field, index, count);
            }
            self.text(self.shape.before_colon);
            self.out.push(b':');
            self.text(self.shape.after_colon);
            self.value(value, field, place * 31 + 11);
        }
        self.out.push(b'}');
    }

    /// A key of that type: numbers and bools stand in quotes. Many keys differ, some are there already.
    fn map_key(&mut self, key: &Type, field: &FieldPlan, index: usize, count: usize) {
        let random = &mut *self.random;
        match &key.kind {
            Kind::String if random.once_in(2) => {
                let text = format!("key {}", index * (1 + random.below(3)));
                text_json(random, &text, self.shape.key_escapes, self.out);
            }
            Kind::String => {
                let text = random_text(random);
                text_json(random, &text, 100, self.out);
            }
            Kind::Int(width) => {
                let (low, high) = width.range();
                let value = if random.once_in(2) { index as i128 } else { random.below(count * 4 + 2) as i128 - 1 };
                let text = value.clamp(low, high).to_string();
                text_json(random, &text, 200, self.out);
            }
            Kind::Bool => self.text(if index.is_multiple_of(2) { "\"true\"" } else { "\"false\"" }),
            Kind::Float32 | Kind::Float64 | Kind::Decimal { .. } => {
                self.out.push(b'"');
                self.value(key, field, 0);
                self.out.push(b'"');
            }
            Kind::Datetime | Kind::Duration if field.unix.is_some() => {
                self.out.push(b'"');
                self.value(key, field, 0);
                self.out.push(b'"');
            }
            _ => self.value(key, field, 0),
        }
    }
}
