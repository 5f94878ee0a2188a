//! Counts, sums and means: what adds up.
//!
//! Integers are summed exactly, in 128 bits, and a decimal's in 192, so that only the result can be out of range;
//! whether it is, is asked when someone reads it. Floats are summed as they come.
//!
//! This file must not know other families.

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::{
    Aggregate, AggregateCall, AggregateDef, Event, Fold, Growth, Heap, Order, finish_each, wide,
};
use chalk_types::{IntWidth, Kind, Type, Value, varint};

use super::bytes::{canonical, put_float, put_int, put_wide, take_float, take_int, take_wide};

const COUNT: AggregateDef = AggregateDef {
    name: "count",
    signature: "count() -> int",
    family: "aggregates-sums",
    known_as: &["size", "num_rows"],
    doc: "How many there are; 0 where there are none. With an argument: how many have one that is not null.",
    examples: &["[1, 2, none].count() == 3", "[1, 2, none].count(x) == 2", "[].count() == 0"],
    growth: Growth::Fixed,
    order: Order::Free,
    error_bound: "",
    bind: |_| Ok(Box::new(Count)),
};

const SUM: AggregateDef = AggregateDef {
    name: "sum",
    signature: "sum(x: int) -> int",
    family: "aggregates-sums",
    known_as: &["total", "sum_of"],
    doc: "The sum; 0 where there is nothing to sum. Integers and durations are summed exactly: if the result does not fit its type, whoever reads \
          it fails with `integer overflow`, and an intermediate sum never does. A sum of decimals has 38 digits.",
    examples: &["[1, 2, none].sum(x) == 3", "[0.5, 0.25].sum(x) == 0.75", "[].sum(x) == 0"],
    growth: Growth::Fixed,
    order: Order::Free,
    error_bound: "",
    bind: |call| Ok(sum(call)),
};

const MEAN: AggregateDef = AggregateDef {
    name: "mean",
    signature: "mean(x: int) -> float?",
    family: "aggregates-sums",
    known_as: &["avg", "average"],
    doc: "The arithmetic mean; null where there is nothing. Integers and decimals are summed exactly before the division. The mean of durations \
          is a duration, rounded to the nearest microsecond, halves to the even one.",
    examples: &["[1, 2, none].mean(x) == 1.5", "[none].mean(x) is none"],
    growth: Growth::Fixed,
    order: Order::Free,
    error_bound: "",
    bind: |call| Ok(mean(call)),
};

const ANY: AggregateDef = AggregateDef {
    name: "any",
    signature: "any(x: bool) -> bool?",
    family: "aggregates-sums",
    known_as: &["bool_or", "some", "exists"],
    doc: "Whether one is true; null where there is nothing (`?? false`, if nothing should mean no).",
    examples: &["[true, false, none].any(x) == true", "[false].any(x) == false", "[none].any(x) is none"],
    growth: Growth::Fixed,
    order: Order::Free,
    error_bound: "",
    bind: |_| Ok(Box::new(Seen { is_any: true })),
};

/// Counts, sums and means.
pub(super) static DEFS: &[AggregateDef] = &[
    COUNT,
    AggregateDef { signature: "count(x: T) -> int", ..COUNT },
    SUM,
    AggregateDef { signature: "sum(x: uint64) -> uint64", ..SUM },
    AggregateDef { signature: "sum(x: float) -> float", order: Order::Bits, ..SUM },
    AggregateDef { signature: "sum(x: decimal) -> decimal", ..SUM },
    AggregateDef { signature: "sum(x: duration) -> duration", ..SUM },
    MEAN,
    AggregateDef { signature: "mean(x: uint64) -> float?", ..MEAN },
    AggregateDef { signature: "mean(x: float) -> float?", order: Order::Bits, ..MEAN },
    AggregateDef { signature: "mean(x: decimal) -> float?", ..MEAN },
    AggregateDef { signature: "mean(x: duration) -> duration?", ..MEAN },
    ANY,
    AggregateDef {
        name: "all",
        signature: "all(x: bool) -> bool?",
        known_as: &["bool_and", "every"],
        doc: "Whether all are true; null where there is nothing (`?? true`, if nothing should mean yes).",
        examples: &["[true, false, none].all(x) == false", "[true, none].all(x) == true", "[none].all(x) is none"],
        bind: |_| Ok(Box::new(Seen { is_any: false })),
        ..ANY
    },
];

/// Whether words of the type are signed.
pub(super) fn is_signed(ty: &Type) -> bool {
    !matches!(&ty.kind, Kind::Int(width) if !width.is_signed())
}

