//! An aggregation bound to its aggregates: which words of a partial belong to which leaf, which buckets there are, and where they
//! lie in an entry.
//!
//! It is made once per aggregation and shared by its tables, so that folding a key's partials over partitions is a loop over words.
//!
//! This file must not know keys or events' places.

use std::sync::Arc;

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets, Leaf};
use chalk_catalog::Catalog;
use chalk_catalog::aggregate::{Aggregate, AggregateCall, Fold, Order};
use chalk_catalog::event::is_word;
use chalk_types::Kind;

use crate::fold::{Atom, Condition, Operation, atoms_of};
use crate::slab::Words;

/// Series of buckets that an aggregation may have.
const MAX_SERIES: usize = 24;

/// An aggregation bound to its aggregates.
pub struct Layout {
    plan: Aggregation,
    pub(crate) leaves: Vec<BoundLeaf>,
    /// Positions of the leaves whose aggregates are called.
    called: Vec<usize>,
    pub(crate) atoms: Vec<Atom>,
    pub(crate) conditions: Vec<Condition>,
    /// Words of a partial of all leaves.
    pub(crate) words: usize,
    /// Of tumbling windows: where a partial counts all events, so that an open bucket without any is known.
    pub(crate) count_at: Option<usize>,
    /// A partial of no event.
    pub(crate) empty: Vec<u64>,
    /// Bytes that the partials of all leaves hold on the heap, typically.
    pub(crate) heap_bytes: usize,
    pub(crate) series: Vec<Series>,
    pub(crate) windows: Vec<BoundWindow>,
    pub(crate) kind: StateKind,
    /// Words of an entry.
    pub(crate) entry: Words,
    /// Where the last offset is in an entry.
    pub(crate) last_offset_at: usize,
    /// Of exact windows: how events are kept.
    pub(crate) events: Option<KeptEvents>,
    /// Whether keys are words.
    pub(crate) is_word_key: bool,
}

/// A leaf with its aggregate.
pub(crate) struct BoundLeaf {
    pub(crate) aggregate: Box<dyn Aggregate>,
    /// Of a fold: the atoms that its words are, in their order.
    pub(crate) atoms: Option<Vec<usize>>,
    /// Of one that is called: the first of its words among those of all.
    pub(crate) at: usize,
    /// Of one that is called: its words.
    pub(crate) words: usize,
    pub(crate) condition: usize,
    pub(crate) args: Vec<u16>,
}

/// A series of buckets; every event is in one bucket of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// 0: one bucket for all time.
    pub(crate) bucket_us: i64,
    /// From 0 to the length, so that numbers of buckets fit into a word.
    pub(crate) origin_us: i64,
    /// The longest window that reads it.
    pub(crate) span_us: i64,
    /// Where the number of the open bucket is in an entry; the block of closed ones is behind it.
    pub(crate) at: usize,
    /// Where the partials of the open bucket are in an entry.
    pub(crate) partial_at: usize,
}

/// A window over a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundWindow {
    pub(crate) duration_us: i64,
    pub(crate) series: usize,
}

/// How windows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateKind {
    Total,
    Continuous,
    Materialized,
    Tumbling,
    Messages,
}

/// How an event of an exact window is kept: time, offset where it matters, flags, and a word per column that is an argument.
pub(crate) struct KeptEvents {
    /// Words of an event.
    pub(crate) stride: usize,
    /// Where an event's offset is.
    pub(crate) offset_at: Option<usize>,
    /// Where its flags begin: a bit per condition, whether it is met. None where there is no condition.
    pub(crate) flags_at: Option<usize>,
    /// Columns that are kept, and where.
    pub(crate) columns: Vec<KeptColumn>,
    /// The longest window.
    pub(crate) span_us: i64,
}

/// A column of kept events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptColumn {
    pub(crate) column: usize,
    pub(crate) at: usize,
    pub(crate) is_word: bool,
}

/// Words of an entry before the partials of its open buckets: key, flags.
const ENTRY_HEAD: usize = 2;
/// Words of a series in an entry behind the last offset: number of the open bucket, block of closed ones.
const SERIES_WORDS: usize = 2;
/// Words of a line of memory.
pub(crate) const LINE_WORDS: usize = 8;

impl Layout {
    /// Binds the plan's leaves to the catalogue's aggregates; an error says which leaf has none.
    pub fn new(plan: &Aggregation, catalog: &Catalog) -> Result<Arc<Layout>, String> {
        let mut is_offset_kept = false;
        let mut aggregates = Vec::with_capacity(plan.leaves.len());
        for leaf in &plan.leaves {
            let def = catalog
                .aggregate(&leaf.aggregate)
                .ok_or_else(|| format!("{}: unknown aggregate `{}`", plan.name, leaf.aggregate))?;
            is_offset_kept |= def.order == Order::Time;
            aggregates.push((def.bind)(&call(leaf)).map_err(|(_, reason)| format!("{}: {reason}", leaf.aggregate))?);
        }
        Layout::build(plan, aggregates, is_offset_kept)
    }

