//! Lists, vectors and maps: items go to rows of their own, which the walk moves to and comes back from.
//!
//! An attempt that fails leaves its items behind; the decoder takes them back with the message.
//!
//! This file must not know what an item is.

use super::simd::{MARKED_BYTES, Simd};
use super::values::{self, FastValue, What};
use super::walker::{Walk, skip_blanks};
use super::{numbers, texts, times};
use crate::columns::ColumnId;

/// A map's two sides.
pub(super) struct MapPlan {
    pub(super) key: FastValue,
    pub(super) value: FastValue,
}

/// Reads the item or value at `at` into the walk's row; gives the first byte behind it that is no blank.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
unsafe fn item<S: Simd>(walk: &mut Walk<'_, '_>, item: &FastValue, at: *const u8, depth: u32) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let after = if numbers::is_null(at) {
            if !item.nullable {
                return None;
            }
            walk.reading.columns.null_row(item.column, walk.row);
            at.add(4)
        } else {
            values::read::<S>(walk, item, at, depth)?
        };
        // Something must still close the list.
        (after < walk.end).then(|| skip_blanks(after, walk.end))
    }
}

/// The list at `at`, which is the `depth`-th object or array open.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
pub(super) unsafe fn list<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    of: &FastValue,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; every item ends before the message does, and a row is made for each.
    unsafe {
        if *at != b'[' || depth > walk.max_depth {
            return None;
        }
        let row = walk.row;
        let mut at = skip_blanks(at.add(1), walk.end);
        if *at == b']' {
            // No item.
        } else if S::FINDS_AT_ONCE && of.is_simple() {
            let push = |walk: &mut Walk<'_, '_>, _| Some(walk.reading.columns.push_item(of.column));
            at = simple_items::<S>(walk, of, at, depth, push)?.0;
        } else {
            loop {
                if at >= walk.end {
                    return None;
                }
                walk.row = walk.reading.columns.push_item(of.column);
                at = item::<S>(walk, of, at, depth)?;
                if *at == b']' {
                    break;
                }
                if *at != b',' {
                    return None;
                }
                at = skip_blanks(at.add(1), walk.end);
            }
        }
        walk.row = row;
        walk.reading.columns.end_list(column, row);
        walk.reading.columns.set_valid(column, row);
        Some(at.add(1))
    }
}

/// The items of a list that begin at `at`, of a type whose values have neither commas nor brackets; gives the bracket
/// behind them and their number. `row` says where each goes.
///
/// Where an item ends is known from the commas, before it is read, so that no item waits for the one before it.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
unsafe fn simple_items<S: Simd>(
    walk: &mut Walk<'_, '_>,
    of: &FastValue,
    at: *const u8,
    depth: u32,
    row: impl Fn(&mut Walk<'_, '_>, usize) -> Option<usize>,
) -> Option<(*const u8, usize)> {
    let (mut at, mut block, mut count) = (at, at, 0);
    // SAFETY: as the caller promises; a block begins in the message, and so does each item.
    unsafe {
        let (mut commas, mut brackets) = (S::find(block, b','), S::find(block, b']'));
        loop {
            let ends = commas | brackets;
            if ends == 0 {
                block = block.add(MARKED_BYTES);
                if block >= walk.end {
                    return None;
                }
                (commas, brackets) = (S::find(block, b','), S::find(block, b']'));
                continue;
            }
            let bit = ends.trailing_zeros();
            let end = block.add(bit as usize);
            if end >= walk.end {
                return None;
            }
            walk.row = row(walk, count)?;
            let after = item::<S>(walk, of, skip_blanks(at, walk.end), depth)?;
            // Hidden from the compiler, which would else go on with the one instead of the other, and so wait for it.
            if S::opaque(after as usize) != end as usize {
                return None;
            }
            count += 1;
            if brackets >> bit & 1 != 0 {
                return Some((end, count));
            }
            commas &= commas.wrapping_sub(1);
            at = end.add(1);
        }
    }
}

