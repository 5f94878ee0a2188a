//! Images: an entry as bytes, for the store.
//!
//! `version u8 · last offset i64 · per series (has open bucket u8 · its number i64) · per series (closed rows varint · rows (number, difference to
//! the one before zigzag varint · partials) · partials of the open bucket) · kept events varint · events (time i64 · offset i64 if kept · flags · columns) ·
//! checksum u32`. A partial is the words of its atoms, then what called aggregates write.
//!
//! This file must not know the store.

use chalk_catalog::aggregate::Heap;
use chalk_types::{codec::put_sized, varint};
use xxhash_rust::xxh3::xxh3_64;

use crate::arena::{Arena, Block};
use crate::keyed::{FLAGS, KeyRef, Keyed, OPEN, STORED, USED};
use crate::layout::{KeptEvents, Layout, StateKind};
use crate::rows;

const VERSION: u8 = 1;
/// What is said of bytes that are no image.
pub(crate) const DAMAGED: &str = "the image of an aggregation's key is damaged";

/// Appends the checksum of what was written since `start`.
pub(crate) fn seal(out: &mut Vec<u8>, start: usize) {
    let sum = xxh3_64(&out[start..]) as u32;
    out.extend_from_slice(&sum.to_le_bytes());
}

/// The bytes before a checksum that is theirs.
pub(crate) fn unseal(image: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = image.split_last_chunk::<4>()?;
    (xxh3_64(bytes) as u32 == u32::from_le_bytes(*sum)).then_some(bytes)
}

fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    varint::put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn take_zigzag(input: &mut &[u8]) -> Option<i64> {
    let value = varint::take(input)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_word(input: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(varint::take_array(input)?))
}

fn put_partial(layout: &Layout, partial: &[u64], heap: &Heap, out: &mut Vec<u8>) {
    for atom in &layout.atoms {
        let words = &partial[atom.at..atom.at + atom.operation.words()];
        words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }
    for leaf in layout.called() {
        leaf.aggregate.encode(&partial[leaf.at..leaf.at + leaf.words], heap, out);
    }
}

/// Reads into words of which those of leaves that are called are zeros.
fn take_partial(layout: &Layout, input: &mut &[u8], partial: &mut [u64], heap: &mut Heap) -> Option<()> {
    for atom in &layout.atoms {
        for word in &mut partial[atom.at..atom.at + atom.operation.words()] {
            *word = take_word(input)?;
        }
    }
    for leaf in layout.called() {
        leaf.aggregate.decode(input, &mut partial[leaf.at..leaf.at + leaf.words], heap)?;
    }
    Some(())
}

impl Keyed {
    /// Appends an entry's image.
    pub(crate) fn put_image(&self, id: u32, out: &mut Vec<u8>) {
        let (layout, entry, begin) = (&*self.layout, self.slab.get(id), out.len());
        out.push(VERSION);
        // All events up to the last that was applied are in, be they the key's or not.
        let last_offset = self.applied_offset.max(entry[layout.last_offset_at] as i64);
        out.extend_from_slice(&last_offset.to_le_bytes());
        for (number, series) in layout.series.iter().enumerate() {
            let is_open = Keyed::is_open(layout, entry, number);
            out.push(u8::from(is_open));
            out.extend_from_slice(&(if is_open { entry[series.at] } else { 0 }).to_le_bytes());
        }
        let stride = layout.row_words();
        for (number, series) in layout.series.iter().enumerate() {
            let closed = rows::get(&self.arena, Block(entry[series.at + 1]), stride);
            varint::put(out, (closed.len() / stride) as u64);
            let mut before = 0i64;
            for row in closed.chunks_exact(stride) {
                put_zigzag(out, (row[0] as i64).wrapping_sub(before));
                before = row[0] as i64;
                put_partial(layout, &row[1..], &self.heap, out);
            }
            if Keyed::is_open(layout, entry, number) {
                put_partial(layout, entry.near(series.partial_at, layout.words), &self.heap, out);
            }
        }
        if let Some(kept) = &layout.events {
            let events = rows::get(&self.arena, Block(entry[layout.events_at()]), kept.stride);
            varint::put(out, (events.len() / kept.stride) as u64);
            events.chunks_exact(kept.stride).for_each(|row| put_event(kept, row, &self.arena, out));
        }
        seal(out, begin);
    }

    /// Makes the entry of a key, which is not in memory, from its image.
    pub(crate) fn load_image(&mut self, hash: u64, key: KeyRef<'_>, image: &[u8]) -> Result<u32, String> {
        let mut input = unseal(image).ok_or(DAMAGED)?;
        let id = self.insert(hash, key);
        let taken = self.take_image(id, &mut input);
        if taken.is_none() || !input.is_empty() {
            self.remove(id, false);
            return Err(DAMAGED.to_owned());
        }
        let mut entry = self.slab.get_mut(id);
        entry[FLAGS] |= STORED | USED;
        self.newest_offset = self.newest_offset.max(entry[self.layout.last_offset_at] as i64);
        self.trim(&self.layout.clone(), id);
        self.note_windows(id);
        Ok(id)
    }

