//! Loops over leaves: events into partials, kept events into a partial, partials into a partial.
//!
//! A leaf at a time over many rows, so that what the leaf does is decided once per loop, not once per event. The folds of the catalogue are
//! done in place; every other aggregate is called.
//!
//! This file must not know keys, windows or where partials lie.

use chalk_catalog::aggregate::{Event, Fold, Heap};
use chalk_catalog::event::{EventColumn, EventData};

use crate::EventBatch;
use crate::arena::{Arena, Block};
use crate::layout::{BoundLeaf, KeptEvents, Layout};

/// Runs a loop with the fold as a constant, so that it is compiled for each of them.
macro_rules! for_fold {
    ($fold:expr, $constant:ident => $body:expr) => {
        match $fold {
            Fold::Count => for_fold!(@ Fold::Count, $constant, $body),
            Fold::SumFloat => for_fold!(@ Fold::SumFloat, $constant, $body),
            Fold::SumInt(true) => for_fold!(@ Fold::SumInt(true), $constant, $body),
            Fold::SumInt(false) => for_fold!(@ Fold::SumInt(false), $constant, $body),
            Fold::MinInt => for_fold!(@ Fold::MinInt, $constant, $body),
            Fold::MaxInt => for_fold!(@ Fold::MaxInt, $constant, $body),
            Fold::MinFloat => for_fold!(@ Fold::MinFloat, $constant, $body),
            Fold::MaxFloat => for_fold!(@ Fold::MaxFloat, $constant, $body),
            Fold::MeanFloat => for_fold!(@ Fold::MeanFloat, $constant, $body),
            Fold::MeanInt(true) => for_fold!(@ Fold::MeanInt(true), $constant, $body),
            Fold::MeanInt(false) => for_fold!(@ Fold::MeanInt(false), $constant, $body),
        }
    };
    (@ $value:expr, $constant:ident, $body:expr) => {{
        let $constant = const { $value };
        $body
    }};
}

/// The address of a partial of all leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target(pub(crate) *mut u64);

// SAFETY: an address; whoever follows it says why it may.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

/// Rows of a batch and the partials that they go into, in the order of the rows.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) rows: Vec<u32>,
    pub(crate) targets: Vec<Target>,
}

impl Pending {
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.targets.clear();
    }

    pub(crate) fn push(&mut self, row: usize, target: *mut u64) {
        self.rows.push(row as u32);
        self.targets.push(Target(target));
    }
}

/// Whether the leaf counts a row of the batch.
#[inline]
pub(crate) fn counts(leaf: &BoundLeaf, columns: &[EventColumn], row: usize) -> bool {
    let is_kept = leaf.filter.is_none_or(|filter| columns[filter].is_valid(row) && columns[filter].word(row) != 0);
    is_kept && leaf.args.iter().all(|column| columns[*column as usize].is_valid(row))
}

/// Adds rows to the partials that they go into, leaf by leaf.
///
/// # Safety
/// Every target is the address of `layout.words` words that are initialised, in memory that nothing else refers to meanwhile.
pub(crate) unsafe fn update(
    layout: &Layout,
    events: &EventBatch,
    pending: &Pending,
    chosen: &mut Pending,
    heap: &mut Heap,
) {
    for leaf in &layout.leaves {
        let is_plain =
            leaf.filter.is_none() && leaf.args.iter().all(|column| events.columns[*column as usize].valid.is_empty());
        let taken = if is_plain {
            pending
        } else {
            chosen.clear();
            for (row, target) in pending.rows.iter().zip(&pending.targets) {
                if counts(leaf, &events.columns, *row as usize) {
                    chosen.rows.push(*row);
                    chosen.targets.push(*target);
                }
            }
            &*chosen
        };
        // SAFETY: the caller's promise; a leaf's words are within those of all leaves.
        unsafe { update_leaf(leaf, events, taken, heap) }
    }
}