    /// The plan with its leaves bound by hand, one aggregate each. An error says what of the plan cannot be.
    pub fn with(plan: &Aggregation, aggregates: Vec<Box<dyn Aggregate>>) -> Result<Arc<Layout>, String> {
        Layout::build(plan, aggregates, true)
    }

    fn build(
        plan: &Aggregation,
        aggregates: Vec<Box<dyn Aggregate>>,
        is_offset_kept: bool,
    ) -> Result<Arc<Layout>, String> {
        if plan.leaves.len() != aggregates.len() {
            return Err(format!("{}: {} leaves, {} aggregates", plan.name, plan.leaves.len(), aggregates.len()));
        }
        check_columns(plan)?;
        let Bound { leaves, mut atoms, conditions, mut words } = bind(plan, aggregates)?;
        let mut count_at = None;
        if matches!(plan.kind, AggregationKind::Tumbling { .. }) {
            let count = atoms.iter().find(|atom| atom.operation == Operation::Count && atom.condition == 0);
            count_at = Some(count.map_or(words, |count| count.at));
            if count.is_none() {
                atoms.push(Atom { operation: Operation::Count, column: None, condition: 0, at: words });
                words += 1;
            }
        }
        let (kind, mut series, windows) = windows(plan, words)?;
        let (entry, last_offset_at) = entry(series.len(), words, kind == StateKind::Continuous);
        for (position, series) in series.iter_mut().enumerate() {
            series.at = last_offset_at + 1 + position * SERIES_WORDS;
        }
        let mut empty = vec![0; words];
        for atom in &atoms {
            empty[atom.at] = atom.operation.neutral();
        }
        Ok(Arc::new(Layout {
            entry,
            last_offset_at,
            heap_bytes: leaves.iter().map(|leaf| leaf.aggregate.heap_bytes()).sum(),
            events: (kind == StateKind::Continuous).then(|| keep(plan, &leaves, &conditions, &windows, is_offset_kept)),
            is_word_key: is_word(&plan.key.kind),
            plan: plan.clone(),
            called: (0..leaves.len()).filter(|leaf| leaves[*leaf].atoms.is_none()).collect(),
            leaves,
            atoms,
            conditions,
            words,
            count_at,
            empty,
            series,
            windows,
            kind,
        }))
    }

    /// What it was made of.
    pub fn plan(&self) -> &Aggregation {
        &self.plan
    }

    /// The aggregate of a leaf.
    pub fn aggregate(&self, leaf: usize) -> &dyn Aggregate {
        &*self.leaves[leaf].aggregate
    }

    /// Leaves whose aggregates are called.
    pub(crate) fn called(&self) -> impl Iterator<Item = &BoundLeaf> {
        self.called.iter().map(|leaf| &self.leaves[*leaf])
    }

    /// Whether some aggregate is called: its partials may hold more than their words.
    #[inline]
    pub(crate) fn has_heap(&self) -> bool {
        !self.called.is_empty()
    }

    /// Bytes of an object on the heap, on average.
    pub(crate) fn object_bytes(&self) -> usize {
        self.heap_bytes / self.leaves.iter().filter(|leaf| leaf.aggregate.heap_bytes() > 0).count().max(1)
    }

    /// Words of a row of closed buckets: number and partials.
    pub(crate) fn row_words(&self) -> usize {
        1 + self.words
    }

    /// Where the block of kept events is in an entry.
    pub(crate) fn events_at(&self) -> usize {
        self.last_offset_at + 1 + self.series.len() * SERIES_WORDS
    }
}

/// What the leaf's aggregate is bound to.
fn call(leaf: &Leaf) -> AggregateCall {
    AggregateCall { args: leaf.arg_types.clone(), params: leaf.params.clone(), result: leaf.ty.clone() }
}

struct Bound {
    leaves: Vec<BoundLeaf>,
    atoms: Vec<Atom>,
    conditions: Vec<Condition>,
    words: usize,
}

