//! What an aggregate is: its name and types, how its partial is kept, and what is done with it.
//!
//! An aggregate is declared once, as an item of a family in `chalk-functions`; checker, evaluator, state, pages,
//! tests and benches read it from there. A program binds it to types and constants ([`AggregateDef::bind`]); what
//! comes out, an [`Aggregate`], works on *partials*: a fixed number of words inside a record of the state, of which
//! all zeros are the empty one. What does not fit into words (a sketch, a list) is an object in a [`Heap`], and a
//! word says which.
//!
//! Laws, proven for every aggregate by `chalk-functions`' tests: updating is the same as merging partials of
//! consecutive stretches of events, in order (to the bit, unless [`Order::Bits`] is claimed); encoding and decoding
//! changes nothing; where [`Order::Free`] is claimed, any order gives the same bits. Nulls never come here: an event
//! whose filter is not true, or one of whose arguments is null, is passed over by the caller.
//!
//! This file must not know windows, keys or where partials are kept.

use std::any::Any;

use chalk_types::{Type, Value};

use crate::ColumnBuilder;
use crate::event::EventColumn;

/// An aggregate as plain data.
#[derive(Debug)]
pub struct AggregateDef {
    /// The name in the language: a method of a collection.
    pub name: &'static str,
    /// `approx_percentile(x: T, p: const float) -> float? where T: numeric`. A `const` parameter is a constant
    /// expression; the others are expressions over the event. The result is what comes of any number of events, none
    /// included.
    pub signature: &'static str,
    /// The family: the reference page.
    pub family: &'static str,
    /// What other systems call it.
    pub known_as: &'static [&'static str],
    /// What it does, as Markdown; the first paragraph is the summary.
    pub doc: &'static str,
    /// Examples: `[1, 2, none].sum(x) == 3`. The list is of events in the order of time; `x` is an event's value, of
    /// a pair `(x, y)` in the list its parts. After the call stands `== literal`, `< literal`, `> literal`, `is none`
    /// or `fails: reason`.
    pub examples: &'static [&'static str],
    /// How much a partial grows.
    pub growth: Growth,
    /// Whether the order of events matters.
    pub order: Order,
    /// Of a sketch, its error bound in one sentence; empty where the result is exact.
    pub error_bound: &'static str,
    /// The aggregate for these types and constants; an error names the constant's position among the parameters.
    pub bind: fn(&AggregateCall) -> Result<Box<dyn Aggregate>, (usize, String)>,
}

/// What an aggregate is bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// Types of the event arguments, in order, as converted to the parameters' (never nullable: nulls are passed over).
    pub args: Vec<Type>,
    /// Values of the `const` parameters, in order.
    pub params: Vec<Value>,
    /// The type of the result.
    pub result: Type,
}

/// How much a partial grows with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Not at all.
    Fixed,
    /// Up to a bound that its constants give (`top(n)`, a sketch).
    Bounded,
    /// With the number of different values, or of events: only in a window, or `@unbounded`.
    Unbounded,
}

/// Whether the order of events matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any order gives the same bits.
    Free,
    /// What comes out may depend on the order in which events are folded: of a float sum the last digits, of a sketch
    /// that forgets the result within its error. The same order gives the same bits.
    Bits,
    /// The value is a matter of event time, offset breaking ties: any order of *arrival* gives the same bits.
    Time,
}

/// An event as an aggregate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// All columns of the batch.
    pub columns: &'a [EventColumn],
    /// Which of them are this aggregate's arguments, in order.
    pub args: &'a [u16],
    /// The row.
    pub row: usize,
    /// Event time.
    pub time_us: i64,
    /// Offset in its partition.
    pub offset: i64,
}

impl<'a> Event<'a> {
    /// The word of an argument.
    pub fn word(&self, arg: usize) -> u64 {
        self.columns[self.args[arg] as usize].word(self.row)
    }

    /// An argument as a signed integer.
    pub fn int(&self, arg: usize) -> i64 {
        self.word(arg) as i64
    }

    /// An argument as a float.
    pub fn float(&self, arg: usize) -> f64 {
        f64::from_bits(self.word(arg))
    }

    /// The bytes of an argument.
    pub fn bytes(&self, arg: usize) -> &'a [u8] {
        self.columns[self.args[arg] as usize].bytes(self.row)
    }

    /// An argument as a value of its type.
    pub fn value(&self, arg: usize, ty: &Type) -> Value {
        self.columns[self.args[arg] as usize].value(ty, self.row)
    }
}