/// # Safety
/// As [`update`].
unsafe fn update_leaf(leaf: &BoundLeaf, events: &EventBatch, pending: &Pending, heap: &mut Heap) {
    match leaf.fold {
        Some(Fold::Count) => {
            for target in &pending.targets {
                // SAFETY: the caller's promise.
                unsafe { *target.0.add(leaf.at) += 1 }
            }
        }
        Some(fold) => {
            let EventData::Words(words) = &events.columns[leaf.args[0] as usize].data else {
                panic!("the argument of a fold is a word");
            };
            for_fold!(fold, constant => {
                for (row, target) in pending.rows.iter().zip(&pending.targets) {
                    // SAFETY: the caller's promise; so many words has the leaf (checked when it was bound).
                    let partial = unsafe { std::slice::from_raw_parts_mut(target.0.add(leaf.at), constant.words()) };
                    constant.update(partial, words[*row as usize]);
                }
            });
        }
        None => {
            for (row, target) in pending.rows.iter().zip(&pending.targets) {
                let row = *row as usize;
                // SAFETY: the caller's promise.
                let partial = unsafe { std::slice::from_raw_parts_mut(target.0.add(leaf.at), leaf.words) };
                let event = Event {
                    columns: &events.columns,
                    args: &leaf.args,
                    row,
                    time_us: events.times_us[row],
                    offset: events.offsets[row],
                };
                leaf.aggregate.update(partial, heap, &event);
            }
        }
    }
}

/// Merges the partials of rows, in order, into one partial of all leaves. Partials begin at the second word of a row.
pub(crate) fn merge_rows(layout: &Layout, into: &mut [u64], heap: &mut Heap, rows: &[u64], rows_heap: &Heap) {
    let stride = layout.row_words();
    for leaf in &layout.leaves {
        let partial = &mut into[leaf.at..leaf.at + leaf.words];
        let at = 1 + leaf.at;
        match leaf.fold {
            Some(fold) => for_fold!(fold, constant => {
                let mut held = [0u64; 3];
                let held = &mut held[..constant.words()];
                held.copy_from_slice(&partial[..constant.words()]);
                for row in rows.chunks_exact(stride) {
                    constant.merge(held, &row[at..at + constant.words()]);
                }
                partial[..constant.words()].copy_from_slice(held);
            }),
            None => {
                for row in rows.chunks_exact(stride) {
                    leaf.aggregate.merge(partial, heap, &row[at..at + leaf.words], rows_heap);
                }
            }
        }
    }
}

/// Merges one partial of all leaves into another.
pub(crate) fn merge(layout: &Layout, into: &mut [u64], heap: &mut Heap, later: &[u64], later_heap: &Heap) {
    for leaf in &layout.leaves {
        let range = leaf.at..leaf.at + leaf.words;
        match leaf.fold {
            Some(fold) => fold.merge(&mut into[range.clone()], &later[range]),
            None => leaf.aggregate.merge(&mut into[range.clone()], heap, &later[range], later_heap),
        }
    }
}

/// Frees what the partials of all leaves hold; all words are zeros after that.
pub(crate) fn clear(layout: &Layout, partials: &mut [u64], heap: &mut Heap) {
    for leaf in layout.leaves.iter().filter(|leaf| leaf.fold.is_none()) {
        leaf.aggregate.clear(&mut partials[leaf.at..leaf.at + leaf.words], heap);
    }
    partials.fill(0);
}

/// Adds kept events, in order, to one partial of all leaves.
pub(crate) fn update_kept(
    layout: &Layout,
    kept: &KeptEvents,
    partials: &mut [u64],
    heap: &mut Heap,
    rows: &[u64],
    arena: &Arena,
    scratch: &mut Vec<EventColumn>,
) {
    let mut is_scratch_filled = false;
    for (number, leaf) in layout.leaves.iter().enumerate() {
        let partial = &mut partials[leaf.at..leaf.at + leaf.words];
        let is_counted = |row: &[u64]| kept.flags_at.is_none_or(|at| row[at + number / 64] >> (number % 64) & 1 == 1);
        match leaf.fold {
            Some(fold) => {
                let argument = leaf.args.first().and_then(|column| kept.position[*column as usize]);
                // A count needs none: any word will do.
                let at = argument.map_or(0, |position| kept.columns[position].at);
                for_fold!(fold, constant => {
                    for row in rows.chunks_exact(kept.stride).filter(|row| is_counted(row)) {
                        constant.update(partial, row[at]);
                    }
                });
            }
            None => {
                if !is_scratch_filled {
                    fill(layout, kept, rows, arena, scratch);
                    is_scratch_filled = true;
                }
                for (position, row) in rows.chunks_exact(kept.stride).enumerate().filter(|(_, row)| is_counted(row)) {
                    let event = Event {
                        columns: scratch,
                        args: &leaf.args,
                        row: position,
                        time_us: row[0] as i64,
                        offset: kept.offset_at.map_or(0, |at| row[at] as i64),
                    };
                    leaf.aggregate.update(partial, heap, &event);
                }
            }
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
