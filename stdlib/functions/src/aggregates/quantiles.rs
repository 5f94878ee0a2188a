//! Quantiles: the exact median, and percentiles of a sketch.
//!
//! The sketch is DDSketch (C. Masson and others, *DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
//! Relative-Error Guarantees*, 2019) with the uniform collapse of I. Epicoco and others (*UDDSketch*, 2020). Buckets
//! are read off a float's bits, so that no logarithm, which may differ from machine to machine, decides. It is chosen
//! over KLL, which throws a coin, and over t-digest, whose error has no bound and whose bits depend on when it was
//! last compressed: here the same values give the same bits, in any order, merged or not.
//!
//! This file must not know other families.

use std::collections::BTreeMap;

use chalk_catalog::aggregate::{Aggregate, AggregateCall, AggregateDef, Event, Growth, Heap, Order, float_rank};
use chalk_types::{Value, varint};

use super::bytes::{put_float, put_int, take_float, take_int};
use super::cell::Cell;
use super::counts::{Counting, Counts};
use super::numeric::Numeric;

/// Quantiles.
pub(super) static DEFS: &[AggregateDef] = &[
    AggregateDef {
        name: "median",
        signature: "median(x: T) -> float? where T: numeric",
        family: "aggregates-quantiles",
        known_as: &["percentile_cont", "quantile"],
        doc: "The middle value, exactly; of an even number of values the mean of the two in the middle. Null where there is nothing. All different \
              values are kept: where they are many, `approx_percentile(x, 0.5)` takes less.",
        examples: &["[3, 1, 2, none].median(x) == 2.0", "[4, 1].median(x) == 2.5", "[none].median(x) is none"],
        growth: Growth::Unbounded,
        order: Order::Free,
        error_bound: "",
        bind: |call| {
            let median = Counting { cell: Cell::new(&call.args[0]), finish: |_, _| Value::Null, nothing: Value::Null };
            Ok(Box::new(Median { counting: median, numeric: Numeric::new(&call.args[0]) }))
        },
    },
    AggregateDef {
        name: "approx_percentile",
        signature: "approx_percentile(x: T, p: const float) -> float? where T: numeric",
        family: "aggregates-quantiles",
        known_as: &["approx_quantile", "percentile", "percentile_approx", "percentile_disc"],
        doc: "About the value below which the share `p` of all values lies (0.95: the 95th percentile; `p` is from 0 to 1): of n values in order, \
              the one with the number `p` × n, rounded up. `p` = 0 gives the least and `p` = 1 the greatest, exactly. NaN is the greatest. Null where there is nothing.",
        examples: &[
            "[1, 2, none].approx_percentile(x, 1.0) == 2.0",
            "[7, 7, 7].approx_percentile(x, 0.5) == 7.0",
            "[none].approx_percentile(x, 0.5) is none",
        ],
        growth: Growth::Bounded,
        order: Order::Free,
        error_bound: "The result is within 0.4 % of the value that has that number, while values fall into no more than 2048 buckets; values of one sign whose greatest is \
                      up to 60 000 times the least always do. Where they need more, the error doubles for each halving of their number.",
        bind: |call| percentile(call),
    },
];

struct Median {
    counting: Counting,
    numeric: Numeric,
}

impl Aggregate for Median {
    fn words(&self) -> usize {
        self.counting.words()
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        self.counting.update(partial, heap, event);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        self.counting.merge(partial, heap, later, later_heap);
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        let Some(counts) = heap.get::<Counts>(partial[0]) else { return Ok(Value::Null) };
        let entries = counts.entries();
        let total: u64 = entries.iter().map(|(_, count)| count).sum();
        let at = |position: u64| {
            let mut before = 0;
            let (key, _) = entries
                .iter()
                .find(|(_, count)| {
                    before += count;
                    position < before
                })
                .expect("the position is one of them");
            self.counting.cell.of_key(key)
        };
        let (low, high) = (at((total - 1) / 2), at(total / 2));
        Ok(Value::Float(self.numeric.midpoint(low.raw(), high.raw())))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        self.counting.encode(partial, heap, out);
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        self.counting.decode(input, partial, heap)
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        self.counting.clear(partial, heap);
    }

    fn heap_bytes(&self) -> usize {
        self.counting.heap_bytes()
    }
}

fn percentile(call: &AggregateCall) -> Result<Box<dyn Aggregate>, (usize, String)> {
    match call.params[0] {
        Value::Float(p) if (0.0..=1.0).contains(&p) => {
            Ok(Box::new(Percentile { cell: Cell::new(&call.args[0]), numeric: Numeric::new(&call.args[0]), p }))
        }
        _ => Err((0, "`p` is a share, from 0 to 1: the 95th percentile is 0.95".to_owned())),
    }
}

/// Buckets of an octave, as a power of two, before any collapse.
const RESOLUTION: u32 = 7;
/// Most buckets that a sketch has.
const BUCKETS: usize = 2048;
/// Shift at which all finite floats have no more buckets than that.
const GREATEST_SHIFT: u32 = 53;

/// Finite floats in buckets of equal ratio, the others counted.
#[derive(Clone, Debug, PartialEq)]
struct Sketch {
    /// A bucket's key is the rank of its floats without so many bits.
    shift: u32,
    buckets: BTreeMap<i64, u64>,
    negative_infinities: u64,
    infinities: u64,
    nans: u64,
    /// Of the finite ones, as ranks.
    least: i64,
    greatest: i64,
}

impl Sketch {
    fn new() -> Sketch {
        Sketch {
            shift: 52 - RESOLUTION,
            buckets: BTreeMap::new(),
            negative_infinities: 0,
            infinities: 0,
            nans: 0,
            least: i64::MAX,
            greatest: i64::MIN,
        }
    }

