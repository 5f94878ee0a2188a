//! Different values: how many, which, and which of them is frequent.
//!
//! Values are different as `==` says: -0.0 is 0.0, and NaN is NaN.
//!
//! Frequent values are counted here: the sketches at hand keep them in tables that remember in which order they were
//! filled, and after a restart would forget others than before it.
//!
//! This file must not know other families.

use chalk_catalog::aggregate::{Aggregate, AggregateCall, AggregateDef, Event, Growth, Heap, Order};
use chalk_types::{Value, varint};

use super::cell::{Cell, Held};
use super::counts::{Counting, Counts};
use super::hyperloglog::HyperLogLog;
use super::limited;

/// Different values.
pub(super) static DEFS: &[AggregateDef] = &[
    AggregateDef {
        name: "count_distinct",
        signature: "count_distinct(x: T) -> int",
        family: "aggregates-distinct",
        known_as: &["num_unique", "n_unique", "nunique", "distinct_count", "unique"],
        doc: "How many different values there are, exactly; 0 where there is nothing. All different values are kept: where they are many, \
              `approx_count_distinct` takes 4 KiB.",
        examples: &[
            "[1, 2, 1, none].count_distinct(x) == 2",
            "[0.0, -0.0].count_distinct(x) == 1",
            "[].count_distinct(x) == 0",
        ],
        growth: Growth::Unbounded,
        order: Order::Free,
        error_bound: "",
        bind: |call| {
            let finish = |_: &Counting, counts: &Counts| Value::Int(counts.len() as i128);
            Ok(Box::new(Counting { cell: Cell::new(&call.args[0]), finish, nothing: Value::Int(0) }))
        },
    },
    AggregateDef {
        name: "approx_count_distinct",
        signature: "approx_count_distinct(x: T) -> int",
        family: "aggregates-distinct",
        known_as: &["approx_distinct", "hll", "hyperloglog", "cpc_sketch", "approx_unique"],
        doc: "About how many different values there are; 0 where there is nothing. Up to 512 of them are counted one by one, then HyperLogLog with 4096 registers (P. Flajolet \
              and others, 2007) takes over: 4 KiB at most.",
        examples: &["[1, 2, 1, none].approx_count_distinct(x) == 2", "[].approx_count_distinct(x) == 0"],
        growth: Growth::Bounded,
        order: Order::Free,
        error_bound: "Up to 512 different values it is exact, but for equal hashes of 64 bits. Above, the standard error is 1.7 % of the number: two of three results are within it, and \
                      997 of 1000 within 5 %.",
        bind: |call| Ok(Box::new(HyperLogLog::new(Cell::new(&call.args[0])))),
    },
    AggregateDef {
        name: "set_agg",
        signature: "set_agg(x: T) -> [T]?",
        family: "aggregates-distinct",
        known_as: &["collect_set", "array_agg_distinct", "set_union"],
        doc: "The different values, in ascending order (enums in the order of their variants, lists and the like in a fixed one); null where there is nothing. \
              Nulls are passed over.",
        examples: &["[2, 1, 2, none].set_agg(x) == [1, 2]", "[none].set_agg(x) is none"],
        growth: Growth::Unbounded,
        order: Order::Free,
        error_bound: "",
        bind: |call| {
            let finish = |own: &Counting, counts: &Counts| {
                Value::List(counts.entries().iter().map(|(key, _)| own.value(key)).collect())
            };
            Ok(Box::new(Counting { cell: Cell::new(&call.args[0]), finish, nothing: Value::Null }))
        },
    },
    AggregateDef {
        name: "mode",
        signature: "mode(x: T) -> T?",
        family: "aggregates-distinct",
        known_as: &["most_frequent", "most_common"],
        doc: "The most frequent value; of equally frequent ones the least. Null where there is nothing.",
        examples: &["[3, 1, 3, none, none].mode(x) == 3", "[2, 1].mode(x) == 1", "[none].mode(x) is none"],
        growth: Growth::Unbounded,
        order: Order::Free,
        error_bound: "",
        bind: |call| {
            let finish = |own: &Counting, counts: &Counts| {
                by_frequency(counts).first().map_or(Value::Null, |(key, _)| own.value(key))
            };
            Ok(Box::new(Counting { cell: Cell::new(&call.args[0]), finish, nothing: Value::Null }))
        },
    },
    AggregateDef {
        name: "approx_top_k",
        signature: "approx_top_k(x: T, k: const int) -> [T]?",
        family: "aggregates-distinct",
        known_as: &["approx_most_frequent", "top_k", "heavy_hitters"],
        doc: "The most frequent values, `k` at most (`k` is from 1 to 1000), the most frequent first and of equally frequent ones the least; null where there \
              is nothing. Counters are those of J. Misra and D. Gries (1982), merged as P. Agarwal and others show (*Mergeable \
              Summaries*, 2012): 16 for each value asked for, 256 at least.",
        examples: &[
            "[\"a\", \"b\", \"b\", none].approx_top_k(x, 1) == [\"b\"]",
            "[2, 1].approx_top_k(x, 5) == [1, 2]",
            "[none].approx_top_k(x, 5) is none",
        ],
        growth: Growth::Bounded,
        order: Order::Bits,
        error_bound: "With c counters (16 k, 256 at least) a count is short by n / c at most, n being the number of values: exact while there are no more \
                      than c different values, and no value with a share above 1 / c is forgotten.",
        bind: |call| frequent(call),
    },
];

