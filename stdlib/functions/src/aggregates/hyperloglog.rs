//! The sketch behind `approx_count_distinct`.
//!
//! The registers are a library's. Two things are kept away from it, because they would let order or a restart show:
//! few values are kept here, as sorted hashes, since the library's table of few values remembers how it was filled;
//! and of the library's estimators the one that looks at registers alone is read. So equal sets of values give equal
//! bytes.
//!
//! This file must not know other aggregates.

use chalk_catalog::aggregate::{Aggregate, Event, Heap};
use chalk_types::codec::put_sized;
use chalk_types::{Value, varint};
use datasketches::hash::value::raw_bytes;
use datasketches::hll::{HllSketch, HllType, HllUnion};
use xxhash_rust::xxh3::xxh3_64;

use super::cell::{Cell, Key};

/// Registers, as a power of two.
const LOG_REGISTERS: u8 = 12;

/// Most values that are kept one by one: as many as take no more room than registers, and more than the library keeps
/// outside of registers.
const FEW: usize = 512;

/// What stands before the registers in the library's format.
const PREAMBLE_BYTES: usize = 40;

/// One word: a sketch.
pub(super) struct HyperLogLog {
    cell: Cell,
}

/// Different values, by their hashes.
enum Sketch {
    /// Ascending.
    Few(Vec<u64>),
    Many(HllUnion),
}

impl Sketch {
    fn new() -> Sketch {
        Sketch::Few(Vec::new())
    }

    fn add(&mut self, hash: u64) {
        match self {
            Sketch::Few(hashes) => {
                if let Err(position) = hashes.binary_search(&hash) {
                    hashes.insert(position, hash);
                    self.grow();
                }
            }
            Sketch::Many(union) => union.update_value(raw_bytes::from_slice(&hash.to_le_bytes())),
        }
    }

    fn merge(&mut self, other: &Sketch) {
        match (&mut *self, other) {
            (Sketch::Few(hashes), Sketch::Few(others)) => {
                hashes.extend_from_slice(others);
                hashes.sort_unstable();
                hashes.dedup();
                self.grow();
            }
            (Sketch::Many(_), Sketch::Few(others)) => others.iter().for_each(|hash| self.add(*hash)),
            (Sketch::Few(hashes), Sketch::Many(other)) => {
                let mut union = union_of(&other.to_sketch(HllType::Hll8));
                hashes.iter().for_each(|hash| union.update_value(raw_bytes::from_slice(&hash.to_le_bytes())));
                *self = Sketch::Many(union);
            }
            (Sketch::Many(union), Sketch::Many(other)) => union.update(&other.to_sketch(HllType::Hll8)),
        }
    }

    /// Goes over to registers where there are no longer few.
    fn grow(&mut self) {
        if let Sketch::Few(hashes) = self
            && hashes.len() > FEW
        {
            let mut sketch = HllSketch::new(LOG_REGISTERS, HllType::Hll8).expect("the library takes so many registers");
            hashes.iter().for_each(|hash| sketch.update(raw_bytes::from_slice(&hash.to_le_bytes())));
            *self = Sketch::Many(union_of(&sketch));
        }
    }

    fn estimate(&self) -> u64 {
        match self {
            Sketch::Few(hashes) => hashes.len() as u64,
            Sketch::Many(union) => union.composite_estimate().round() as u64,
        }
    }
}

/// A union keeps no account of the order in which values came, once two sketches were merged: the first is taken over
/// with the account that it has. So it is merged with itself, which changes no register.
fn union_of(sketch: &HllSketch) -> HllUnion {
    let mut union = HllUnion::new(LOG_REGISTERS).expect("the library takes so many registers");
    union.update(sketch);
    union.update(sketch);
    union
}

impl HyperLogLog {
    /// Of values in that cell.
    pub(super) fn new(cell: Cell) -> HyperLogLog {
        HyperLogLog { cell }
    }
}

impl Aggregate for HyperLogLog {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let hash = match self.cell.distinct_key(self.cell.argument(event, 0)) {
            Key::Word(word) => xxh3_64(&word.to_le_bytes()),
            Key::Bytes(bytes) => xxh3_64(&bytes),
        };
        heap.get_or_insert(&mut partial[0], Sketch::new).add(hash);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<Sketch>(later[0]) {
            heap.get_or_insert(&mut partial[0], Sketch::new).merge(later);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(Value::Int(i128::from(heap.get::<Sketch>(partial[0]).map_or(0, Sketch::estimate))))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        match heap.get::<Sketch>(partial[0]) {
            None => varint::put(out, 0),
            Some(Sketch::Few(hashes)) => {
                varint::put(out, hashes.len() as u64);
                hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            Some(Sketch::Many(union)) => {
                varint::put(out, FEW as u64 + 1);
                put_sized(out, &union.to_sketch(HllType::Hll8).serialize());
            }
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        const MANY: usize = FEW + 1;
        let sketch = match usize::try_from(varint::take(input)?).ok()? {
            0 => return Some(()),
            few @ 1..=FEW => {
                let hashes: Option<Vec<u64>> =
                    (0..few).map(|_| varint::take_array(input).map(u64::from_le_bytes)).collect();
                Sketch::Few(hashes.filter(|hashes| hashes.is_sorted_by(|a, b| a < b))?)
            }
            MANY => {
                let bytes = varint::take_sized(input)?;
                // The library would trust registers that no hash can give.
                let registers = bytes.get(PREAMBLE_BYTES..)?;
                if registers.len() != 1 << LOG_REGISTERS || registers.iter().any(|register| *register > 63) {
                    return None;
                }
                let stored = HllSketch::deserialize(bytes).ok()?;
                if stored.lg_config_k() != LOG_REGISTERS || stored.target_type() != HllType::Hll8 {
                    return None;
                }
                Sketch::Many(union_of(&stored))
            }
            _ => return None,
        };
        partial[0] = heap.insert(sketch);
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        1 << LOG_REGISTERS
    }
}