/// Gives each leaf its words; leaves with the same atom over the same column and condition share it.
fn bind(plan: &Aggregation, aggregates: Vec<Box<dyn Aggregate>>) -> Result<Bound, String> {
    let mut bound = Bound { leaves: Vec::new(), atoms: Vec::new(), conditions: vec![Condition::default()], words: 0 };
    for (leaf, aggregate) in plan.leaves.iter().zip(aggregates) {
        let columns = leaf.args.iter().map(|column| *column as usize);
        let mut present: Vec<usize> = columns.filter(|column| plan.columns[*column].ty.nullable).collect();
        present.sort_unstable();
        present.dedup();
        let condition = Condition { filter: leaf.filter.map(|column| column as usize), present };
        let condition = position_of(&mut bound.conditions, &condition, |a, b| a == b);
        let mut place = BoundLeaf {
            atoms: None,
            at: bound.words,
            words: 0,
            condition,
            args: leaf.args.iter().map(|column| *column as u16).collect(),
            aggregate,
        };
        match place.aggregate.fold() {
            None => {
                place.words = place.aggregate.words();
                bound.words += place.words;
            }
            Some(fold) => {
                let is_word = |column: &u32| is_word(&plan.columns[*column as usize].ty.kind);
                let has_argument = leaf.args.len() == 1 && leaf.args.iter().all(is_word);
                if fold.words() != place.aggregate.words() || (fold != Fold::Count && !has_argument) {
                    return Err(format!("{}: `{}` is not what its fold says", plan.name, leaf.aggregate));
                }
                let mut of = |operation: Operation| {
                    let column = leaf.args.first().filter(|_| operation != Operation::Count);
                    let atom =
                        Atom { operation, column: column.map(|column| *column as usize), condition, at: bound.words };
                    let count = bound.atoms.len();
                    let position = position_of(&mut bound.atoms, &atom, |a, b| {
                        (a.operation, a.column, a.condition) == (b.operation, b.column, b.condition)
                    });
                    if position == count {
                        bound.words += operation.words();
                    }
                    position
                };
                place.atoms = Some(atoms_of(fold).iter().map(|operation| of(*operation)).collect());
            }
        }
        bound.leaves.push(place);
    }
    Ok(bound)
}

/// The position of an item in the list, which it is appended to if it is not there.
fn position_of<T: Clone>(list: &mut Vec<T>, item: &T, is_same: impl Fn(&T, &T) -> bool) -> usize {
    let position = list.iter().position(|other| is_same(other, item));
    position.unwrap_or_else(|| {
        list.push(item.clone());
        list.len() - 1
    })
}

/// Positions of columns come from an artifact.
fn check_columns(plan: &Aggregation) -> Result<(), String> {
    let kind = |column: &u32| plan.columns.get(*column as usize).map(|column| &column.ty.kind);
    for leaf in &plan.leaves {
        let is_filter_good = leaf.filter.as_ref().is_none_or(|column| kind(column) == Some(&Kind::Bool));
        if !is_filter_good || leaf.args.iter().any(|column| kind(column).is_none() || *column > u32::from(u16::MAX)) {
            return Err(format!("{}: a leaf reads columns that are not there", plan.name));
        }
    }
    Ok(())
}

fn windows(plan: &Aggregation, words: usize) -> Result<(StateKind, Vec<Series>, Vec<BoundWindow>), String> {
    let bad = |what: &str| Err(format!("{}: {what}", plan.name));
    let tiers = |buckets: &Buckets| -> Vec<(i64, i64, i64)> {
        buckets.tiers.iter().map(|tier| (tier.bucket_us, tier.origin_us, tier.span_us)).collect()
    };
    let over = |buckets: &Buckets| -> Vec<BoundWindow> {
        let window = |window: &chalk_artifact::manifest::Window| BoundWindow {
            duration_us: window.duration_us,
            series: window.tier as usize,
        };
        buckets.windows.iter().map(window).collect()
    };
    let (kind, tiers, windows) = match &plan.kind {
        AggregationKind::Total => {
            (StateKind::Total, vec![(0, 0, i64::MAX)], vec![BoundWindow { duration_us: i64::MAX, series: 0 }])
        }
        AggregationKind::Continuous(buckets) => (StateKind::Continuous, tiers(buckets), over(buckets)),
        AggregationKind::Materialized(buckets) => (StateKind::Materialized, tiers(buckets), over(buckets)),
        AggregationKind::Tumbling { windows_us, .. } => (
            StateKind::Tumbling,
            windows_us.iter().map(|length| (*length, 0, *length)).collect(),
            windows_us
                .iter()
                .enumerate()
                .map(|(series, length)| BoundWindow { duration_us: *length, series })
                .collect(),
        ),
        AggregationKind::Messages { windows_us, .. } => (
            StateKind::Messages,
            windows_us.iter().map(|length| (*length, 0, *length)).collect(),
            windows_us
                .iter()
                .enumerate()
                .map(|(series, length)| BoundWindow { duration_us: *length, series })
                .collect(),
        ),
    };
    if tiers.is_empty() || tiers.len() > MAX_SERIES {
        return bad("no windows, or too many series of buckets");
    }
    let count = tiers.len();
    let mut series = Vec::with_capacity(count);
    for (position, (bucket_us, origin_us, span_us)) in tiers.into_iter().enumerate() {
        if kind != StateKind::Total && (bucket_us <= 0 || span_us <= 0) {
            return bad("a bucket has no length");
        }
        let origin_us = if bucket_us == 0 { 0 } else { origin_us.rem_euclid(bucket_us) };
        series.push(Series { bucket_us, origin_us, span_us, at: 0, partial_at: ENTRY_HEAD + position * words });
    }
    if windows.iter().any(|window| {
        window.duration_us <= 0 || series.get(window.series).is_none_or(|series| series.span_us < window.duration_us)
    }) {
        return bad("a window is longer than what is kept for it");
    }
    Ok((kind, series, windows))
}

