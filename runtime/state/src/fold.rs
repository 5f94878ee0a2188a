//! Partials: words that events are added to, and that are merged.
//!
//! The folds of the catalogue are taken apart into atoms (how many, a sum, the least …), and leaves that need the same atom share it: `mean(x)`,
//! `sum(x)` and `count()` are two atoms. What the catalogue has no fold for is called, with words of its own.
//!
//! An atom's empty value is the neutral one, so that no atom asks another whether there was an event before.
//!
//! This file must not know keys, windows or where partials lie.

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::{Event, Fold, Heap, float_rank};
use chalk_catalog::event::{EventColumn, EventData};
use chalk_types::Value;

use crate::EventBatch;
use crate::arena::{Arena, Block};
use crate::group::{self, Group, Target};
use crate::layout::{KeptEvents, Layout};

/// What an atom does with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Count,
    SumFloat,
    /// Two words, low first.
    SumSigned,
    /// Two words, low first.
    SumUnsigned,
    MinInt,
    MaxInt,
    MinFloat,
    MaxFloat,
}

/// One operation over one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Atom {
    pub(crate) operation: Operation,
    /// None for `Count`.
    pub(crate) column: Option<usize>,
    /// Position of the condition that an event must meet.
    pub(crate) condition: usize,
    /// Its first word among those of all atoms and leaves.
    pub(crate) at: usize,
}

/// Which events count: the filter is true, and no argument is null. The first condition of a layout is met by all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) filter: Option<usize>,
    /// Columns that may be null and must not.
    pub(crate) present: Vec<usize>,
}

impl Condition {
    #[inline]
    pub(crate) fn is_met(&self, columns: &[EventColumn], row: usize) -> bool {
        let is_kept = self.filter.is_none_or(|filter| columns[filter].is_valid(row) && columns[filter].word(row) != 0);
        is_kept && self.present.iter().all(|column| columns[*column].is_valid(row))
    }
}

impl Operation {
    pub(crate) fn words(self) -> usize {
        match self {
            Operation::SumSigned | Operation::SumUnsigned => 2,
            _ => 1,
        }
    }

    /// The word of no event.
    pub(crate) fn neutral(self) -> u64 {
        match self {
            Operation::MinInt => i64::MAX as u64,
            Operation::MaxInt => i64::MIN as u64,
            Operation::MinFloat => f64::NAN.to_bits(),
            Operation::MaxFloat => f64::NEG_INFINITY.to_bits(),
            _ => 0,
        }
    }

    /// Adds a value to the atom.
    #[inline(always)]
    fn update(self, partial: &mut [u64], at: usize, word: u64) {
        match self {
            Operation::Count => partial[at] += 1,
            Operation::SumSigned => add_wide(&mut partial[at..], i128::from(word as i64)),
            Operation::SumUnsigned => add_wide(&mut partial[at..], i128::from(word)),
            _ => self.join(&mut partial[at], word),
        }
    }

    /// Adds a later atom.
    #[inline(always)]
    fn merge(self, partial: &mut [u64], at: usize, later: &[u64]) {
        match self {
            Operation::Count => partial[at] += later[at],
            Operation::SumSigned | Operation::SumUnsigned => add_wide(&mut partial[at..], wide(&later[at..])),
            _ => self.join(&mut partial[at], later[at]),
        }
    }

    /// Of those for which an event is as good as a partial.
    #[inline(always)]
    pub(crate) fn join(self, held: &mut u64, word: u64) {
        let (value, before) = (f64::from_bits(word), f64::from_bits(*held));
        match self {
            Operation::SumFloat => *held = (before + value).to_bits(),
            Operation::MinInt => *held = (*held as i64).min(word as i64) as u64,
            Operation::MaxInt => *held = (*held as i64).max(word as i64) as u64,
            // Most values are no new extreme, which one comparison of floats tells; zeros and NaN need the full order.
            Operation::MinFloat => {
                let is_greater = value > before;
                if !is_greater && float_rank(word) < float_rank(*held) {
                    *held = word;
                }
            }
            _ => {
                let is_less = value < before;
                if !is_less && float_rank(word) > float_rank(*held) {
                    *held = word;
                }
            }
        }
    }
}

