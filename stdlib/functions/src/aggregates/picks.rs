//! One value out of many, chosen by time or by another value.
//!
//! Events are in the order of their event time; of two with one event time, the one with the smaller offset comes
//! before. So the order of arrival does not show.
//!
//! This file must not know other families.

use std::cmp::Ordering;

use chalk_catalog::aggregate::{Aggregate, AggregateDef, Event, Growth, Heap, Order};
use chalk_types::{Value, varint};

use super::bytes::{put_int, take_int};
use super::cell::{Cell, Raw};

const FIRST: AggregateDef = AggregateDef {
    name: "first",
    signature: "first(x: T) -> T?",
    family: "aggregates-picks",
    known_as: &["first_value", "earliest"],
    doc: "The value of the earliest event that has one: by event time, then by offset. Null where there is nothing.",
    examples: &["[none, 2, 1].first(x) == 2", "[none].first(x) is none"],
    growth: Growth::Fixed,
    order: Order::Time,
    error_bound: "",
    bind: |call| Ok(Box::new(Pick { by: None, value: Cell::new(&call.args[0]), beyond: Ordering::Less })),
};

/// One value out of many.
pub(super) static DEFS: &[AggregateDef] = &[
    FIRST,
    AggregateDef {
        name: "last",
        signature: "last(x: T) -> T?",
        known_as: &["last_value", "latest"],
        doc: "The value of the latest event that has one: by event time, then by offset. Null where there is nothing.",
        examples: &["[1, 2, none].last(x) == 2", "[none].last(x) is none"],
        bind: |call| Ok(Box::new(Pick { by: None, value: Cell::new(&call.args[0]), beyond: Ordering::Greater })),
        ..FIRST
    },
    AggregateDef {
        name: "min_by",
        signature: "min_by(x: T, by: B) -> T? where B: ordered",
        known_as: &["arg_min", "argmin"],
        doc: "The `x` of the event with the least `by`; of several with the least, the earliest event's (by event time, then by offset). An event with a null in one of \
              the two is passed over. Null where there is nothing.",
        examples: &[
            "[(\"b\", 2), (\"a\", 1), (\"c\", 1)].min_by(x, y) == \"a\"",
            "[(\"a\", none), (none, 1)].min_by(x, y) is none",
        ],
        bind: |call| {
            let by = Some(Cell::new(&call.args[1]));
            Ok(Box::new(Pick { by, value: Cell::new(&call.args[0]), beyond: Ordering::Less }))
        },
        ..FIRST
    },
    AggregateDef {
        name: "max_by",
        signature: "max_by(x: T, by: B) -> T? where B: ordered",
        known_as: &["arg_max", "argmax"],
        doc: "The `x` of the event with the greatest `by`; of several with the greatest, the earliest event's (by event time, then by offset). An event with a null in one of \
              the two is passed over. Null where there is nothing.",
        examples: &[
            "[(\"b\", 2), (\"a\", 1), (\"c\", 2)].max_by(x, y) == \"b\"",
            "[(\"a\", none), (none, 1)].max_by(x, y) is none",
        ],
        bind: |call| {
            let by = Some(Cell::new(&call.args[1]));
            Ok(Box::new(Pick { by, value: Cell::new(&call.args[0]), beyond: Ordering::Greater }))
        },
        ..FIRST
    },
];

const PRESENT: usize = 0;
const TIME: usize = 1;
const OFFSET: usize = 2;
const VALUE: usize = 3;
const BY: usize = 4;

/// Words: whether there is one, its event time, its offset, its value, and what it was chosen by.
struct Pick {
    /// None: by time.
    by: Option<Cell>,
    value: Cell,
    /// How an event compares with the chosen one if it takes its place.
    beyond: Ordering,
}

/// What may be chosen.
struct Candidate<'a> {
    time_us: i64,
    offset: i64,
    value: Raw<'a>,
    by: Option<Raw<'a>>,
}

impl Pick {
    fn candidate<'a>(&self, partial: &[u64], heap: &'a Heap) -> Option<Candidate<'a>> {
        (partial[PRESENT] != 0).then(|| Candidate {
            time_us: partial[TIME] as i64,
            offset: partial[OFFSET] as i64,
            value: self.value.get(partial[VALUE], heap),
            by: self.by.as_ref().map(|by| by.get(partial[BY], heap)),
        })
    }

    fn is_better(&self, new: &Candidate<'_>, old: &Candidate<'_>) -> bool {
        let in_time = (new.time_us, new.offset).cmp(&(old.time_us, old.offset));
        match (&self.by, new.by, old.by) {
            (Some(cell), Some(a), Some(b)) => {
                let order = cell.compare(a, b);
                order == self.beyond || (order == Ordering::Equal && in_time == Ordering::Less)
            }
            // Of two at one place the later one in the order of folding is the last.
            _ => in_time == self.beyond || (in_time == Ordering::Equal && self.beyond == Ordering::Greater),
        }
    }

    fn offer(&self, partial: &mut [u64], heap: &mut Heap, new: &Candidate<'_>) {
        if self.candidate(partial, heap).is_none_or(|old| self.is_better(new, &old)) {
            self.choose(partial, heap, new);
        }
    }

    fn choose(&self, partial: &mut [u64], heap: &mut Heap, new: &Candidate<'_>) {
        partial[PRESENT] = 1;
        partial[TIME] = new.time_us as u64;
        partial[OFFSET] = new.offset as u64;
        self.value.set(&mut partial[VALUE], heap, new.value);
        if let (Some(cell), Some(by)) = (&self.by, new.by) {
            cell.set(&mut partial[BY], heap, by);
        }
    }
}

impl Aggregate for Pick {
    fn words(&self) -> usize {
        if self.by.is_some() { 5 } else { 4 }
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let new = Candidate {
            time_us: event.time_us,
            offset: event.offset,
            value: self.value.argument(event, 0),
            by: self.by.as_ref().map(|by| by.argument(event, 1)),
        };
        self.offer(partial, heap, &new);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(new) = self.candidate(later, later_heap) {
            self.offer(partial, heap, &new);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(self.candidate(partial, heap).map_or(Value::Null, |chosen| self.value.value(chosen.value)))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        out.push(partial[PRESENT] as u8);
        if let Some(chosen) = self.candidate(partial, heap) {
            put_int(out, chosen.time_us);
            put_int(out, chosen.offset);
            self.value.encode(chosen.value, out);
            if let (Some(cell), Some(by)) = (&self.by, chosen.by) {
                cell.encode(by, out);
            }
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        match varint::take_array(input)? {
            [0] => return Some(()),
            [1] => {}
            _ => return None,
        }
        let (time_us, offset) = (take_int(input)?, take_int(input)?);
        let value = self.value.decode(input)?;
        let by = match &self.by {
            Some(cell) => Some(cell.decode(input)?),
            None => None,
        };
        self.choose(partial, heap, &Candidate { time_us, offset, value, by });
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        if partial[PRESENT] != 0 {
            self.value.clear(&mut partial[VALUE], heap);
            if let Some(cell) = &self.by {
                cell.clear(&mut partial[BY], heap);
            }
        }
        partial.fill(0);
    }

    fn heap_bytes(&self) -> usize {
        self.value.heap_bytes() + self.by.as_ref().map_or(0, Cell::heap_bytes)
    }
}
