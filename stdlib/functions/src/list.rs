//! Functions on lists and maps.
//!
//! Functions that look into items exist once per item type (`instances`); those that do not, take any list. Where a
//! reduction meets nulls it skips them, as aggregates do.
//!
//! This file must not know slots.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::{AnyList, AnyMap, Date, Datetime, Duration, FromSlot, IntoSlot, Item, Items, ListRef, Time};
use chalk_macros::functions;
use chalk_types::format_float;

/// Longest list that `sequence` makes.
const MAX_SEQUENCE_ITEMS: i128 = 1_000_000;

const OVERFLOW: &str = "integer overflow";

/// An item type with the order of the language's `<`, in which NaN equals NaN and is above every number.
trait Sortable<'a>: Item<'a> {
    fn order(&self, other: &Self) -> Ordering;
}

macro_rules! sortable {
    ($($ty:ty),*) => { $(impl<'a> Sortable<'a> for $ty {
        fn order(&self, other: &Self) -> Ordering { self.cmp(other) }
    })* };
}
sortable!(i64, bool, Datetime, Date, Time, Duration, &'a str, &'a [u8]);

impl<'a> Sortable<'a> for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }
}

/// A value by that order, for sets.
#[derive(Clone, Copy)]
struct Ordered<T>(T);

impl<'a, T: Sortable<'a>> Ord for Ordered<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl<'a, T: Sortable<'a>> PartialOrd for Ordered<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a, T: Sortable<'a>> PartialEq for Ordered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<'a, T: Sortable<'a>> Eq for Ordered<T> {}

fn set<'a, T: Sortable<'a>>(list: ListRef<'a, T>) -> BTreeSet<Option<Ordered<T>>> {
    list.iter().map(|item| item.map(Ordered)).collect()
}

/// Null last, whichever way the values go.
fn sorted<'a, T: Sortable<'a>>(list: ListRef<'a, T>, descending: bool) -> Vec<Option<T>> {
    let mut items: Vec<Option<T>> = list.iter().collect();
    items.sort_by(|a, b| match (a, b) {
        (Some(a), Some(b)) if descending => b.order(a),
        (Some(a), Some(b)) => a.order(b),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
    });
    items
}

/// A type whose items `array_join` prints.
trait Printed<'a>: Item<'a> {
    fn print(&self, out: &mut String);
}

impl<'a> Printed<'a> for &'a str {
    fn print(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl Printed<'_> for i64 {
    fn print(&self, out: &mut String) {
        // Writing to a String does not fail.
        let _ = write!(out, "{self}");
    }
}

impl Printed<'_> for f64 {
    fn print(&self, out: &mut String) {
        out.push_str(&format_float(*self));
    }
}

