//! The laws of `chalk_catalog::aggregate`, for every aggregate with every type it takes.
//!
//! `CHALK_DIFF_CASES` sets how many cases there are in all, `CHALK_DIFF_SEED` where to begin; a failure prints the seed.

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::{Aggregate, Fold, Heap, Order, finish_each};
use chalk_types::Value;

use crate::model;
use crate::random::{Random, cases, first_seed};
use crate::support::{Columns, Events, Partial, exact, is_close};
use crate::types::{Bound, all_bindings, is_of};

/// One case: an aggregate bound to types, and events.
pub(crate) struct Case<'a> {
    bound: &'a Bound,
    aggregate: &'a dyn Aggregate,
    events: Events,
    columns: Columns,
    seed: u64,
}

impl<'a> Case<'a> {
    /// Of those events.
    pub(crate) fn new(bound: &'a Bound, aggregate: &'a dyn Aggregate, events: Events, seed: u64) -> Case<'a> {
        let columns = events.columns(&bound.call.args);
        Case { bound, aggregate, events, columns, seed }
    }

    fn whole(&self) -> Partial<'_> {
        Partial::of(self.aggregate, &self.columns, 0..self.events.len())
    }

    /// Partials of random consecutive stretches, some of them empty.
    fn stretches(&self, random: &mut Random) -> Vec<Partial<'_>> {
        let mut cuts: Vec<usize> = (0..random.below(6)).map(|_| random.below(self.events.len() + 1)).collect();
        cuts.extend([0, self.events.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|cut| Partial::of(self.aggregate, &self.columns, cut[0]..cut[1])).collect()
    }

    /// Asserts that a partial is that of all events: to the bit, unless the aggregate says that bits depend on the order.
    fn assert_same(&self, found: &Partial<'_>, wanted: &Partial<'_>, what: &str) {
        let (a, b) = (found.finish(), wanted.finish());
        match self.bound.def.order {
            Order::Bits => assert!(is_close(&a, &b, self.size()), "{}: {a:?}, not {b:?}", self.place(what)),
            Order::Free | Order::Time => {
                assert_eq!(exact(&a), exact(&b), "{}", self.place(what));
                assert_eq!(found.bytes(), wanted.bytes(), "bytes, {}", self.place(what));
            }
        }
    }

    /// How large the numbers are that may have cancelled each other.
    fn size(&self) -> f64 {
        let numbers = self.events.rows.iter().flatten().map(model::size);
        numbers.fold(1.0, |size, number| size + number)
    }

    fn place(&self, what: &str) -> String {
        format!(
            "{what}: `{}` of {:?}, seed {}, {:?}",
            self.bound.def.signature, self.bound.call, self.seed, self.events
        )
    }
}

/// What holds in every case.
pub(crate) type Law = fn(&Case<'_>, &mut Random);

/// Whether a law is about values at the edges too, where the order of float operations shows in more than the last digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edges {
    /// Always.
    Always,
    /// Only where no order of operations shows.
    WhereExact,
}

/// Holds a law against so many random cases.
pub(crate) fn hold(bound: &Bound, aggregate: &dyn Aggregate, law: Law, edges: Edges, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut random = Random(seed);
        let is_wild = (edges == Edges::Always || bound.def.order != Order::Bits) && random.once_in(2);
        let count = if random.once_in(5) { random.below(3) } else { random.below(40) };
        let events = Events::random(&mut random, &bound.call.args, count, is_wild);
        law(&Case::new(bound, aggregate, events, seed), &mut random);
    }
}

/// Holds a law against every aggregate with every type.
fn hold_everywhere(law: Law, edges: Edges) {
    let bindings = all_bindings();
    assert!(bindings.len() > 500, "{} bindings", bindings.len());
    let rounds = (cases() / bindings.len()).max(2) as u64;
    for (number, bound) in bindings.iter().enumerate() {
        let aggregate = (bound.def.bind)(&bound.call).unwrap_or_else(|error| panic!("{bound:?}: {error:?}"));
        let start = first_seed() + number as u64 * 1_000_003;
        hold(bound, &*aggregate, law, edges, start..start + rounds);
    }
}

