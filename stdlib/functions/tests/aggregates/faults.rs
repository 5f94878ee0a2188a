//! Planted faults are found: each law fails for an aggregate that breaks it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::{Aggregate, Event, Fold, Heap};
use chalk_types::{Type, Value};

use crate::laws::{self, Edges, Law, hold};
use crate::types::{Bound, all_bindings};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing: every law holds.
    None,
    /// The later partial is forgotten where there is an earlier one.
    MergeKeepsTheFirst,
    /// A later empty partial replaces the earlier one.
    MergeTakesTheEmpty,
    /// Objects stay on the heap.
    ClearForgetsTheHeap,
    /// The last byte is missing.
    EncodeLosesAByte,
    /// Bytes that hold nothing are an empty partial.
    DecodeTakesAnything,
    /// Time is that of arrival.
    TimeIsIgnored,
    /// State does the opposite.
    FoldIsAnother,
    /// One event is not counted.
    ResultIsOneLess,
    /// The first of many has no result.
    FirstOfManyIsNull,
}

struct Faulty {
    inner: Box<dyn Aggregate>,
    fault: Fault,
}

impl Aggregate for Faulty {
    fn words(&self) -> usize {
        self.inner.words()
    }

    fn fold(&self) -> Option<Fold> {
        if self.fault == Fault::FoldIsAnother { Some(Fold::MaxInt) } else { self.inner.fold() }
    }

    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>) {
        let mut event = *event;
        if self.fault == Fault::TimeIsIgnored {
            (event.time_us, event.offset) = (0, 0);
        }
        self.inner.update(partial, heap, &event);
    }

    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
        let is_empty = |words: &[u64]| words.iter().all(|word| *word == 0);
        match self.fault {
            Fault::MergeKeepsTheFirst if !is_empty(partial) => {}
            Fault::MergeTakesTheEmpty if is_empty(later) => self.inner.clear(partial, heap),
            _ => self.inner.merge(partial, heap, later, later_heap),
        }
    }

    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String> {
        match self.inner.finish(partial, heap) {
            Ok(Value::Int(result)) if self.fault == Fault::ResultIsOneLess => Ok(Value::Int(result - 1)),
            result => result,
        }
    }

    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        if self.fault != Fault::FirstOfManyIsNull {
            return self.inner.finish_all(partials, heap, out, failed);
        }
        out.push_null();
        self.inner.finish_all(&partials[self.words()..], heap, out, failed);
    }

    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
        self.inner.encode(partial, heap, out);
        if self.fault == Fault::EncodeLosesAByte {
            out.pop();
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
        let read = self.inner.decode(input, partial, heap);
        if read.is_none() && self.fault == Fault::DecodeTakesAnything {
            *input = &[];
            return Some(());
        }
        read
    }

    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        if self.fault == Fault::ClearForgetsTheHeap { partial.fill(0) } else { self.inner.clear(partial, heap) }
    }
}

const LAWS: [(&str, Law); 8] = [
    ("merging", laws::merging),
    ("emptiness", laws::emptiness),
    ("bytes", laws::bytes),
    ("damage", laws::damage),
    ("order", laws::order),
    ("inline", laws::inline),
    ("meaning", laws::meaning),
    ("columns", laws::columns),
];

/// The laws that an aggregate of that name, over integers, breaks with the fault.
fn broken(name: &str, fault: Fault) -> Vec<&'static str> {
    let is_wanted = |bound: &Bound| bound.def.name == name && bound.call.args == [Type::INT];
    let bound = all_bindings().into_iter().find(is_wanted).expect("such a binding");
    let aggregate = Faulty { inner: (bound.def.bind)(&bound.call).expect("binds"), fault };
    let fails =
        |law: Law| catch_unwind(AssertUnwindSafe(|| hold(&bound, &aggregate, law, Edges::WhereExact, 1..200))).is_err();
    LAWS.into_iter().filter(|(_, law)| fails(*law)).map(|(name, _)| name).collect()
}

#[test]
fn each_law_finds_the_fault_that_it_is_about() {
    for (name, fault, wanted) in [
        ("sum", Fault::MergeKeepsTheFirst, "merging"),
        ("count", Fault::MergeTakesTheEmpty, "emptiness"),
        ("set_agg", Fault::ClearForgetsTheHeap, "merging"),
        ("mode", Fault::EncodeLosesAByte, "bytes"),
        ("median", Fault::DecodeTakesAnything, "damage"),
        ("last", Fault::TimeIsIgnored, "order"),
        ("array_agg", Fault::TimeIsIgnored, "meaning"),
        ("min", Fault::FoldIsAnother, "inline"),
        ("count_distinct", Fault::ResultIsOneLess, "meaning"),
        ("sum", Fault::FirstOfManyIsNull, "columns"),
    ] {
        let broken = broken(name, fault);
        assert!(broken.contains(&wanted), "`{name}` with {fault:?} breaks only {broken:?}");
        assert!(self::broken(name, Fault::None).is_empty(), "`{name}` without a fault");
    }
}