struct Count;

impl Aggregate for Count {
    fn words(&self) -> usize {
        1
    }

    fn fold(&self) -> Option<Fold> {
        Some(Fold::Count)
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, _: &Event<'_>) {
        Fold::Count.update(partial, 0);
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        Fold::Count.merge(partial, later);
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        Ok(Value::Int(i128::from(partial[0])))
    }

    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        if !out.has_words() {
            return finish_each(self, partials, heap, out, failed);
        }
        out.extend_words(partials.iter().map(|count| Some(*count)));
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        varint::put(out, partial[0]);
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        partial[0] = varint::take(input)?;
        Some(())
    }
}

fn sum(call: &AggregateCall) -> Box<dyn Aggregate> {
    let ty = &call.args[0];
    match &ty.kind {
        Kind::Float32 | Kind::Float64 => Box::new(FloatSum { is_mean: false }),
        Kind::Decimal { scale, .. } => Box::new(DecimalSum { is_mean: false, scale: *scale }),
        _ => Box::new(IntSum { is_mean: false, is_signed: is_signed(ty), result: call.result.clone() }),
    }
}

fn mean(call: &AggregateCall) -> Box<dyn Aggregate> {
    let ty = &call.args[0];
    match &ty.kind {
        Kind::Float32 | Kind::Float64 => Box::new(FloatSum { is_mean: true }),
        Kind::Decimal { scale, .. } => Box::new(DecimalSum { is_mean: true, scale: *scale }),
        _ => Box::new(IntSum { is_mean: true, is_signed: is_signed(ty), result: call.result.clone() }),
    }
}

const OVERFLOW: &str = "integer overflow";

/// Sum or mean of integers and durations.
struct IntSum {
    is_mean: bool,
    is_signed: bool,
    result: Type,
}

impl IntSum {
    fn operation(&self) -> Fold {
        if self.is_mean { Fold::MeanInt(self.is_signed) } else { Fold::SumInt(self.is_signed) }
    }

    /// An exact sum as a value of the result's type.
    fn in_range(&self, sum: i128) -> Result<Value, String> {
        let overflow = || OVERFLOW.to_owned();
        match &self.result.kind {
            Kind::Duration => i64::try_from(sum).map(Value::Duration).map_err(|_| overflow()),
            Kind::Int(width) => {
                let (least, greatest) = width.range();
                if (least..=greatest).contains(&sum) { Ok(Value::Int(sum)) } else { Err(overflow()) }
            }
            other => panic!("no exact sum is a {other}"),
        }
    }
}

impl Aggregate for IntSum {
    fn words(&self) -> usize {
        self.operation().words()
    }

    fn fold(&self) -> Option<Fold> {
        Some(self.operation())
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, event: &Event<'_>) {
        self.operation().update(partial, event.word(0));
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        self.operation().merge(partial, later);
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        if !self.is_mean {
            return self.in_range(wide(partial));
        }
        let (count, sum) = (i128::from(partial[0]), wide(&partial[1..]));
        match (count, &self.result.kind) {
            (0, _) => Ok(Value::Null),
            (_, Kind::Duration) => self.in_range(divided_to_even(sum, count)),
            _ => Ok(Value::Float(sum as f64 / count as f64)),
        }
    }

    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        let is_word = matches!(out.ty.kind, Kind::Int(IntWidth::Int64) | Kind::Duration);
        if self.is_mean || !is_word || out.ty.kind != self.result.kind {
            return finish_each(self, partials, heap, out, failed);
        }
        out.extend_words(partials.chunks_exact(2).enumerate().map(|(position, partial)| {
            let sum = i64::try_from(wide(partial));
            sum.map_err(|_| failed.push((position, OVERFLOW.to_owned()))).ok().map(|sum| sum as u64)
        }));
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        if self.is_mean {
            varint::put(out, partial[0]);
        }
        put_wide(out, wide(&partial[usize::from(self.is_mean)..]));
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        let count = if self.is_mean { varint::take(input)? } else { 0 };
        let sum = take_wide(input)?;
        if self.is_mean {
            partial[0] = count;
        }
        let words = &mut partial[usize::from(self.is_mean)..];
        (words[0], words[1]) = (sum as u64, (sum >> 64) as u64);
        Some(())
    }
}

/// The nearest integer to a quotient, halves to the even one; the divisor is above 0.
fn divided_to_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}

