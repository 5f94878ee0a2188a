//! Seeded randomness, values of any type, and how many cases to try.

use chalk_types::{Kind, Type, Value};

/// A seeded source of randomness, the same on every machine (Sebastiano Vigna, splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    /// A value of the type, not null. Values are few, so that some are equal; `is_wild` adds those at the edges.
    pub(crate) fn value(&mut self, ty: &Type, is_wild: bool) -> Value {
        let is_wild = is_wild && self.once_in(4);
        let small = self.below(9) as i64 - 4;
        match &ty.kind {
            Kind::Bool => Value::Bool(self.once_in(2)),
            Kind::Int(width) => {
                let (least, greatest) = width.range();
                if is_wild {
                    let near = i128::from(self.next() % 3);
                    return Value::Int(if self.once_in(2) { least + near } else { greatest - near });
                }
                Value::Int(i128::from(small).clamp(least, greatest))
            }
            Kind::Float32 => Value::Float(f64::from(self.float(small, is_wild) as f32)),
            Kind::Float64 => Value::Float(self.float(small, is_wild)),
            Kind::Decimal { precision, .. } => {
                let greatest = 10i128.pow(u32::from(*precision)) - 1;
                let edge = if self.once_in(2) { greatest } else { -greatest };
                Value::Decimal(if is_wild { edge } else { i128::from(small) * 25 })
            }
            Kind::String => {
                Value::String(["", "a", "b", "ab", "ö", "a longer text than most"][self.below(6)].to_owned())
            }
            Kind::Bytes => Value::Bytes([&b""[..], b"a", b"\xff", b"\x00\x01"][self.below(4)].to_vec()),
            Kind::Datetime => Value::Datetime(self.micros(small, is_wild)),
            Kind::Date => Value::Date(if is_wild { i32::MIN } else { small as i32 }),
            Kind::Time => Value::Time(small.abs()),
            Kind::Duration => Value::Duration(self.micros(small, is_wild)),
            Kind::Enum(def) => Value::Enum(self.below(def.variants.len()) as u32),
            Kind::List(item) => {
                let count = self.below(3);
                Value::List((0..count).map(|_| self.item(item, is_wild)).collect())
            }
            Kind::Vector(item, length) => Value::List((0..*length).map(|_| self.item(item, is_wild)).collect()),
            Kind::Map(key, value) => {
                let count = self.below(3);
                Value::Map((0..count).map(|_| (self.value(key, false), self.item(value, is_wild))).collect())
            }
            Kind::Struct(message) => {
                Value::Struct(message.fields.iter().map(|field| self.item(&field.ty, is_wild)).collect())
            }
            Kind::Null => Value::Null,
        }
    }

    fn item(&mut self, ty: &Type, is_wild: bool) -> Value {
        if ty.nullable && self.once_in(4) { Value::Null } else { self.value(ty, is_wild) }
    }

    fn micros(&mut self, small: i64, is_wild: bool) -> i64 {
        match (is_wild, self.once_in(2)) {
            (false, _) => small,
            (true, true) => i64::MIN,
            (true, false) => i64::MAX,
        }
    }

    fn float(&mut self, small: i64, is_wild: bool) -> f64 {
        let edges = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, f64::MIN, 5e-324, 1e300];
        if is_wild { edges[self.below(edges.len())] } else { small as f64 / 2.0 }
    }
}

/// How many random cases there are in all, spread over aggregates and types.
pub(crate) fn cases() -> usize {
    std::env::var("CHALK_DIFF_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

/// Where random cases begin.
pub(crate) fn first_seed() -> u64 {
    std::env::var("CHALK_DIFF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}