    fn take_image(&mut self, id: u32, input: &mut &[u8]) -> Option<()> {
        let layout = self.layout.clone();
        if varint::take_array::<1>(input)? != [VERSION] {
            return None;
        }
        self.slab.get_mut(id)[layout.last_offset_at] = take_word(input)?;
        let mut heads = Vec::with_capacity(layout.series.len());
        for _ in &layout.series {
            let [is_open] = varint::take_array(input)?;
            heads.push((is_open, take_word(input)?));
        }
        let stride = layout.row_words();
        for ((number, series), (is_open, open)) in layout.series.iter().enumerate().zip(heads) {
            let closed = varint::take(input)?;
            let mut before = None::<i64>;
            for position in 0..closed {
                let bucket = before.unwrap_or(0).wrapping_add(take_zigzag(input)?);
                if before.is_some_and(|before| before >= bucket) {
                    return None;
                }
                before = Some(bucket);
                let mut entry = self.slab.get_mut(id);
                let mut block = Block(entry[series.at + 1]);
                let row = rows::insert(&mut self.arena, &mut block, stride, position as usize);
                row.fill(0);
                row[0] = bucket as u64;
                entry[series.at + 1] = block.0;
                take_partial(&layout, input, &mut row[1..], &mut self.heap)?;
            }
            if is_open == 1 {
                if before.is_some_and(|before| before >= open as i64) {
                    return None;
                }
                let mut entry = self.slab.get_mut(id);
                entry[series.at] = open;
                entry[FLAGS] |= 1 << (OPEN + number as u32);
                let partial = entry.near(series.partial_at, layout.words);
                take_partial(&layout, input, partial, &mut self.heap)?;
            } else if is_open != 0 || before.is_some() {
                return None;
            }
        }
        match &layout.events {
            Some(kept) => self.take_events(id, kept, input),
            None => Some(()),
        }
    }

    fn take_events(&mut self, id: u32, kept: &KeptEvents, input: &mut &[u8]) -> Option<()> {
        let at = self.layout.events_at();
        let mut before = i64::MIN;
        for position in 0..varint::take(input)? {
            let time_us = take_word(input)? as i64;
            if time_us < before {
                return None;
            }
            before = time_us;
            let mut block = Block(self.slab.get(id)[at]);
            let row = rows::insert(&mut self.arena, &mut block, kept.stride, position as usize);
            row.fill(0);
            row[0] = time_us as u64;
            self.slab.get_mut(id)[at] = block.0;
            let row_at = position as usize * kept.stride;
            for word in (1..kept.stride).filter(|word| !kept.columns.iter().any(|column| column.at == *word)) {
                rows::get_mut(&mut self.arena, block, kept.stride)[row_at + word] = take_word(input)?;
            }
            for column in &kept.columns {
                let word = if column.is_word {
                    take_word(input)?
                } else {
                    match varint::take_array(input)? {
                        [0] => 0,
                        [1] => self.arena.keep(varint::take_sized(input)?).0,
                        _ => return None,
                    }
                };
                rows::get_mut(&mut self.arena, block, kept.stride)[row_at + column.at] = word;
            }
        }
        Some(())
    }

    /// Tumbling: lists the windows that a loaded entry has.
    fn note_windows(&mut self, id: u32) {
        if self.layout.kind != StateKind::Tumbling {
            return;
        }
        let layout = self.layout.clone();
        let stride = layout.row_words();
        for (number, series) in layout.series.iter().enumerate() {
            let entry = self.slab.get(id);
            let closed = rows::get(&self.arena, Block(entry[series.at + 1]), stride);
            let mut buckets: Vec<i64> = closed.chunks_exact(stride).map(|row| row[0] as i64).collect();
            if entry[FLAGS] >> (OPEN + number as u32) & 1 == 1 {
                buckets.push(entry[series.at] as i64);
            }
            buckets.into_iter().for_each(|bucket| self.note_window(id, number, bucket));
        }
    }

    /// Whether no window sees anything of an image any more.
    pub(crate) fn is_forgotten(&self, image: &[u8]) -> Option<bool> {
        let mut input = unseal(image)?;
        let [version] = varint::take_array(&mut input)?;
        take_word(&mut input)?;
        let mut is_forgotten = version == VERSION;
        for first in &self.first_number {
            let [is_open] = varint::take_array(&mut input)?;
            is_forgotten &= (take_word(&mut input)? as i64) < *first || is_open == 0;
        }
        Some(is_forgotten)
    }
}

fn put_event(kept: &KeptEvents, row: &[u64], arena: &Arena, out: &mut Vec<u8>) {
    let is_column = |word: usize| kept.columns.iter().any(|column| column.at == word);
    for (_, word) in row.iter().enumerate().filter(|(position, _)| !is_column(*position)) {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for column in &kept.columns {
        let word = row[column.at];
        if column.is_word {
            out.extend_from_slice(&word.to_le_bytes());
        } else if word == 0 {
            out.push(0);
        } else {
            out.push(1);
            put_sized(out, arena.kept(Block(word)));
        }
    }
}