pub(crate) fn merging(case: &Case<'_>, random: &mut Random) {
    let whole = case.whole();
    let mut merged = Partial::new(case.aggregate);
    for stretch in case.stretches(random) {
        merged.merge(&stretch);
        stretch.clear();
    }
    case.assert_same(&merged, &whole, "merged from left to right");

    let mut stretches = case.stretches(random);
    while stretches.len() > 1 {
        let at = random.below(stretches.len() - 1);
        let later = stretches.remove(at + 1);
        stretches[at].merge(&later);
        later.clear();
    }
    case.assert_same(&stretches[0], &whole, "merged in pairs");
    merged.clear();
    whole.clear();
}

#[test]
fn merging_partials_of_stretches_is_folding_all_events() {
    hold_everywhere(merging, Edges::WhereExact);
}

pub(crate) fn emptiness(case: &Case<'_>, _: &mut Random) {
    let mut whole = case.whole();
    let (result, bytes) = (whole.finish(), whole.bytes());
    whole.merge(&Partial::new(case.aggregate));
    assert_eq!(exact(&whole.finish()), exact(&result), "{}", case.place("an empty one merged into it"));
    assert_eq!(whole.bytes(), bytes, "{}", case.place("an empty one merged into it"));
    let mut merged = Partial::new(case.aggregate);
    merged.merge(&whole);
    assert_eq!(exact(&merged.finish()), exact(&result), "{}", case.place("merged into an empty one"));
    assert_eq!(merged.bytes(), bytes, "{}", case.place("merged into an empty one"));
}

#[test]
fn an_empty_partial_changes_nothing() {
    hold_everywhere(emptiness, Edges::Always);
}

pub(crate) fn bytes(case: &Case<'_>, random: &mut Random) {
    let cut = random.below(case.events.len() + 1);
    let mut before = Partial::of(case.aggregate, &case.columns, 0..cut);
    let bytes = before.bytes();
    let mut after = Partial::read(case.aggregate, &bytes).unwrap_or_else(|| panic!("{}", case.place("cannot be read")));
    assert_eq!(exact(&after.finish()), exact(&before.finish()), "{}", case.place("read back"));
    assert_eq!(after.bytes(), bytes, "{}", case.place("read back"));
    for row in cut..case.events.len() {
        before.update(&case.columns, row);
        after.update(&case.columns, row);
    }
    assert_eq!(exact(&after.finish()), exact(&before.finish()), "{}", case.place("continued"));
    assert_eq!(after.bytes(), before.bytes(), "{}", case.place("continued"));
    after.clear();
    before.clear();
}

#[test]
fn partials_come_back_from_their_bytes_and_go_on_as_before() {
    hold_everywhere(bytes, Edges::Always);
}

pub(crate) fn damage(case: &Case<'_>, random: &mut Random) {
    let bytes = case.whole().bytes();
    let size = random.below(bytes.len());
    assert!(Partial::read(case.aggregate, &bytes[..size]).is_none(), "{}", case.place("torn"));
    let mut damaged = bytes;
    for _ in 0..=random.below(3) {
        let at = random.below(damaged.len());
        damaged[at] ^= 1 << random.below(8);
    }
    // Damage may look like another partial: then this one works.
    let mut words = vec![0; case.aggregate.words()];
    let mut heap = Heap::default();
    let mut rest = &damaged[..];
    if case.aggregate.decode(&mut rest, &mut words, &mut heap).is_some() {
        let mut found = Partial { aggregate: case.aggregate, words, heap };
        let _ = found.finish();
        let again = found.bytes();
        assert!(Partial::read(case.aggregate, &again).is_some(), "{}", case.place("damaged, read and written"));
        found.merge(&Partial::new(case.aggregate));
        found.clear();
    } else {
        assert!(heap.is_empty(), "{}", case.place("damaged"));
    }
}

#[test]
fn torn_bytes_are_no_partial_and_damaged_ones_do_no_harm() {
    hold_everywhere(damage, Edges::Always);
}

pub(crate) fn order(case: &Case<'_>, random: &mut Random) {
    let columns = case.events.shuffled(random).columns(&case.bound.call.args);
    let shuffled = Partial::of(case.aggregate, &columns, 0..case.events.len());
    let whole = case.whole();
    case.assert_same(&shuffled, &whole, "in another order");
}