impl Printed<'_> for bool {
    fn print(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

/// A position that may count from the end: of an item, if there is one.
fn position(index: i64, len: usize) -> i128 {
    if index < 0 { i128::from(index) + len as i128 } else { i128::from(index) }
}

#[functions(family = "list")]
mod defs {
    use super::*;

    /// The number of items, nulls too.
    ///
    /// ```chalk
    /// cardinality([1, 2, 3]) == 3
    /// ```
    #[function(signature = "cardinality(a: [T]) -> int", known_as = "array_length, list_len, count_items")]
    fn cardinality(a: AnyList) -> i64 {
        a.len() as i64
    }

    /// The number of entries of a map.
    ///
    /// ```chalk fragment
    /// cardinality(msg.labels) == 2
    /// ```
    #[function(signature = "cardinality(m: map<K, V>) -> int")]
    fn cardinality_of_map(m: AnyMap) -> i64 {
        m.len() as i64
    }

    /// The keys of a map, in its order.
    ///
    /// ```chalk fragment
    /// map_keys(msg.labels) == ["a", "b"]
    /// ```
    #[function(signature = "map_keys(m: map<K, V>) -> [K]", known_as = "keys")]
    fn map_keys(m: AnyMap) -> AnyList {
        m.keys()
    }

    /// The values of a map, in its order.
    ///
    /// ```chalk fragment
    /// map_values(msg.labels) == ["x", "y"]
    /// ```
    #[function(signature = "map_values(m: map<K, V>) -> [V]", known_as = "values")]
    fn map_values(m: AnyMap) -> AnyList {
        m.values()
    }

    /// The value of a key; null where the map does not have it. As `m[key]`.
    ///
    /// ```chalk fragment
    /// map_get(msg.labels, "a") == "x"
    /// ```
    #[function(signature = "map_get(m: map<K, V>, key: K) -> V?")]
    const MAP_GET: &str = "m[key]";

    /// The item at a position from 0, or from the end where it is negative; null past the ends. As `a[i]`.
    ///
    /// ```chalk
    /// element_at([10, 20, 30], 1) == 20
    /// element_at([10, 20, 30], -1) == 30
    /// element_at([10, 20, 30], 3) == none
    /// ```
    #[function(signature = "element_at(a: [T], i: int) -> T?", known_as = "array_get, nth")]
    const ELEMENT_AT: &str = "a[i]";

    /// `length` items from position `offset` on; a negative offset counts from the end. What lies past the ends is left
    /// out; a length below 1 gives no items.
    ///
    /// ```chalk
    /// slice([1, 2, 3, 4], 1, 2) == [2, 3]
    /// slice([1, 2, 3, 4], -2, 5) == [3, 4]
    /// ```
    #[function(signature = "slice(a: [T], offset: int, length: int) -> [T]")]
    fn slice(a: AnyList, offset: i64, length: i64) -> AnyList {
        let len = a.len() as i128;
        let start = position(offset, a.len()).clamp(0, len);
        let end = (start + i128::from(length.max(0))).min(len);
        a.slice(start as usize, end as usize)
    }

    /// Whether an item equals `x`; where none does and the list holds a null, null. As `x in a`.
    ///
    /// ```chalk
    /// contains([1, 2, 3], 2)
    /// not contains(["a"], "b")
    /// ```
    #[function(signature = "contains(a: [T], x: T) -> bool", known_as = "array_contains, list_contains, is_in")]
    const CONTAINS: &str = "x in a";

    /// The position of the first item that equals `x`, counted from 1; 0 where there is none.
    ///
    /// ```chalk
    /// array_position([10, 20], 20) == 2
    /// array_position([10, 20], 30) == 0
    /// ```
    #[function(
        signature = "array_position(a: [T], x: T) -> int",
        known_as = "list_position",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_position<'a, T: Sortable<'a> + FromSlot<'a>>(a: ListRef<'a, T>, x: T) -> i64 {
        a.iter().position(|item| item.is_some_and(|item| item.order(&x).is_eq())).map_or(0, |at| at as i64 + 1)
    }

    /// The items' texts with a delimiter between them; nulls are left out.
    ///
    /// ```chalk
    /// array_join(["a", "b"], "-") == "a-b"
    /// array_join([1, 2], ", ") == "1, 2"
    /// ```
    #[function(
        signature = "array_join(a: [T], delim: string) -> string",
        known_as = "array_to_string, join, string_join",
        instances = "string, int, float, bool"
    )]
    fn array_join<'a, T: Printed<'a>>(a: ListRef<'a, T>, delim: &str) -> String {
        let mut text = String::new();
        for (index, item) in a.values().enumerate() {
            if index > 0 {
                text.push_str(delim);
            }
            item.print(&mut text);
        }
        text
    }

    /// The sum of the items that are not null; 0 where there are none. Past 64 bits it fails the message.
    ///
    /// ```chalk
    /// array_sum([1, 2, 3]) == 6
    /// ```
    #[function(signature = "array_sum(a: [int?]) -> int", known_as = "list_sum")]
    fn array_sum(a: ListRef<'_, i64>) -> Result<i64, FunctionError> {
        let sum = a.values().map(i128::from).sum::<i128>();
        i64::try_from(sum).map_err(|_| OVERFLOW.into())
    }

    /// The sum of the items that are not null; 0 where there are none.
    ///
    /// ```chalk
    /// array_sum([0.5, 1.5]) == 2.0
    /// ```
    #[function(signature = "array_sum(a: [float?]) -> float")]
    fn array_sum_of_floats(a: ListRef<'_, f64>) -> f64 {
        // The sum of no floats is -0.0 in Rust.
        a.values().fold(0.0, |sum, value| sum + value)
    }

    /// The least item; nulls are skipped, and null is the answer where nothing is left.
    ///
    /// Deviation: the reference gives null where any item is null.
    ///
    /// ```chalk
    /// array_min([3, 1, 2]) == 1
    /// ```
    #[function(
        signature = "array_min(a: [T]) -> T?",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_min<'a, T: Sortable<'a> + IntoSlot>(a: ListRef<'a, T>) -> Option<T> {
        a.values().min_by(T::order)
    }

    /// The greatest item; nulls are skipped, and null is the answer where nothing is left. NaN is above every number.
    ///
    /// Deviation: the reference gives null where any item is null.
    ///
    /// ```chalk
    /// array_max([3, 1, 2]) == 3
    /// ```
    #[function(
        signature = "array_max(a: [T]) -> T?",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_max<'a, T: Sortable<'a> + IntoSlot>(a: ListRef<'a, T>) -> Option<T> {
        a.values().max_by(T::order)
    }

    /// The item that occurs most often, of several the one that comes first; nulls are skipped, and null is the answer
    /// where nothing is left.
    ///
    /// ```chalk
    /// array_mode([1, 2, 2, 1]) == 1
    /// ```
    #[function(signature = "array_mode(a: [T]) -> T?", instances = "int, float, bool, string, datetime, date")]
    fn array_mode<'a, T: Sortable<'a> + IntoSlot>(a: ListRef<'a, T>) -> Option<T> {
        let mut counts = std::collections::BTreeMap::new();
        for (at, item) in a.values().enumerate() {
            counts.entry(Ordered(item)).or_insert((0usize, at)).0 += 1;
        }
        let best = counts.into_iter().max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(*first)));
        best.map(|(Ordered(item), _)| item)
    }

    /// At each position the sum of the items up to it; from the first null on, null. Past 64 bits it fails the message.
    ///
    /// ```chalk
    /// array_cum_sum([1, 2, 3]) == [1, 3, 6]
    /// ```
    #[function(signature = "array_cum_sum(a: [T]) -> [T]", instances = "int")]
    fn array_cum_sum<'a, T: Item<'a> + Into<i64> + From<i64>>(
        a: ListRef<'a, T>,
    ) -> Result<Vec<Option<T>>, FunctionError> {
        let mut sum = Some(0i64);
        let mut sums = Vec::with_capacity(a.len());
        for item in a.iter() {
            sum = match (sum, item) {
                (Some(sum), Some(item)) => Some(sum.checked_add(item.into()).ok_or(OVERFLOW)?),
                _ => None,
            };
            sums.push(sum.map(T::from));
        }
        Ok(sums)
    }

    /// At each position the sum of the items up to it; from the first null on, null.
    ///
    /// ```chalk
    /// array_cum_sum([0.5, 1.5]) == [0.5, 2.0]
    /// ```
    #[function(signature = "array_cum_sum(a: [T]) -> [T]", instances = "float")]
    fn array_cum_sum_of_floats<'a, T: Item<'a> + Into<f64> + From<f64>>(a: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut sum = Some(0.0);
        let next = |item: Option<T>| {
            sum = sum.zip(item).map(|(sum, item)| sum + item.into());
            sum.map(T::from)
        };
        a.iter().map(next).collect()
    }

    /// The items in order; nulls come last, whichever way.
    ///
    /// ```chalk
    /// array_sort([3, 1, 2]) == [1, 2, 3]
    /// array_sort(["b", "a"], descending: true) == ["b", "a"]
    /// ```
    #[function(
        signature = "array_sort(a: [T], descending: bool = false) -> [T]",
        known_as = "sort_array, list_sort, sorted",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_sort<'a, T: Sortable<'a>>(a: ListRef<'a, T>, descending: bool) -> Vec<Option<T>> {
        sorted(a, descending)
    }

    /// The items in reverse order. (The reference has no such function.)
    ///
    /// ```chalk
    /// array_reverse([1, 2, 3]) == [3, 2, 1]
    /// ```
    #[function(
        signature = "array_reverse(a: [T]) -> [T]",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_reverse<'a, T: Item<'a>>(a: ListRef<'a, T>) -> Vec<Option<T>> {
        a.iter().rev().collect()
    }

    /// Each item once, where it comes first; null is an item.
    ///
    /// ```chalk
    /// array_distinct([1, 2, 1]) == [1, 2]
    /// ```
    #[function(
        signature = "array_distinct(a: [T]) -> [T]",
        known_as = "unique, list_distinct, array_unique",
        instances = "int, float, bool, string, bytes, datetime, date, time, duration"
    )]
    fn array_distinct<'a, T: Sortable<'a>>(a: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut seen = BTreeSet::new();
        a.iter().filter(|item| seen.insert(item.map(Ordered))).collect()
    }

    /// Each item that occurs more than once, once, where it comes first.
    ///
    /// ```chalk
    /// array_duplicates([1, 2, 1, 1]) == [1]
    /// ```
    #[function(signature = "array_duplicates(a: [T]) -> [T]", instances = "int, float, bool, string, datetime, date")]
    fn array_duplicates<'a, T: Sortable<'a>>(a: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut counts = std::collections::BTreeMap::new();
        for item in a.iter() {
            *counts.entry(item.map(Ordered)).or_insert(0usize) += 1;
        }
        a.iter().filter(|item| counts.remove(&item.map(Ordered)).is_some_and(|count| count > 1)).collect()
    }

    /// Whether an item occurs more than once.
    ///
    /// ```chalk
    /// array_has_duplicates([1, 2, 1])
    /// ```
    #[function(
        signature = "array_has_duplicates(a: [T]) -> bool",
        instances = "int, float, bool, string, datetime, date"
    )]
    fn array_has_duplicates<'a, T: Sortable<'a>>(a: ListRef<'a, T>) -> bool {
        set(a).len() < a.len()
    }

    /// The items that are not null.
    ///
    /// ```chalk
    /// remove_nulls([1, none, 2]) == [1, 2]
    /// ```
    #[function(signature = "remove_nulls(a: [int?]) -> [int]")]
    fn remove_nulls_of_ints<'a>(a: ListRef<'a, i64>) -> Items<i64> {
        Items(a.values().collect())
    }

    /// The items that are not null.
    ///
    /// ```chalk
    /// remove_nulls([0.5, none]) == [0.5]
    /// ```
    #[function(signature = "remove_nulls(a: [float?]) -> [float]")]
    fn remove_nulls_of_floats<'a>(a: ListRef<'a, f64>) -> Items<f64> {
        Items(a.values().collect())
    }

    /// The items that are not null.
    ///
    /// ```chalk
    /// remove_nulls(["a", none]) == ["a"]
    /// ```
    #[function(signature = "remove_nulls(a: [string?]) -> [string]")]
    fn remove_nulls_of_texts<'a>(a: ListRef<'a, &'a str>) -> Items<&'a str> {
        Items(a.values().collect())
    }

    /// The items that are not null.
    ///
    /// ```chalk
    /// cardinality(remove_nulls([from_unix_seconds(1), none])) == 1
    /// ```
    #[function(signature = "remove_nulls(a: [datetime?]) -> [datetime]")]
    fn remove_nulls_of_datetimes<'a>(a: ListRef<'a, Datetime>) -> Items<Datetime> {
        Items(a.values().collect())
    }

    /// How many items equal `x`.
    ///
    /// ```chalk
    /// array_count_value([1, 2, 1], 1) == 2
    /// ```
    #[function(
        signature = "array_count_value(a: [T], x: T) -> int",
        instances = "int, float, bool, string, bytes, datetime, date"
    )]
    fn array_count_value<'a, T: Sortable<'a> + FromSlot<'a>>(a: ListRef<'a, T>, x: T) -> i64 {
        a.values().filter(|item| item.order(&x).is_eq()).count() as i64
    }

    /// The items that do not equal `x`.
    ///
    /// ```chalk
    /// array_remove([1, 2, 1], 1) == [2]
    /// ```
    #[function(
        signature = "array_remove(a: [T], x: T) -> [T]",
        known_as = "list_remove",
        instances = "int, float, bool, string, bytes, datetime, date"
    )]
    fn array_remove<'a, T: Sortable<'a> + FromSlot<'a>>(a: ListRef<'a, T>, x: T) -> Vec<Option<T>> {
        a.iter().filter(|item| !item.is_some_and(|item| item.order(&x).is_eq())).collect()
    }

    /// Each item of `a` that `b` does not have, once.
    ///
    /// ```chalk
    /// array_except([1, 2, 3, 1], [2]) == [1, 3]
    /// ```
    #[function(
        signature = "array_except(a: [T], b: [T]) -> [T]",
        instances = "int, float, bool, string, bytes, datetime, date"
    )]
    fn array_except<'a, T: Sortable<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut seen = set(b);
        a.iter().filter(|item| seen.insert(item.map(Ordered))).collect()
    }

    /// Each item that both lists have, once, in the order of `a`.
    ///
    /// ```chalk
    /// array_intersect([1, 2, 3], [3, 1]) == [1, 3]
    /// ```
    #[function(
        signature = "array_intersect(a: [T], b: [T]) -> [T]",
        known_as = "list_intersect",
        instances = "int, float, bool, string, bytes, datetime, date"
    )]
    fn array_intersect<'a, T: Sortable<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut common = set(b);
        a.iter().filter(|item| common.remove(&item.map(Ordered))).collect()
    }

    /// Whether some item that is not null is in both lists.
    ///
    /// ```chalk
    /// arrays_overlap([1, 2], [2, 3])
    /// ```
    #[function(
        signature = "arrays_overlap(a: [T], b: [T]) -> bool",
        instances = "int, float, bool, string, bytes, datetime, date"
    )]
    fn arrays_overlap<'a, T: Sortable<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> bool {
        let b: BTreeSet<Ordered<T>> = b.values().map(Ordered).collect();
        a.values().any(|item| b.contains(&Ordered(item)))
    }

    /// The ints from `start` to `stop`, which is included, `step` apart. A step of 0, a step away from `stop`, and more
    /// than a million items fail the message.
    ///
    /// ```chalk
    /// sequence(1, 4) == [1, 2, 3, 4]
    /// sequence(5, 1, -2) == [5, 3, 1]
    /// ```
    #[function(
        signature = "sequence(start: int, stop: int, step: int = 1) -> [int]",
        known_as = "range, generate_series"
    )]
    fn sequence(start: i64, stop: i64, step: i64) -> Result<Items<i64>, FunctionError> {
        let span = i128::from(stop) - i128::from(start);
        let step = i128::from(step);
        if step == 0 || (span != 0 && (span < 0) != (step < 0)) {
            return Err(format!("no steps of {step} lead from {start} to {stop}").into());
        }
        if span / step >= MAX_SEQUENCE_ITEMS {
            return Err(format!("a sequence of more than {MAX_SEQUENCE_ITEMS} items").into());
        }
        Ok(Items((0..=span / step).map(|n| (i128::from(start) + n * step) as i64).collect()))
    }

    /// The items in random order.
    ///
    /// ```chalk
    /// array_sort(shuffle([1, 2, 3])) == [1, 2, 3]
    /// ```
    #[function(signature = "shuffle(a: [T]) -> [T]", instances = "int, float, string", impure)]
    fn shuffle<'a, T: Item<'a>>(cx: &CallContext, a: ListRef<'a, T>) -> Vec<Option<T>> {
        let mut items: Vec<Option<T>> = a.iter().collect();
        for last in (1..items.len()).rev() {
            items.swap(last, (cx.random_bits() % (last as u64 + 1)) as usize);
        }
        items
    }
}