    fn add(&mut self, value: f64) {
        if value.is_nan() {
            self.nans += 1;
        } else if value == f64::INFINITY {
            self.infinities += 1;
        } else if value == f64::NEG_INFINITY {
            self.negative_infinities += 1;
        } else {
            let rank = float_rank(if value == 0.0 { 0 } else { value.to_bits() });
            (self.least, self.greatest) = (self.least.min(rank), self.greatest.max(rank));
            *self.buckets.entry(rank >> self.shift).or_default() += 1;
            self.collapse();
        }
    }

    fn merge(&mut self, other: &Sketch) {
        self.nans += other.nans;
        self.infinities += other.infinities;
        self.negative_infinities += other.negative_infinities;
        (self.least, self.greatest) = (self.least.min(other.least), self.greatest.max(other.greatest));
        let shift = self.shift.max(other.shift);
        self.widen(shift);
        for (key, count) in &other.buckets {
            *self.buckets.entry(key >> (shift - other.shift)).or_default() += count;
        }
        self.collapse();
    }

    /// Halves the resolution until there are not too many buckets. However values came, the outcome is the finest
    /// resolution at which all of them fit.
    fn collapse(&mut self) {
        while self.buckets.len() > BUCKETS {
            self.widen(self.shift + 1);
        }
    }

    fn widen(&mut self, shift: u32) {
        let steps = shift - self.shift;
        if steps > 0 {
            let mut buckets = BTreeMap::new();
            for (key, count) in &self.buckets {
                *buckets.entry(key >> steps).or_default() += count;
            }
            self.buckets = buckets;
            self.shift = shift;
        }
    }

    fn finite(&self) -> u64 {
        self.buckets.values().sum()
    }

    fn quantile(&self, p: f64) -> f64 {
        let finite = self.finite();
        let total = self.negative_infinities + finite + self.infinities + self.nans;
        let number = ((p * total as f64).ceil() as u64).clamp(1, total);
        if number <= self.negative_infinities {
            return f64::NEG_INFINITY;
        }
        let mut before = self.negative_infinities;
        if number > before + finite {
            return if number <= before + finite + self.infinities { f64::INFINITY } else { f64::NAN };
        }
        if number == before + 1 {
            return value_of_rank(self.least);
        }
        if number == before + finite {
            return value_of_rank(self.greatest);
        }
        for (key, count) in &self.buckets {
            before += count;
            if number <= before {
                let first = key << self.shift;
                let last = first | ((1 << self.shift) - 1);
                let (low, high) = (first.max(self.least), last.min(self.greatest));
                return f64::midpoint(value_of_rank(low), value_of_rank(high));
            }
        }
        unreachable!("the number is one of the finite ones")
    }
}

fn value_of_rank(rank: i64) -> f64 {
    f64::from_bits((rank ^ (((rank >> 63) as u64) >> 1) as i64) as u64)
}

/// One word: a sketch.
struct Percentile {
    cell: Cell,
    numeric: Numeric,
    p: f64,
}

impl Aggregate for Percentile {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let value = self.numeric.float(self.cell.argument(event, 0));
        heap.get_or_insert(&mut partial[0], Sketch::new).add(value);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<Sketch>(later[0]) {
            heap.get_or_insert(&mut partial[0], Sketch::new).merge(later);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(heap.get::<Sketch>(partial[0]).map_or(Value::Null, |sketch| Value::Float(sketch.quantile(self.p))))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        let Some(sketch) = heap.get::<Sketch>(partial[0]) else { return out.push(0) };
        // The shift is never 0, which therefore says that nothing follows.
        out.push(sketch.shift as u8);
        for count in [sketch.negative_infinities, sketch.infinities, sketch.nans, sketch.buckets.len() as u64] {
            varint::put(out, count);
        }
        let mut last = 0i64;
        for (key, count) in &sketch.buckets {
            put_int(out, key.wrapping_sub(last));
            varint::put(out, *count);
            last = *key;
        }
        if !sketch.buckets.is_empty() {
            put_float(out, value_of_rank(sketch.least).to_bits());
            put_float(out, value_of_rank(sketch.greatest).to_bits());
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let [shift] = varint::take_array(input)?;
        if shift == 0 {
            return Some(());
        }
        let mut sketch = Sketch::new();
        sketch.shift = u32::from(shift);
        sketch.negative_infinities = varint::take(input)?;
        sketch.infinities = varint::take(input)?;
        sketch.nans = varint::take(input)?;
        let buckets = usize::try_from(varint::take(input)?).ok()?;
        if !(52 - RESOLUTION..=GREATEST_SHIFT).contains(&sketch.shift) || buckets > BUCKETS {
            return None;
        }
        let specials = sketch.negative_infinities.checked_add(sketch.infinities)?;
        let mut total = specials.checked_add(sketch.nans)?;
        let mut last = 0i64;
        for _ in 0..buckets {
            last = last.wrapping_add(take_int(input)?);
            let count = varint::take(input)?;
            total = total.checked_add(count)?;
            let is_new = sketch.buckets.last_key_value().is_none_or(|(greatest, _)| *greatest < last);
            if !is_new || count == 0 {
                return None;
            }
            sketch.buckets.insert(last, count);
        }
        if let (Some((first, _)), Some((greatest, _))) =
            (sketch.buckets.first_key_value(), sketch.buckets.last_key_value())
        {
            let ranks = (float_rank(take_float(input)?), float_rank(take_float(input)?));
            if ranks.0 >> sketch.shift != *first || ranks.1 >> sketch.shift != *greatest || ranks.0 > ranks.1 {
                return None;
            }
            (sketch.least, sketch.greatest) = ranks;
        }
        if total == 0 {
            return None;
        }
        partial[0] = heap.insert(sketch);
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        BUCKETS * 24
    }
}