/// An aggregate bound to types and constants.
pub trait Aggregate: Send + Sync {
    /// Words of a partial.
    fn words(&self) -> usize;

    /// The operation by which state may do `update` and `merge` without a call; it must agree with them.
    fn fold(&self) -> Option<Fold> {
        None
    }

    /// Adds an event.
    fn update(&self, partial: &mut [u64], heap: &mut Heap, event: &Event<'_>);

    /// Adds the events of a later partial.
    fn merge(&self, partial: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap);

    /// The result; an error (`integer overflow`) fails whoever asks.
    fn finish(&self, partial: &[u64], heap: &Heap) -> Result<Value, String>;

    /// The results of many partials, whose words lie one behind the other, appended to a column: one call for all of them. Where one has no
    /// result the row is null, and its position, counted from the first partial, and the error are appended to `failed`.
    fn finish_all(&self, partials: &[u64], heap: &Heap, out: &mut ColumnBuilder, failed: &mut Vec<(usize, String)>) {
        finish_each(self, partials, heap, out, failed);
    }

    /// Appends a partial's bytes: the same for the same events in the same order.
    fn encode(&self, partial: &[u64], heap: &Heap, out: &mut Vec<u8>);

    /// Reads a partial into empty words; `None` where the bytes hold none.
    fn decode(&self, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()>;

    /// Frees what the partial holds on the heap; the words are zeros after that.
    fn clear(&self, partial: &mut [u64], heap: &mut Heap) {
        let _ = heap;
        partial.fill(0);
    }

    /// Bytes that a partial holds on the heap at most, or of a typical one where there is no bound: for `chalkc inspect`.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// [`Aggregate::finish_all`] as it is for any aggregate: value by value.
pub fn finish_each<A: Aggregate + ?Sized>(
    aggregate: &A,
    partials: &[u64],
    heap: &Heap,
    out: &mut ColumnBuilder,
    failed: &mut Vec<(usize, String)>,
) {
    for (position, partial) in partials.chunks_exact(aggregate.words()).enumerate() {
        match aggregate.finish(partial, heap) {
            Ok(value) => out.push_value(&value),
            Err(error) => {
                out.push_null();
                failed.push((position, error));
            }
        }
    }
}

/// Folds that state does inline: what they are is written here ([`Fold::update`], [`Fold::merge`]), and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// One word: counts events. The only one that needs no argument.
    Count,
    /// One word: the sum of f64 (empty: 0.0).
    SumFloat,
    /// Two words, low first: an i128 sum of integers; `true` where they are signed.
    SumInt(bool),
    /// Two words: how many, and the least signed integer.
    MinInt,
    /// Two words: how many, and the greatest signed integer.
    MaxInt,
    /// Two words: how many, and the least f64 ([`float_rank`]).
    MinFloat,
    /// Two words: how many, and the greatest f64 ([`float_rank`]).
    MaxFloat,
    /// Two words: how many, and the f64 sum.
    MeanFloat,
    /// Three words: how many, and an i128 sum of integers, low first; `true` where they are signed.
    MeanInt(bool),
}

/// A float as an integer that is ordered as aggregates order floats: -0.0 is below 0.0, and NaN, whichever, above all.
#[inline]
pub fn float_rank(bits: u64) -> i64 {
    let bits = if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits } as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[inline]
fn widen(word: u64, is_signed: bool) -> i128 {
    if is_signed { i128::from(word as i64) } else { i128::from(word) }
}

#[inline]
fn add_wide(words: &mut [u64], value: i128) {
    let sum = wide(words).wrapping_add(value);
    words[0] = sum as u64;
    words[1] = (sum >> 64) as u64;
}

/// Two words, low first, as an integer.
#[inline]
pub fn wide(words: &[u64]) -> i128 {
    ((u128::from(words[1]) << 64) | u128::from(words[0])) as i128
}

#[inline]
fn add_float(word: &mut u64, value: f64) {
    *word = (f64::from_bits(*word) + value).to_bits();
}

impl Fold {
    /// Words of a partial.
    pub fn words(self) -> usize {
        match self {
            Fold::Count | Fold::SumFloat => 1,
            Fold::SumInt(_) | Fold::MinInt | Fold::MaxInt | Fold::MinFloat | Fold::MaxFloat | Fold::MeanFloat => 2,
            Fold::MeanInt(_) => 3,
        }
    }

    /// Adds an event whose argument is the word (any word for `Count`).
    #[inline]
    pub fn update(self, partial: &mut [u64], word: u64) {
        match self {
            Fold::Count => partial[0] += 1,
            Fold::SumFloat => add_float(&mut partial[0], f64::from_bits(word)),
            Fold::SumInt(is_signed) => add_wide(partial, widen(word, is_signed)),
            Fold::MinInt | Fold::MaxInt | Fold::MinFloat | Fold::MaxFloat => self.take(partial, 1, word),
            Fold::MeanFloat => {
                partial[0] += 1;
                add_float(&mut partial[1], f64::from_bits(word));
            }
            Fold::MeanInt(is_signed) => {
                partial[0] += 1;
                add_wide(&mut partial[1..], widen(word, is_signed));
            }
        }
    }

    /// Adds the events of a later partial.
    #[inline]
    pub fn merge(self, partial: &mut [u64], later: &[u64]) {
        match self {
            Fold::Count => partial[0] += later[0],
            Fold::SumFloat => add_float(&mut partial[0], f64::from_bits(later[0])),
            Fold::SumInt(_) => add_wide(partial, wide(later)),
            Fold::MinInt | Fold::MaxInt | Fold::MinFloat | Fold::MaxFloat => {
                if later[0] != 0 {
                    self.take(partial, later[0], later[1]);
                }
            }
            Fold::MeanFloat => {
                partial[0] += later[0];
                add_float(&mut partial[1], f64::from_bits(later[1]));
            }
            Fold::MeanInt(_) => {
                partial[0] += later[0];
                add_wide(&mut partial[1..], wide(&later[1..]));
            }
        }
    }

    /// Of the extremes: adds so many values of which that is the extreme one.
    #[inline]
    fn take(self, partial: &mut [u64], count: u64, word: u64) {
        let is_beyond = match self {
            Fold::MinInt => (word as i64) < partial[1] as i64,
            Fold::MaxInt => word as i64 > partial[1] as i64,
            Fold::MinFloat => float_rank(word) < float_rank(partial[1]),
            Fold::MaxFloat => float_rank(word) > float_rank(partial[1]),
            _ => unreachable!("{self:?} is no extreme"),
        };
        if partial[0] == 0 || is_beyond {
            partial[1] = word;
        }
        partial[0] += count;
    }
}

/// Objects that do not fit into words. A word holds an object's number plus one; 0 = none.
#[derive(Default)]
pub struct Heap {
    objects: Vec<Option<Box<dyn Any + Send + Sync>>>,
    free: Vec<u32>,
}

impl Heap {
    /// Keeps an object; gives the word that stands for it.
    pub fn insert<T: Any + Send + Sync>(&mut self, object: T) -> u64 {
        let object: Box<dyn Any + Send + Sync> = Box::new(object);
        match self.free.pop() {
            Some(number) => {
                self.objects[number as usize] = Some(object);
                u64::from(number) + 1
            }
            None => {
                self.objects.push(Some(object));
                self.objects.len() as u64
            }
        }
    }

    /// The object of a word; none where the word is 0.
    ///
    /// # Panics
    /// If the word stands for an object of another type, or for none: a bug.
    pub fn get<T: Any>(&self, word: u64) -> Option<&T> {
        let number = (word as usize).checked_sub(1)?;
        let object = self.objects[number].as_ref().expect("the word stands for an object");
        Some(object.downcast_ref().expect("of this type"))
    }

    /// The object of a word, to change it; a default one is made where the word is 0.
    pub fn get_or_insert<T: Any + Send + Sync>(&mut self, word: &mut u64, make: impl FnOnce() -> T) -> &mut T {
        if *word == 0 {
            *word = self.insert(make());
        }
        let object = self.objects[*word as usize - 1].as_mut().expect("the word stands for an object");
        object.downcast_mut().expect("of this type")
    }

    /// Drops the object of a word, which becomes 0.
    pub fn remove(&mut self, word: &mut u64) {
        if let Some(number) = (*word as usize).checked_sub(1) {
            self.objects[number] = None;
            self.free.push(number as u32);
            *word = 0;
        }
    }

    /// Objects that are kept.
    pub fn len(&self) -> usize {
        self.objects.len() - self.free.len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heap of {} objects", self.len())
    }
}
