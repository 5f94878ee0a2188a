//! Vectors, component by component.
//!
//! This file must not know other families.

use chalk_catalog::aggregate::{Aggregate, AggregateCall, AggregateDef, Event, Growth, Heap, Order};
use chalk_types::{Kind, Value, varint};

use super::bytes::{canonical, put_float, take_float};

const VECTOR_SUM: AggregateDef = AggregateDef {
    name: "vector_sum",
    signature: "vector_sum(v: V) -> V? where V: vector",
    family: "aggregates-vectors",
    known_as: &["sum_vectors", "embedding_sum"],
    doc: "The sum of vectors, component by component; null where there is nothing. A component that is NaN or infinite in one vector makes this component so.",
    examples: &["[[1.0, 2.0], [0.5, 0.5], none].vector_sum(x) == [1.5, 2.5]", "[none].vector_sum(x) is none"],
    growth: Growth::Bounded,
    order: Order::Bits,
    error_bound: "",
    bind: |call| Ok(vectors(call, false)),
};

/// Vectors.
pub(super) static DEFS: &[AggregateDef] = &[
    VECTOR_SUM,
    AggregateDef {
        name: "vector_mean",
        signature: "vector_mean(v: V) -> V? where V: vector",
        known_as: &["mean_vector", "vector_avg", "embedding_mean", "centroid"],
        doc: "The mean of vectors, component by component; null where there is nothing.",
        examples: &["[[1.0, 2.0], [0.5, 0.5], none].vector_mean(x) == [0.75, 1.25]", "[none].vector_mean(x) is none"],
        bind: |call| Ok(vectors(call, true)),
        ..VECTOR_SUM
    },
];

fn vectors(call: &AggregateCall, is_mean: bool) -> Box<dyn Aggregate> {
    let Kind::Vector(item, length) = &call.args[0].kind else { panic!("{} is no vector", call.args[0]) };
    Box::new(Vectors { is_mean, is_float32: item.kind == Kind::Float32, length: *length as usize })
}

/// Two words: how many, and the sums of components.
struct Vectors {
    is_mean: bool,
    is_float32: bool,
    length: usize,
}

impl Vectors {
    fn add(&self, partial: &mut [u64], heap: &mut Heap, count: u64, components: impl Iterator<Item = f64>) {
        let sums = heap.get_or_insert(&mut partial[1], || vec![0.0; self.length]);
        sums.iter_mut().zip(components).for_each(|(sum, component)| *sum += component);
        partial[0] += count;
    }

    /// The components of a vector as `chalk_types::codec` writes it: a tag, then each component with its tag.
    fn components<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = f64> + use<'a> {
        let is_float32 = self.is_float32;
        let tagged = if is_float32 { 5 } else { 9 };
        bytes[1..].chunks_exact(tagged).map(move |chunk| {
            if is_float32 {
                f64::from(f32::from_le_bytes(chunk[1..].try_into().expect("four bytes")))
            } else {
                f64::from_le_bytes(chunk[1..].try_into().expect("eight bytes"))
            }
        })
    }
}

impl Aggregate for Vectors {
    fn words(&self) -> usize {
        2
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        self.add(partial, heap, 1, self.components(event.bytes(0)));
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        if let Some(sums) = later_heap.get::<Vec<f64>>(later[1]) {
            self.add(partial, heap, later[0], sums.iter().copied());
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        let Some(sums) = heap.get::<Vec<f64>>(partial[1]) else { return Ok(Value::Null) };
        let component = |sum: &f64| {
            let value = if self.is_mean { sum / partial[0] as f64 } else { *sum };
            let value = if self.is_float32 { f64::from(value as f32) } else { value };
            Value::Float(f64::from_bits(canonical(value.to_bits())))
        };
        Ok(Value::List(sums.iter().map(component).collect()))
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        varint::put(out, partial[0]);
        if let Some(sums) = heap.get::<Vec<f64>>(partial[1]) {
            sums.iter().for_each(|sum| put_float(out, sum.to_bits()));
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let count = varint::take(input)?;
        if count != 0 {
            let sums: Vec<f64> =
                (0..self.length).map(|_| take_float(input).map(f64::from_bits)).collect::<Option<_>>()?;
            partial[0] = count;
            partial[1] = heap.insert(sums);
        }
        Some(())
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        heap.remove(&mut partial[1]);
        partial.fill(0);
    }

    fn heap_bytes(&self) -> usize {
        self.length * 8
    }
}
