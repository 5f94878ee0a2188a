//! Rows of words in one block, sorted by their first word as a signed integer: closed buckets by number, events by time.
//!
//! Room is at the end; what is dropped is dropped at the front, and the block is moved together only when an eighth of it has
//! been dropped: so appending and forgetting cost a constant per row, and a fold sees one slice.
//!
//! The block's first word is `first row u32 | rows u32`.
//!
//! This file must not know what a row's other words are.

use crate::arena::{Arena, Block};

/// Rows to read; none where there is no block.
#[inline]
pub(crate) fn get(arena: &Arena, block: Block, stride: usize) -> &[u64] {
    let words = arena.slice(block);
    match words.first() {
        Some(head) => {
            let (start, len) = unpack(*head);
            &words[1 + start * stride..][..len * stride]
        }
        None => &[],
    }
}

/// Rows to change.
#[inline]
pub(crate) fn get_mut(arena: &mut Arena, block: Block, stride: usize) -> &mut [u64] {
    let words = arena.slice_mut(block);
    match words.first() {
        Some(head) => {
            let (start, len) = unpack(*head);
            &mut words[1 + start * stride..][..len * stride]
        }
        None => &mut [],
    }
}

#[inline]
fn unpack(head: u64) -> (usize, usize) {
    (head as u32 as usize, (head >> 32) as usize)
}

fn pack(start: usize, len: usize) -> u64 {
    start as u64 | (len as u64) << 32
}

/// How many rows come before the first whose first word is not less than `word`.
#[inline]
pub(crate) fn lower_bound(rows: &[u64], stride: usize, word: i64) -> usize {
    let (mut low, mut high) = (0, rows.len() / stride);
    // What is looked for is mostly at the end: the last ones are looked at one by one.
    for _ in 0..4 {
        if high == low || (rows[(high - 1) * stride] as i64) < word {
            return high;
        }
        high -= 1;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if (rows[middle * stride] as i64) < word {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// How many rows come before the first whose first word is greater than `word`.
#[inline]
pub(crate) fn upper_bound(rows: &[u64], stride: usize, word: i64) -> usize {
    match word.checked_add(1) {
        Some(next) => lower_bound(rows, stride, next),
        None => rows.len() / stride,
    }
}

/// Makes room for a row at a position; gives the row, whose words are not said. Addresses of rows of the block may change.
pub(crate) fn insert<'a>(arena: &'a mut Arena, block: &mut Block, stride: usize, position: usize) -> &'a mut [u64] {
    let (mut start, len) = arena.slice(*block).first().map_or((0, 0), |head| unpack(*head));
    let room = if block.is_none() { 0 } else { (block.words() - 1) / stride };
    if start + len == room {
        if start > 0 && start * 8 >= len {
            let words = arena.slice_mut(*block);
            words.copy_within(1 + start * stride..1 + (start + len) * stride, 1);
        } else {
            let new = arena.alloc(1 + (len + 1 + len / 8) * stride);
            copy(arena, *block, new, 1 + start * stride, len * stride);
            arena.free(*block);
            *block = new;
        }
        start = 0;
    }
    let words = arena.slice_mut(*block);
    words[0] = pack(start, len + 1);
    let at = 1 + (start + position) * stride;
    if position < len {
        words.copy_within(at..1 + (start + len) * stride, at + stride);
    }
    &mut words[at..at + stride]
}

/// Copies words of a block to the second and following words of another.
fn copy(arena: &mut Arena, from: Block, to: Block, first: usize, words: usize) {
    if words == 0 {
        return;
    }
    assert!(from != to && first + words <= from.words() && words < to.words(), "words of two blocks");
    // SAFETY: both blocks are in use and different, so they do not overlap, and the words are within them (asserted).
    unsafe { std::ptr::copy_nonoverlapping(arena.at(from).add(first), arena.at(to).add(1), words) }
}

/// Drops rows at the front; the block is freed with the last one, and is made smaller where it is far too large.
pub(crate) fn drop_front(arena: &mut Arena, block: &mut Block, stride: usize, count: usize) {
    if count == 0 {
        return;
    }
    let (start, len) = unpack(arena.slice(*block)[0]);
    let left = len - count;
    if left == 0 {
        arena.free(*block);
        *block = Block::default();
    } else if (left + 2) * stride * 4 < block.words() {
        let new = arena.alloc(1 + (left + left / 8) * stride);
        copy(arena, *block, new, 1 + (start + count) * stride, left * stride);
        arena.slice_mut(new)[0] = pack(0, left);
        arena.free(*block);
        *block = new;
    } else {
        arena.slice_mut(*block)[0] = pack(start + count, left);
    }
}

/// Removes one row.
pub(crate) fn remove(arena: &mut Arena, block: &mut Block, stride: usize, position: usize) {
    if position == 0 {
        return drop_front(arena, block, stride, 1);
    }
    let words = arena.slice_mut(*block);
    let (start, len) = unpack(words[0]);
    let at = 1 + (start + position) * stride;
    words.copy_within(at + stride..1 + (start + len) * stride, at);
    words[0] = pack(start, len - 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sorted vector does the same.
    #[test]
    fn rows_are_those_of_a_sorted_vector() {
        let mut arena = Arena::default();
        let (mut block, mut model) = (Block::default(), Vec::<(i64, u64)>::new());
        let mut seed = 7u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..20_000u64 {
            match random(10) {
                0 if !model.is_empty() => {
                    let count = 1 + random(model.len() as u64) as usize / 8;
                    drop_front(&mut arena, &mut block, 2, count);
                    model.drain(..count);
                }
                1 if !model.is_empty() => {
                    let position = random(model.len() as u64) as usize;
                    remove(&mut arena, &mut block, 2, position);
                    model.remove(position);
                }
                _ => {
                    let word = (step / 3) as i64 - random(20) as i64;
                    let position = upper_bound(get(&arena, block, 2), 2, word);
                    insert(&mut arena, &mut block, 2, position).copy_from_slice(&[word as u64, step]);
                    assert_eq!(position, model.partition_point(|row| row.0 <= word));
                    model.insert(position, (word, step));
                }
            }
            let rows: Vec<(i64, u64)> = get(&arena, block, 2).chunks(2).map(|row| (row[0] as i64, row[1])).collect();
            assert_eq!(rows, model);
            let probe = (step / 3) as i64 - random(40) as i64;
            let below = lower_bound(get(&arena, block, 2), 2, probe);
            assert_eq!(below, model.partition_point(|row| row.0 < probe));
        }
        let left = model.len();
        drop_front(&mut arena, &mut block, 2, left);
        assert!(block.is_none() && arena.used_bytes() == 0);
    }
}