/// The vector of `length` at `at`, which is the `depth`-th object or array open.
///
/// # Safety
/// As `values::read`; the vector's items have room for its row.
#[inline(always)]
pub(super) unsafe fn vector<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    of: &FastValue,
    length: u32,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; every item ends before the message does, and there is room for `length` of them.
    unsafe {
        if *at != b'[' || depth > walk.max_depth {
            return None;
        }
        let (row, length) = (walk.row, length as usize);
        let mut at = skip_blanks(at.add(1), walk.end);
        let mut count = 0;
        if *at == b']' {
            // No item.
        } else if S::FINDS_AT_ONCE && of.is_simple() {
            (at, count) =
                simple_items::<S>(walk, of, at, depth, |_, index| (index < length).then(|| row * length + index))?;
        } else {
            loop {
                if at >= walk.end || count == length {
                    return None;
                }
                walk.row = row * length + count;
                at = item::<S>(walk, of, at, depth)?;
                count += 1;
                if *at == b']' {
                    break;
                }
                if *at != b',' {
                    return None;
                }
                at = skip_blanks(at.add(1), walk.end);
            }
        }
        if count != length {
            return None;
        }
        walk.row = row;
        walk.reading.columns.set_valid(column, row);
        Some(at.add(1))
    }
}

/// The map at `at`, which is the `depth`-th object or array open. A key that comes twice is left to the scalar parser.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
pub(super) unsafe fn map<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    plan: &MapPlan,
    at: *const u8,
    depth: u32,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; every key and value ends before the message does, and a row is made for each.
    unsafe {
        if *at != b'{' || depth > walk.max_depth {
            return None;
        }
        let row = walk.row;
        // Maps nest: the keys of those around this one stay where they are.
        let base = walk.reading.scratch.digests.len();
        let mut at = skip_blanks(at.add(1), walk.end);
        if *at != b'}' {
            loop {
                if at >= walk.end {
                    return None;
                }
                let entry = walk.reading.columns.push_item(plan.key.column);
                walk.row = entry;
                at = key::<S>(walk, &plan.key, at)?;
                let digest =
                    walk.reading.columns.digest(plan.key.column, entry, walk.reading.bytes, walk.reading.source.offset);
                walk.reading.scratch.digests.push(digest);
                if at >= walk.end {
                    return None;
                }
                at = skip_blanks(at, walk.end);
                if *at != b':' {
                    return None;
                }
                at = skip_blanks(at.add(1), walk.end);
                if at >= walk.end {
                    return None;
                }
                walk.row = walk.reading.columns.push_value(plan.value.column);
                at = item::<S>(walk, &plan.value, at, depth)?;
                if *at == b'}' {
                    break;
                }
                if *at != b',' {
                    return None;
                }
                at = skip_blanks(at.add(1), walk.end);
            }
        }
        let digests = &mut walk.reading.scratch.digests;
        if !all_differ(&mut digests[base..]) {
            return None;
        }
        digests.truncate(base);
        walk.row = row;
        walk.reading.columns.end_list(column, row);
        walk.reading.columns.set_valid(column, row);
        Some(at.add(1))
    }
}

/// Reads the key at `at` into the walk's row; gives the byte behind it. Numbers and bools stand in quotes.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
pub(super) unsafe fn key<S: Simd>(walk: &mut Walk<'_, '_>, key: &FastValue, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        if *at != b'"' {
            return None;
        }
        let (column, first) = (key.column, at.add(1));
        let after = match &key.what {
            What::String => return walk.read_string::<S>(column, at),
            What::Bytes => return texts::bytes::<S>(walk, column, at),
            What::Enum(variants) => return texts::variant::<S>(walk, column, at, variants),
            What::Datetime => return times::datetime::<S>(walk, column, at),
            What::Date => return times::date(walk, column, at),
            What::Time => return times::time::<S>(walk, column, at),
            What::Duration => return times::duration::<S>(walk, column, at),
            What::Bool => numbers::boolean(walk, column, first)?,
            What::Int { low, high, size_bytes } => numbers::int::<S>(walk, column, first, (*low, *high), *size_bytes)?,
            What::UInt64 => numbers::uint64::<S>(walk, column, first)?,
            What::Float64 => numbers::float64::<S>(walk, column, first)?,
            What::Float32 => numbers::float32::<S>(walk, column, first)?,
            What::Decimal { scale, limit } => numbers::decimal::<S>(walk, column, first, *scale, *limit)?,
            What::Unix(unit) => numbers::unix::<S>(walk, column, first, *unit)?,
            What::List(_) | What::Vector(..) | What::Map(_) | What::Object(_) | What::Scalar => return None,
        };
        (*after == b'"').then(|| after.add(1))
    }
}

/// Keys of which each is compared with each.
const FEW: usize = 16;

/// Whether no two digests are the same. Many are sorted, so that a hostile message takes no quadratic time.
fn all_differ(digests: &mut [u64]) -> bool {
    if digests.len() <= FEW {
        return (1..digests.len()).all(|index| !digests[..index].contains(&digests[index]));
    }
    digests.sort_unstable();
    digests.windows(2).all(|pair| pair[0] != pair[1])
}
