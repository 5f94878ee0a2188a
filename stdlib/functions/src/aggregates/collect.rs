//! Lists of values: the best few, and all of them.
//!
//! One partial serves them all: entries that are kept in the order of the result.
//!
//! This file must not know other families.

use std::cmp::{Ordering, Reverse};

use chalk_catalog::aggregate::{Aggregate, AggregateCall, AggregateDef, Event, Growth, Heap, Order};
use chalk_types::{Value, varint};

use super::bytes::{put_int, take_int};
use super::cell::{Cell, Held};
use super::limited;

const TOP: AggregateDef = AggregateDef {
    name: "top",
    signature: "top(n: const int, x: T) -> [T]? where T: ordered",
    family: "aggregates-lists",
    known_as: &["top_n", "nlargest", "largest", "head"],
    doc: "The `n` greatest values (`n` is from 1 to 1000), the greatest first, each as often as it came; null where there is nothing.",
    examples: &["[1, 3, 2, 3, none].top(3, x) == [3, 3, 2]", "[1].top(3, x) == [1]", "[none].top(3, x) is none"],
    growth: Growth::Bounded,
    order: Order::Free,
    error_bound: "",
    bind: |call| {
        let n = limited(call, 0, "n")?;
        Ok(Box::new(Entries { by: Some((Cell::new(&call.args[0]), Direction::Down)), value: None, limit: n }))
    },
};

/// Lists of values.
pub(super) static DEFS: &[AggregateDef] = &[
    TOP,
    AggregateDef {
        name: "min_by_n",
        signature: "min_by_n(x: T, by: B, n: const int) -> [T]? where B: ordered",
        known_as: &["arg_min_n", "bottom_by"],
        doc: "The `x` of the `n` events with the least `by` (`n` is from 1 to 1000), the least first, of equal ones the earliest event's first (by event time, then by \
              offset). An event with a null in one of the two is passed over. Null where there is nothing.",
        examples: &[
            "[(\"b\", 2), (\"a\", 1), (\"c\", 2)].min_by_n(x, y, 2) == [\"a\", \"b\"]",
            "[(none, 1)].min_by_n(x, y, 2) is none",
        ],
        order: Order::Time,
        bind: |call| ranked(call, Direction::Up),
        ..TOP
    },
    AggregateDef {
        name: "max_by_n",
        signature: "max_by_n(x: T, by: B, n: const int) -> [T]? where B: ordered",
        known_as: &["arg_max_n", "top_by"],
        doc: "The `x` of the `n` events with the greatest `by` (`n` is from 1 to 1000), the greatest first, of equal ones the earliest event's first (by event time, then by \
              offset). An event with a null in one of the two is passed over. Null where there is nothing.",
        examples: &[
            "[(\"b\", 2), (\"a\", 1), (\"c\", 2)].max_by_n(x, y, 2) == [\"b\", \"c\"]",
            "[(none, 1)].max_by_n(x, y, 2) is none",
        ],
        order: Order::Time,
        bind: |call| ranked(call, Direction::Down),
        ..TOP
    },
    AggregateDef {
        name: "array_agg",
        signature: "array_agg(x: T) -> [T]?",
        known_as: &["collect", "collect_list", "list_agg", "list"],
        doc: "All values, in the order of their events (by event time, then by offset); null where there is nothing. Nulls are passed over. Every value is kept: \
              where they are many, `top`, `min_by_n` or `set_agg` may say enough.",
        examples: &["[2, 1, none, 2].array_agg(x) == [2, 1, 2]", "[none].array_agg(x) is none"],
        growth: Growth::Unbounded,
        order: Order::Time,
        bind: |call| Ok(Box::new(Entries { by: None, value: Some(Cell::new(&call.args[0])), limit: usize::MAX })),
        ..TOP
    },
];

fn ranked(call: &AggregateCall, direction: Direction) -> Result<Box<dyn Aggregate>, (usize, String)> {
    let n = limited(call, 0, "n")?;
    let by = Some((Cell::new(&call.args[1]), direction));
    Ok(Box::new(Entries { by, value: Some(Cell::new(&call.args[0])), limit: n }))
}

/// In which order values are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// The least first.
    Up,
    /// The greatest first.
    Down,
}