/// The first two words as one integer.
#[inline(always)]
fn wide(words: &[u64]) -> i128 {
    ((u128::from(words[1]) << 64) | u128::from(words[0])) as i128
}

#[inline(always)]
pub(crate) fn add_wide(words: &mut [u64], value: i128) {
    let sum = wide(words).wrapping_add(value);
    words[0] = sum as u64;
    words[1] = (sum >> 64) as u64;
}

/// The atoms of a fold, in the order of its words.
pub(crate) fn atoms_of(fold: Fold) -> &'static [Operation] {
    match fold {
        Fold::Count => &[Operation::Count],
        Fold::SumFloat => &[Operation::SumFloat],
        Fold::SumInt(true) => &[Operation::SumSigned],
        Fold::SumInt(false) => &[Operation::SumUnsigned],
        Fold::MinInt => &[Operation::Count, Operation::MinInt],
        Fold::MaxInt => &[Operation::Count, Operation::MaxInt],
        Fold::MinFloat => &[Operation::Count, Operation::MinFloat],
        Fold::MaxFloat => &[Operation::Count, Operation::MaxFloat],
        Fold::MeanFloat => &[Operation::Count, Operation::SumFloat],
        Fold::MeanInt(true) => &[Operation::Count, Operation::SumSigned],
        Fold::MeanInt(false) => &[Operation::Count, Operation::SumUnsigned],
    }
}

/// The columns of a batch as atoms read them.
pub(crate) struct Sources<'a> {
    events: &'a EventBatch,
    /// Atoms that every event counts in.
    plain: Vec<Source<'a>>,
    /// The same, by column.
    groups: Vec<Group<'a>>,
    /// Atoms with a condition.
    conditional: Vec<(Source<'a>, usize)>,
}

#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) operation: Operation,
    pub(crate) at: usize,
    /// Of all rows; none for a count.
    pub(crate) words: &'a [u64],
}

impl Source<'_> {
    #[inline(always)]
    fn add(&self, partial: &mut [u64], row: usize) {
        match self.operation {
            Operation::Count => partial[self.at] += 1,
            operation => operation.update(partial, self.at, self.words[row]),
        }
    }
}

impl<'a> Sources<'a> {
    pub(crate) fn new(layout: &Layout, events: &'a EventBatch) -> Sources<'a> {
        let mut sources = Sources { events, plain: Vec::new(), groups: Vec::new(), conditional: Vec::new() };
        for atom in &layout.atoms {
            let words: &'a [u64] = match atom.column.map(|column| &events.columns[column].data) {
                None => &[],
                Some(EventData::Words(words)) => words,
                Some(EventData::Bytes { .. }) => panic!("the argument of a fold is a word"),
            };
            let source = Source { operation: atom.operation, at: atom.at, words };
            match atom.condition {
                0 => {
                    sources.plain.push(source);
                    group::join(&mut sources.groups, source);
                }
                condition => sources.conditional.push((source, condition)),
            }
        }
        sources
    }

    /// Adds rows, from `first` on, in their order, each to the partial that is so many words behind its target; those whose target is `nowhere`
    /// count for nothing.
    ///
    /// # Safety
    /// Behind every target, `nowhere` too, there are `layout.words` words that nobody else looks at or changes meanwhile.
    pub(crate) unsafe fn add_all(
        &self,
        layout: &Layout,
        (targets, behind): (&[Target], usize),
        nowhere: Target,
        heap: &mut Heap,
        first: usize,
    ) {
        for group in &self.groups {
            // SAFETY: as the caller promises; places of atoms are those of words of a partial.
            unsafe { group.add_all(targets, behind, first) };
        }
        let rows = || targets.iter().zip(first..);
        // SAFETY: as the caller promises.
        let partial = |target: &Target| unsafe { std::slice::from_raw_parts_mut(target.0.add(behind), layout.words) };
        for (source, condition) in &self.conditional {
            for (target, row) in rows() {
                if layout.conditions[*condition].is_met(&self.events.columns, row) {
                    source.add(partial(target), row);
                }
            }
        }
        if layout.has_heap() {
            for (target, row) in rows().filter(|(target, _)| **target != nowhere) {
                self.call(layout, partial(target), heap, row);
            }
        }
    }

