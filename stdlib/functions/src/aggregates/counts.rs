//! How often each value came: the one partial of all aggregates that look at different values.
//!
//! Values are kept in their order, so that bytes and results depend on which values came and not on when.
//!
//! This file must not know which aggregate counts.

use std::collections::BTreeMap;

use chalk_catalog::aggregate::{Aggregate, Event, Heap};
use chalk_types::{Value, varint};

use super::cell::{Cell, Held, Key};

/// Values with how often each came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Of a type of words.
    Words(BTreeMap<u64, u64>),
    /// Of any other type.
    Bytes(BTreeMap<Box<[u8]>, u64>),
}

impl Counts {
    /// None yet.
    pub(crate) fn new(cell: &Cell) -> Counts {
        if cell.is_word() { Counts::Words(BTreeMap::new()) } else { Counts::Bytes(BTreeMap::new()) }
    }

    /// Different values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Counts::Words(counts) => counts.len(),
            Counts::Bytes(counts) => counts.len(),
        }
    }

    /// Counts a value so many times.
    pub(crate) fn add(&mut self, key: Key<'_>, times: u64) {
        match (self, key) {
            (Counts::Words(counts), Key::Word(word)) => *counts.entry(word).or_default() += times,
            (Counts::Bytes(counts), Key::Bytes(bytes)) => match counts.get_mut(&*bytes) {
                Some(count) => *count += times,
                None => {
                    counts.insert(bytes.into(), times);
                }
            },
            _ => panic!("a word and bytes are not of one type"),
        }
    }

    /// Counts what another has counted.
    pub(crate) fn add_all(&mut self, other: &Counts) {
        match (self, other) {
            (Counts::Words(counts), Counts::Words(other)) => {
                other.iter().for_each(|(key, count)| *counts.entry(*key).or_default() += count);
            }
            (counts, Counts::Bytes(other)) => {
                other.iter().for_each(|(key, count)| counts.add(Key::Bytes(key[..].into()), *count));
            }
            _ => panic!("words and bytes are not of one type"),
        }
    }

    /// Keys and how often each came, in the order of keys.
    pub(crate) fn entries(&self) -> Vec<(Held, u64)> {
        match self {
            Counts::Words(counts) => counts.iter().map(|(key, count)| (Held::Word(*key), *count)).collect(),
            Counts::Bytes(counts) => counts.iter().map(|(key, count)| (Held::Bytes(key.clone()), *count)).collect(),
        }
    }

    /// Takes so many off each count; those that come to nothing are forgotten.
    pub(crate) fn subtract(&mut self, times: u64) {
        let keep = |count: &mut u64| {
            *count = count.saturating_sub(times);
            *count != 0
        };
        match self {
            Counts::Words(counts) => counts.retain(|_, count| keep(count)),
            Counts::Bytes(counts) => counts.retain(|_, count| keep(count)),
        }
    }

    /// Appends the counts.
    pub(crate) fn encode(&self, cell: &Cell, out: &mut Vec<u8>) {
        varint::put(out, self.len() as u64);
        for (key, count) in self.entries() {
            cell.encode(cell.of_key(&key).raw(), out);
            varint::put(out, count);
        }
    }

    /// Takes counts off the front; `None` where the bytes hold none: keys ascend, and none came zero times.
    pub(crate) fn decode(cell: &Cell, input: &mut &[u8]) -> Option<Counts> {
        let mut counts = Counts::new(cell);
        let mut last: Option<Held> = None;
        let mut total = 0u64;
        for _ in 0..varint::take(input)? {
            let key = Held::from(cell.distinct_key(cell.decode(input)?));
            let count = varint::take(input)?;
            total = total.checked_add(count)?;
            if count == 0 || last.as_ref().is_some_and(|last| *last >= key) {
                return None;
            }
            match &key {
                Held::Word(word) => counts.add(Key::Word(*word), count),
                Held::Bytes(bytes) => counts.add(Key::Bytes(bytes[..].into()), count),
            }
            last = Some(key);
        }
        Some(counts)
    }
}

/// An aggregate of which the partial is one word: the counts of all different values.
pub(crate) struct Counting {
    /// Of the values.
    pub(crate) cell: Cell,
    /// The result; the counts are those of one event at least.
    pub(crate) finish: fn(&Counting, &Counts) -> Value,
    /// The result without an event.
    pub(crate) nothing: Value,
}

impl Aggregate for Counting {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let counts = heap.get_or_insert(&mut partial[0], || Counts::new(&self.cell));
        counts.add(self.cell.distinct_key(self.cell.argument(event, 0)), 1);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<Counts>(later[0]) {
            heap.get_or_insert(&mut partial[0], || Counts::new(&self.cell)).add_all(later);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(heap.get::<Counts>(partial[0]).map_or_else(|| self.nothing.clone(), |counts| (self.finish)(self, counts)))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        match heap.get::<Counts>(partial[0]) {
            Some(counts) => counts.encode(&self.cell, out),
            None => out.push(0),
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let counts = Counts::decode(&self.cell, input)?;
        if counts.len() != 0 {
            partial[0] = heap.insert(counts);
        }
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        // A hundred different values.
        100 * (24 + self.cell.heap_bytes())
    }
}

impl Counting {
    /// The value of a key.
    pub(crate) fn value(&self, key: &Held) -> Value {
        self.cell.value(self.cell.of_key(key).raw())
    }
}
