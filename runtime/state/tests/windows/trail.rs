//! An aggregate that gives away in which order it was fed: the texts of its events, one behind the other, on the heap.
//!
//! Sums and extremes agree in many wrong orders; this one agrees only in the right one.
//!
//! This file must not know windows.

use chalk_catalog::aggregate::{Aggregate, Event, Heap};
use chalk_types::{Value, codec::put_sized, varint};

/// `text@time#offset` of every event.
pub(crate) struct Trail;

impl Aggregate for Trail {
    fn words(&self) -> usize {
        1
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let text = String::from_utf8_lossy(event.bytes(0)).into_owned();
        let trail: &mut String = heap.get_or_insert(&mut partial[0], String::new);
        trail.push_str(&format!("{text}@{}#{};", event.time_us, event.offset));
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(later) = later_heap.get::<String>(later[0]) {
            heap.get_or_insert(&mut partial[0], String::new).push_str(later);
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        Ok(heap.get::<String>(partial[0]).map_or(Value::Null, |trail| Value::String(trail.clone())))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        put_sized(out, heap.get::<String>(partial[0]).map_or(b"", |trail| trail.as_bytes()));
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let text = std::str::from_utf8(varint::take_sized(input)?).ok()?;
        if !text.is_empty() {
            heap.get_or_insert(&mut partial[0], String::new).push_str(text);
        }
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[0]);
    }

    fn heap_bytes(&self) -> usize {
        48
    }
}