#[test]
fn the_order_of_arrival_does_not_show_where_that_is_claimed() {
    hold_everywhere(order, Edges::WhereExact);
}

pub(crate) fn inline(case: &Case<'_>, random: &mut Random) {
    let Some(fold) = case.aggregate.fold() else { return };
    let mut inline = vec![0; fold.words()];
    let mut whole = Partial::new(case.aggregate);
    for row in 0..case.events.len() {
        let word = if fold == Fold::Count { 0 } else { case.columns.event(row).word(0) };
        fold.update(&mut inline, word);
        whole.update(&case.columns, row);
        assert_eq!(inline, whole.words, "{}", case.place("updated"));
    }
    for stretch in case.stretches(random) {
        fold.merge(&mut inline, &stretch.words);
        whole.merge(&stretch);
        assert_eq!(inline, whole.words, "{}", case.place("merged"));
    }
}

#[test]
fn what_state_does_inline_is_what_the_aggregate_does() {
    let mut folds = Vec::new();
    for bound in all_bindings() {
        let aggregate = (bound.def.bind)(&bound.call).expect("binds");
        if let Some(fold) = aggregate.fold() {
            assert_eq!(fold.words(), aggregate.words(), "{bound:?}");
            folds.push(format!("{fold:?}"));
        }
    }
    folds.sort();
    folds.dedup();
    assert_eq!(folds.len(), 11, "every fold is used: {folds:?}");
    hold_everywhere(inline, Edges::Always);
}

pub(crate) fn columns(case: &Case<'_>, random: &mut Random) {
    // Partials of one heap, an empty one among them.
    let (mut words, mut heap) = (Vec::new(), Heap::default());
    let stretches = (0..3).flat_map(|_| case.stretches(random)).chain([Partial::new(case.aggregate)]);
    for stretch in stretches {
        let mut partial = vec![0; case.aggregate.words()];
        case.aggregate.merge(&mut partial, &mut heap, &stretch.words, &stretch.heap);
        words.extend(partial);
    }
    let finish = |all: &dyn Fn(&mut ColumnBuilder, &mut Vec<(usize, String)>)| {
        let (mut column, mut failed) = (ColumnBuilder::new(&case.bound.call.result.to_optional()), Vec::new());
        all(&mut column, &mut failed);
        // Not to begin at a whole byte of validity.
        all(&mut column, &mut failed);
        (format!("{column:?}"), failed)
    };
    let one_by_one = finish(&|column, failed| finish_each(case.aggregate, &words, &heap, column, failed));
    let together = finish(&|column, failed| case.aggregate.finish_all(&words, &heap, column, failed));
    assert_eq!(together, one_by_one, "{}", case.place("finished together"));
}

#[test]
fn results_of_many_partials_are_those_of_each() {
    hold_everywhere(columns, Edges::Always);
}

pub(crate) fn meaning(case: &Case<'_>, _: &mut Random) {
    let result = case.whole().finish();
    if let Ok(value) = &result {
        assert!(is_of(value, &case.bound.call.result), "{}", case.place(&format!("{value:?}")));
    }
    let Some(wanted) = model::result(case.bound, &case.events) else { return };
    let is_right = match case.bound.def.name {
        "approx_percentile" => model::is_near(&result, &wanted),
        _ => is_close(&result, &wanted, case.size()),
    };
    assert!(is_right, "{}", case.place(&format!("{result:?}, not {wanted:?}")));
}

#[test]
fn results_are_those_of_a_naive_model_and_of_the_declared_type() {
    hold_everywhere(meaning, Edges::WhereExact);
}

#[test]
fn on_nothing_counts_and_sums_are_zero_and_the_others_null() {
    for bound in all_bindings() {
        let aggregate = (bound.def.bind)(&bound.call).expect("binds");
        let result = Partial::new(&*aggregate).finish().expect("an empty partial has a result");
        let is_zero = match &result {
            Value::Int(0) | Value::Decimal(0) | Value::Duration(0) => true,
            Value::Float(sum) => sum.to_bits() == 0,
            _ => false,
        };
        match bound.def.name {
            "count" | "sum" | "count_distinct" | "approx_count_distinct" => assert!(is_zero, "{bound:?}: {result:?}"),
            _ => assert_eq!(result, Value::Null, "{bound:?}"),
        }
    }
}