    /// Adds a row to a partial.
    pub(crate) fn add(&self, layout: &Layout, partial: &mut [u64], heap: &mut Heap, row: usize) {
        for source in &self.plain {
            source.add(partial, row);
        }
        for (source, condition) in &self.conditional {
            if layout.conditions[*condition].is_met(&self.events.columns, row) {
                source.add(partial, row);
            }
        }
        if layout.has_heap() {
            self.call(layout, partial, heap, row);
        }
    }

    #[inline(never)]
    fn call(&self, layout: &Layout, partial: &mut [u64], heap: &mut Heap, row: usize) {
        let events = self.events;
        for leaf in layout.called() {
            if layout.conditions[leaf.condition].is_met(&events.columns, row) {
                let event = Event {
                    columns: &events.columns,
                    args: &leaf.args,
                    row,
                    time_us: events.times_us[row],
                    offset: events.offsets[row],
                };
                leaf.aggregate.update(&mut partial[leaf.at..leaf.at + leaf.words], heap, &event);
            }
        }
    }
}

/// Merges the partials of rows, in order, into one. Partials begin at the second word of a row.
pub(crate) fn merge_rows(layout: &Layout, into: &mut [u64], heap: &mut Heap, rows: &[u64], rows_heap: &Heap) {
    let stride = layout.row_words();
    for atom in &layout.atoms {
        macro_rules! each {
            ($($operation:ident)*) => {
                match atom.operation {
                    $(Operation::$operation => {
                        for row in rows.chunks_exact(stride) {
                            Operation::$operation.merge(into, atom.at, &row[1..]);
                        }
                    })*
                }
            };
        }
        each!(Count SumFloat SumSigned SumUnsigned MinInt MaxInt MinFloat MaxFloat);
    }
    for leaf in layout.called() {
        for row in rows.chunks_exact(stride) {
            let later = &row[1 + leaf.at..][..leaf.words];
            leaf.aggregate.merge(&mut into[leaf.at..leaf.at + leaf.words], heap, later, rows_heap);
        }
    }
}

/// Merges one partial into another.
pub(crate) fn merge(layout: &Layout, into: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
    for atom in &layout.atoms {
        atom.operation.merge(into, atom.at, later);
    }
    for leaf in layout.called() {
        let range = leaf.at..leaf.at + leaf.words;
        leaf.aggregate.merge(&mut into[range.clone()], heap, &later[range], later_heap);
    }
}

/// Frees what a partial holds and makes it empty.
pub(crate) fn clear(layout: &Layout, partial: &mut [u64], heap: &mut Heap) {
    for leaf in layout.called() {
        leaf.aggregate.clear(&mut partial[leaf.at..leaf.at + leaf.words], heap);
    }
    partial.copy_from_slice(&layout.empty);
}

/// Partials whose leaves are finished together.
const FINISHED: usize = 512;

/// No fold has more words.
const FOLD_WORDS: usize = 4;

/// Partials of some rows, which lie one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Partials<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) rows: &'a [usize],
}

/// The words of a fold as the catalogue knows them, so many a partial: all zeros where nothing counted.
fn fold_words(layout: &Layout, atoms: &[usize], partials: Partials<'_>, count: usize, all: &mut [u64]) {
    let mut word = 0;
    for atom in atoms.iter().map(|atom| &layout.atoms[*atom]) {
        for at in atom.at..atom.at + atom.operation.words() {
            // Word by word: a loop over partials is all that each costs.
            for (words, row) in all.chunks_exact_mut(count).zip(partials.rows) {
                words[word] = partials.words[row * layout.words + at];
            }
            word += 1;
        }
    }
    if count > 1 && layout.atoms[atoms[0]].operation == Operation::Count {
        all.chunks_exact_mut(count).filter(|words| words[0] == 0).for_each(|words| words.fill(0));
    }
}