/// The words of an entry, and where its last offset is.
///
/// Most updates touch key, flags and partials alone, so these lie apart from the rest in whole lines, unless all fits into a line, lines would be
/// a sixth larger, or every update touches the rest too, as of exact windows. What is not apart is cut by lines no more often than need be.
fn entry(series: usize, words: usize, is_exact: bool) -> (Words, usize) {
    let head = ENTRY_HEAD + series * words;
    let rest = 1 + series * SERIES_WORDS + usize::from(is_exact);
    let lines = head.next_multiple_of(LINE_WORDS);
    if is_exact || head + rest <= LINE_WORDS || (lines - head) * 6 > head {
        (Words { near: (head + rest).next_multiple_of(LINE_WORDS / 2), far: 0 }, head)
    } else {
        (Words { near: lines, far: rest }, lines)
    }
}

fn keep(
    plan: &Aggregation,
    leaves: &[BoundLeaf],
    conditions: &[Condition],
    windows: &[BoundWindow],
    is_offset_kept: bool,
) -> KeptEvents {
    let mut stride = 1;
    let mut take = |words: usize| {
        stride += words;
        stride - words
    };
    let offset_at = (is_offset_kept && leaves.iter().any(|leaf| leaf.atoms.is_none())).then(|| take(1));
    let flags_at = (conditions.len() > 1).then(|| take(conditions.len().div_ceil(64)));
    let mut columns: Vec<KeptColumn> = Vec::new();
    // The argument of a count decides whether it counts; its value is not needed.
    let read = leaves.iter().filter(|leaf| leaf.aggregate.fold() != Some(Fold::Count));
    for column in read.flat_map(|leaf| &leaf.args).map(|column| *column as usize) {
        if columns.iter().all(|kept| kept.column != column) {
            columns.push(KeptColumn { column, at: take(1), is_word: is_word(&plan.columns[column].ty.kind) });
        }
    }
    let span_us = windows.iter().map(|window| window.duration_us).max().unwrap_or(0);
    KeptEvents { stride, offset_at, flags_at, columns, span_us }
}

impl KeptEvents {
    /// Where the value of a column is in an event.
    pub(crate) fn place(&self, column: usize) -> Option<usize> {
        self.columns.iter().find(|kept| kept.column == column).map(|kept| kept.at)
    }
}

impl Series {
    /// The bucket that a time is in.
    #[inline]
    pub(crate) fn number(&self, time_us: i64) -> i64 {
        match (self.bucket_us, time_us.checked_sub(self.origin_us)) {
            (0, _) => 0,
            (length, Some(since)) => since.div_euclid(length),
            (length, None) => (i128::from(time_us) - i128::from(self.origin_us)).div_euclid(i128::from(length)) as i64,
        }
    }

    /// The bucket that a time is in, which may lie before or after all times that there are.
    pub(crate) fn wide_number(&self, time_us: i128) -> i128 {
        (time_us - i128::from(self.origin_us)).div_euclid(i128::from(self.bucket_us))
    }

    /// Where a bucket starts.
    pub(crate) fn start(&self, number: i128) -> i128 {
        number * i128::from(self.bucket_us) + i128::from(self.origin_us)
    }

    /// Where the bucket that starts there ends.
    pub(crate) fn end(&self, start_us: i64) -> i64 {
        start_us.saturating_add(self.bucket_us)
    }

    /// First and last time of the bucket that a time is in.
    pub(crate) fn bounds(&self, number: i64) -> (i64, i64) {
        if self.bucket_us == 0 {
            return (i64::MIN, i64::MAX);
        }
        let start = self.start(i128::from(number));
        (clamp(start), clamp(start + i128::from(self.bucket_us) - 1))
    }
}

/// The nearest word.
pub(crate) fn clamp(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Layout of {}", self.plan.name)
    }
}