/// The most frequent first, of equally frequent ones the least.
fn by_frequency(counts: &Counts) -> Vec<(Held, u64)> {
    let mut entries = counts.entries();
    entries.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    entries
}

fn frequent(call: &AggregateCall) -> Result<Box<dyn Aggregate>, (usize, String)> {
    let k = limited(call, 0, "k")?;
    Ok(Box::new(Frequent { cell: Cell::new(&call.args[0]), k, counters: (16 * k).max(256) }))
}

/// One word: counters of the values that may be frequent.
struct Frequent {
    cell: Cell,
    k: usize,
    counters: usize,
}

impl Frequent {
    /// Where there are too many counters, takes off all of them what the first one too many has.
    fn shrink(&self, counts: &mut Counts) {
        if counts.len() > self.counters {
            let mut sizes: Vec<u64> = counts.entries().iter().map(|(_, count)| *count).collect();
            sizes.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
            counts.subtract(sizes[self.counters]);
        }
    }
}

impl Aggregate for Frequent {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let counts = heap.get_or_insert(&mut partial[0], || Counts::new(&self.cell));
        counts.add(self.cell.distinct_key(self.cell.argument(event, 0)), 1);
        self.shrink(counts);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<Counts>(later[0]) {
            let counts = heap.get_or_insert(&mut partial[0], || Counts::new(&self.cell));
            counts.add_all(later);
            self.shrink(counts);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        let Some(counts) = heap.get::<Counts>(partial[0]) else { return Ok(Value::Null) };
        let mut entries = by_frequency(counts);
        entries.truncate(self.k);
        Ok(Value::List(entries.iter().map(|(key, _)| self.cell.value(self.cell.of_key(key).raw())).collect()))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        // A partial that has forgotten every value is not an empty one.
        match heap.get::<Counts>(partial[0]) {
            Some(counts) => {
                out.push(1);
                counts.encode(&self.cell, out);
            }
            None => out.push(0),
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        match varint::take_array(input)? {
            [0] => Some(()),
            [1] => {
                let counts = Counts::decode(&self.cell, input)?;
                if counts.len() > self.counters {
                    return None;
                }
                partial[0] = heap.insert(counts);
                Some(())
            }
            _ => None,
        }
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        self.counters * (24 + self.cell.heap_bytes())
    }
}