/// The result of a leaf.
pub(crate) fn finish(layout: &Layout, partial: &[u64], heap: &Heap, leaf: usize) -> Result<Value, String> {
    let leaf = &layout.leaves[leaf];
    let Some(atoms) = &leaf.atoms else {
        return leaf.aggregate.finish(&partial[leaf.at..leaf.at + leaf.words], heap);
    };
    let mut words = [0; FOLD_WORDS];
    let words = &mut words[..leaf.aggregate.words()];
    fold_words(layout, atoms, Partials { words: partial, rows: &[0] }, words.len(), words);
    leaf.aggregate.finish(words, heap)
}

/// The results of a leaf for many partials, as [`Aggregate::finish_all`](chalk_catalog::aggregate::Aggregate::finish_all) gives them.
pub(crate) fn finish_all(
    layout: &Layout,
    partials: Partials<'_>,
    heap: &Heap,
    leaf: usize,
    out: &mut ColumnBuilder,
    failed: &mut Vec<(usize, String)>,
) {
    let leaf = &layout.leaves[leaf];
    let count = leaf.aggregate.words();
    let mut words = Vec::with_capacity(count * partials.rows.len().min(FINISHED));
    out.reserve(partials.rows.len());
    for (number, rows) in partials.rows.chunks(FINISHED).enumerate() {
        words.clear();
        let first = |row: &usize| row * layout.words + leaf.at;
        match &leaf.atoms {
            None => rows.iter().for_each(|row| words.extend_from_slice(&partials.words[first(row)..][..count])),
            Some(atoms) => {
                words.resize(rows.len() * count, 0);
                fold_words(layout, atoms, Partials { rows, ..partials }, count, &mut words);
            }
        }
        let before = failed.len();
        leaf.aggregate.finish_all(&words, heap, out, failed);
        failed[before..].iter_mut().for_each(|(position, _)| *position += number * FINISHED);
    }
}

/// Adds kept events, in order, to a partial.
pub(crate) fn update_kept(
    layout: &Layout,
    kept: &KeptEvents,
    partial: &mut [u64],
    heap: &mut Heap,
    rows: &[u64],
    arena: &Arena,
    scratch: &mut Vec<EventColumn>,
) {
    let is_met = |condition: usize, row: &[u64]| match kept.flags_at {
        Some(at) if condition > 0 => row[at + condition / 64] >> (condition % 64) & 1 == 1,
        _ => true,
    };
    for atom in &layout.atoms {
        // A count takes any word.
        let at = atom.column.and_then(|column| kept.place(column)).unwrap_or(0);
        for row in rows.chunks_exact(kept.stride).filter(|row| is_met(atom.condition, row)) {
            atom.operation.update(partial, atom.at, row[at]);
        }
    }
    if layout.has_heap() {
        fill(layout, kept, rows, arena, scratch);
    }
    for leaf in layout.called() {
        let met = rows.chunks_exact(kept.stride).enumerate().filter(|(_, row)| is_met(leaf.condition, row));
        for (position, row) in met {
            let event = Event {
                columns: scratch,
                args: &leaf.args,
                row: position,
                time_us: row[0] as i64,
                offset: kept.offset_at.map_or(0, |at| row[at] as i64),
            };
            leaf.aggregate.update(&mut partial[leaf.at..leaf.at + leaf.words], heap, &event);
        }
    }
}

/// Makes columns of kept events, for aggregates that are called. What no leaf counts may hold anything.
fn fill(layout: &Layout, kept: &KeptEvents, rows: &[u64], arena: &Arena, scratch: &mut Vec<EventColumn>) {
    if scratch.is_empty() {
        scratch.extend(layout.plan().columns.iter().map(|column| EventColumn::new(&column.ty.kind)));
    }
    scratch.iter_mut().for_each(EventColumn::clear);
    for column in &kept.columns {
        match &mut scratch[column.column].data {
            EventData::Words(words) => words.extend(rows.chunks_exact(kept.stride).map(|row| row[column.at])),
            EventData::Bytes { ends, bytes } => {
                for row in rows.chunks_exact(kept.stride) {
                    let block = Block(row[column.at]);
                    if !block.is_none() {
                        bytes.extend_from_slice(arena.kept(block));
                    }
                    ends.push(bytes.len() as u32);
                }
            }
        }
    }
}
