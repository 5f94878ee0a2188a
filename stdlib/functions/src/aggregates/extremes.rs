//! The least and the greatest.
//!
//! This file must not know other families.

use std::cmp::Ordering;

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::{Aggregate, AggregateDef, Event, Fold, Growth, Heap, Order, finish_each};
use chalk_types::{Value, varint};

use super::bytes::canonical;
use super::cell::{Cell, Raw};

/// Extremes.
pub(super) static DEFS: &[AggregateDef] = &[
    AggregateDef {
        name: "min",
        signature: "min(x: T) -> T? where T: ordered",
        family: "aggregates-extremes",
        known_as: &["minimum", "least_of"],
        doc: "The least; null where there is nothing. NaN is the greatest float, and -0.0 is below 0.0.",
        examples: &["[3, 1, none].min(x) == 1", "[\"b\", \"a\"].min(x) == \"a\"", "[none].min(x) is none"],
        growth: Growth::Fixed,
        order: Order::Free,
        error_bound: "",
        bind: |call| Ok(Box::new(Extreme { beyond: Ordering::Less, cell: Cell::new(&call.args[0]) })),
    },
    AggregateDef {
        name: "max",
        signature: "max(x: T) -> T? where T: ordered",
        family: "aggregates-extremes",
        known_as: &["maximum", "greatest_of"],
        doc: "The greatest; null where there is nothing. NaN is the greatest float, and 0.0 is above -0.0.",
        examples: &["[3, 1, none].max(x) == 3", "[\"b\", \"a\"].max(x) == \"b\"", "[none].max(x) is none"],
        growth: Growth::Fixed,
        order: Order::Free,
        error_bound: "",
        bind: |call| Ok(Box::new(Extreme { beyond: Ordering::Greater, cell: Cell::new(&call.args[0]) })),
    },
];

/// Two words: how many, and the extreme one.
struct Extreme {
    /// How a value compares with the extreme one so far if it takes its place.
    beyond: Ordering,
    cell: Cell,
}

impl Extreme {
    fn take(&self, partial: &mut [u64], heap: &mut Heap, count: u64, value: Raw<'_>) {
        if partial[0] == 0 || self.cell.compare(value, self.cell.get(partial[1], heap)) == self.beyond {
            self.cell.set(&mut partial[1], heap, value);
        }
        partial[0] += count;
    }
}

impl Aggregate for Extreme {
    fn words(&self) -> usize {
        2
    }

    fn fold(&self) -> Option<Fold> {
        match (self.cell.is_float(), self.beyond) {
            _ if !self.cell.is_word() || self.cell.is_uint64() => None,
            (true, Ordering::Less) => Some(Fold::MinFloat),
            (true, _) => Some(Fold::MaxFloat),
            (false, Ordering::Less) => Some(Fold::MinInt),
            (false, _) => Some(Fold::MaxInt),
        }
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        self.take(partial, heap, 1, self.cell.argument(event, 0));
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if later[0] != 0 {
            self.take(partial, heap, later[0], self.cell.get(later[1], later_heap));
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(if partial[0] == 0 { Value::Null } else { self.cell.value(self.cell.get(partial[1], heap)) })
    }

    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        if !out.has_words() || !self.cell.is_word() {
            return finish_each(self, partials, heap, out, failed);
        }
        let is_float = self.cell.is_float();
        out.extend_words(partials.chunks_exact(2).map(|partial| {
            let word = if is_float { canonical(partial[1]) } else { partial[1] };
            (partial[0] != 0).then_some(word)
        }));
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        varint::put(out, partial[0]);
        if partial[0] != 0 {
            self.cell.encode(self.cell.get(partial[1], heap), out);
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let count = varint::take(input)?;
        if count != 0 {
            let value = self.cell.decode(input)?;
            self.cell.set(&mut partial[1], heap, value);
        }
        partial[0] = count;
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        if partial[0] != 0 {
            self.cell.clear(&mut partial[1], heap);
        }
        partial.fill(0);
    }

    fn heap_bytes(&self) -> usize {
        self.cell.heap_bytes()
    }
}