/// Sum or mean of floats.
struct FloatSum {
    is_mean: bool,
}

impl FloatSum {
    fn operation(&self) -> Fold {
        if self.is_mean { Fold::MeanFloat } else { Fold::SumFloat }
    }

    #[inline]
    fn result(&self, partial: &[u64]) -> Option<f64> {
        let sum = f64::from_bits(canonical(partial[usize::from(self.is_mean)]));
        match (self.is_mean, partial[0]) {
            (false, _) => Some(sum),
            (true, 0) => None,
            (true, count) => Some(sum / count as f64),
        }
    }
}

impl Aggregate for FloatSum {
    fn words(&self) -> usize {
        self.operation().words()
    }

    fn fold(&self) -> Option<Fold> {
        Some(self.operation())
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, event: &Event<'_>) {
        self.operation().update(partial, event.word(0));
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        self.operation().merge(partial, later);
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        Ok(self.result(partial).map_or(Value::Null, Value::Float))
    }

    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        if out.ty.kind != Kind::Float64 {
            return finish_each(self, partials, heap, out, failed);
        }
        let results = partials.chunks_exact(self.words()).map(|partial| self.result(partial));
        out.extend_words(results.map(|result| result.map(f64::to_bits)));
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        if self.is_mean {
            varint::put(out, partial[0]);
        }
        put_float(out, partial[usize::from(self.is_mean)]);
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        let count = if self.is_mean { varint::take(input)? } else { 0 };
        let sum = take_float(input)?;
        if self.is_mean {
            partial[0] = count;
        }
        partial[usize::from(self.is_mean)] = sum;
        Some(())
    }
}

/// Sum or mean of decimals: four words, how many and an integer of 192 bits, low first.
struct DecimalSum {
    is_mean: bool,
    scale: u8,
}

impl DecimalSum {
    fn add(partial: &mut [u64], low: u128, high: i64) {
        let (sum, carry) = (wide(&partial[1..]) as u128).overflowing_add(low);
        partial[1] = sum as u64;
        partial[2] = (sum >> 64) as u64;
        partial[3] = (partial[3] as i64).wrapping_add(high).wrapping_add(i64::from(carry)) as u64;
    }
}

impl Aggregate for DecimalSum {
    fn words(&self) -> usize {
        4
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, event: &Event<'_>) {
        let value = i128::from_le_bytes(event.bytes(0).try_into().expect("a decimal has 16 bytes"));
        partial[0] += 1;
        DecimalSum::add(partial, value as u128, (value >> 127) as i64);
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        partial[0] += later[0];
        DecimalSum::add(partial, wide(&later[1..]) as u128, later[3] as i64);
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        let (low, high) = (wide(&partial[1..]), partial[3] as i64);
        let fits = high == (low >> 127) as i64 && low.unsigned_abs() < 10u128.pow(38);
        if self.is_mean {
            if partial[0] == 0 {
                return Ok(Value::Null);
            }
            let sum = if fits { low as f64 } else { high as f64 * 2f64.powi(128) + low as u128 as f64 };
            return Ok(Value::Float(sum / 10f64.powi(i32::from(self.scale)) / partial[0] as f64));
        }
        if fits { Ok(Value::Decimal(low)) } else { Err("decimal overflow: more than 38 digits".to_owned()) }
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        varint::put(out, partial[0]);
        put_wide(out, wide(&partial[1..]));
        put_int(out, partial[3] as i64);
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        let (count, low, high) = (varint::take(input)?, take_wide(input)?, take_int(input)?);
        partial.copy_from_slice(&[count, low as u64, (low >> 64) as u64, high as u64]);
        Some(())
    }
}

const SEEN_FALSE: u64 = 1;
const SEEN_TRUE: u64 = 2;

/// Whether any or all are true: a bit for each value seen.
struct Seen {
    is_any: bool,
}

impl Aggregate for Seen {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, event: &Event<'_>) {
        partial[0] |= if event.word(0) == 0 { SEEN_FALSE } else { SEEN_TRUE };
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        partial[0] |= later[0];
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        Ok(match partial[0] {
            0 => Value::Null,
            seen if self.is_any => Value::Bool(seen & SEEN_TRUE != 0),
            seen => Value::Bool(seen & SEEN_FALSE == 0),
        })
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        out.push(partial[0] as u8);
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        let [seen] = varint::take_array(input)?;
        if u64::from(seen) > SEEN_FALSE | SEEN_TRUE {
            return None;
        }
        partial[0] = u64::from(seen);
        Some(())
    }
}