/// One word: a list of entries, in the order of the result.
struct Entries {
    /// What they are ordered by before time; a value without a `value` is its own result.
    by: Option<(Cell, Direction)>,
    value: Option<Cell>,
    limit: usize,
}

/// An entry of the list. Where the result is what it is ordered by, time and offset are 0: which of equal ones it is
/// does not show.
#[derive(Clone, Debug)]
struct Entry {
    /// A key.
    by: Option<Held>,
    time_us: i64,
    offset: i64,
    value: Option<Held>,
}

type List = Vec<Entry>;

impl Entries {
    fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        let by = match &self.by {
            Some((_, Direction::Down)) => Reverse(&a.by).cmp(&Reverse(&b.by)),
            Some((_, Direction::Up)) => a.by.cmp(&b.by),
            None => Ordering::Equal,
        };
        by.then((a.time_us, a.offset).cmp(&(b.time_us, b.offset)))
    }

    fn entry(&self, event: &Event<'_>) -> Entry {
        let (time_us, offset) = if self.value.is_some() { (event.time_us, event.offset) } else { (0, 0) };
        let by_arg = usize::from(self.value.is_some());
        Entry {
            by: self.by.as_ref().map(|(cell, _)| cell.key(cell.argument(event, by_arg)).into()),
            time_us,
            offset,
            value: self.value.as_ref().map(|cell| cell.argument(event, 0).into()),
        }
    }

    fn result(&self, entry: &Entry) -> Value {
        match (&self.value, &entry.value, &self.by, &entry.by) {
            (Some(cell), Some(value), _, _) => cell.value(value.raw()),
            (None, _, Some((cell, _)), Some(key)) => cell.value(cell.of_key(key).raw()),
            _ => panic!("an entry has a value, or what it is ordered by"),
        }
    }
}

impl Aggregate for Entries {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let list = heap.get_or_insert(&mut partial[0], List::new);
        let entry = self.entry(event);
        // Mostly it comes last: in time, or because it is not among the best.
        let position = match list.last() {
            Some(last) if self.compare(last, &entry) == Ordering::Greater => {
                list.partition_point(|before| self.compare(before, &entry) != Ordering::Greater)
            }
            _ => list.len(),
        };
        if position < self.limit {
            list.insert(position, entry);
            list.truncate(self.limit);
        }
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<List>(later[0]) {
            let list = heap.get_or_insert(&mut partial[0], List::new);
            list.extend_from_slice(later);
            // Stable: of equal ones those folded before stay before.
            list.sort_by(|a, b| self.compare(a, b));
            list.truncate(self.limit);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(heap
            .get::<List>(partial[0])
            .map_or(Value::Null, |list| Value::List(list.iter().map(|entry| self.result(entry)).collect())))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        let list: &[Entry] = heap.get::<List>(partial[0]).map_or(&[], |list| list);
        varint::put(out, list.len() as u64);
        for entry in list {
            if let (Some((cell, _)), Some(key)) = (&self.by, &entry.by) {
                cell.encode(cell.of_key(key).raw(), out);
            }
            if let (Some(cell), Some(value)) = (&self.value, &entry.value) {
                put_int(out, entry.time_us);
                put_int(out, entry.offset);
                cell.encode(value.raw(), out);
            }
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let count = usize::try_from(varint::take(input)?).ok()?;
        if count > self.limit {
            return None;
        }
        let mut list = List::new();
        for _ in 0..count {
            let by = match &self.by {
                Some((cell, _)) => Some(cell.key(cell.decode(input)?).into()),
                None => None,
            };
            let (time_us, offset, value) = match &self.value {
                Some(cell) => (take_int(input)?, take_int(input)?, Some(cell.decode(input)?.into())),
                None => (0, 0, None),
            };
            let entry = Entry { by, time_us, offset, value };
            if list.last().is_some_and(|last| self.compare(last, &entry) == Ordering::Greater) {
                return None;
            }
            list.push(entry);
        }
        if !list.is_empty() {
            partial[0] = heap.insert(list);
        }
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        // A hundred events, where there is no limit.
        let of_cells =
            self.by.as_ref().map_or(0, |(cell, _)| cell.heap_bytes()) + self.value.as_ref().map_or(0, Cell::heap_bytes);
        self.limit.min(100) * (size_of::<Entry>() + of_cells)
    }
}
