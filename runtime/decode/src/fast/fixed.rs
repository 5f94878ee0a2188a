//! A template whose values all stand at fixed ordinals: messages in which each value that was a string is one, and no other is.
//!
//! Then nothing has to be found. All distances between quotes that literals fix are compared in one go, then all
//! literals, then the values are read kind by kind. No step waits for another, there are no branches that depend on
//! a value, and each loop does one thing, so this is as fast as the processor can take instructions. A message that
//! does not fit is read along the template step by step.
//!
//! Why it is sound: every byte of the message is in a literal, which is compared, or in a value, which is checked. Literals lie
//! between quotes at distances that are compared too, so they follow the values without a gap; of values that are no
//! strings the size is tested before anything is read at a place that depends on it.
//!
//! This file must not know how a template is learned.

use super::simd::{LANES, PIECE_BYTES, Piece, Place, Simd};
use super::template::{NO_GAP, Op, Step, Template};
use super::walker::{self, Walk};
use super::{Seen, number};
use crate::columns::{ColumnId, DecodedColumns};

/// The most bytes between a quote and a value behind it, and so the furthest that a value's place can lie behind a message's end
/// before its size is tested.
const FURTHEST_VALUE: u16 = 31;

/// Where a value stands, and what becomes of it.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// Of a string its opening quote; of others the last quote before it.
    quote: u32,
    /// From that quote to the value.
    offset: u32,
    /// From the value's end to the next quote.
    gap: u32,
    column: ColumnId,
    /// The operation it comes from.
    op: u32,
}

/// A template by ordinals. The list of quotes begins with the message's start and ends with its end.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// Whether the template has fixed ordinals.
    is_set: bool,
    /// Quotes that a message has.
    quotes: usize,
    distances: Vec<u32>,
    masks: Vec<u32>,
    pieces: Vec<Piece>,
    /// One for each piece.
    places: Vec<Place>,
    skipped_integers: Vec<Spot>,
    skipped_decimals: Vec<Spot>,
    skipped_words: Vec<Spot>,
    integers: Vec<Spot>,
    floats: Vec<Spot>,
    strings: Vec<Spot>,
    bools: Vec<Spot>,
    /// Read by others, which do not know the value's size.
    others: Vec<Spot>,
}

impl Fixed {
    pub(super) fn clear(&mut self) {
        self.is_set = false;
        self.distances.clear();
        self.masks.clear();
        self.pieces.clear();
        self.places.clear();
        for spots in [
            &mut self.skipped_integers,
            &mut self.skipped_decimals,
            &mut self.skipped_words,
            &mut self.integers,
            &mut self.floats,
            &mut self.strings,
            &mut self.bools,
            &mut self.others,
        ] {
            spots.clear();
        }
    }

    /// Makes it that of the template's message, if every value there has a fixed ordinal.
    pub(super) fn learn(&mut self, ops: &[Op], tail: &[u8], literals: &[u8]) {
        self.clear();
        let is_fixed = |op: &Op| {
            let is_nested = matches!(op.first, b'[' | b'{');
            !is_nested && op.quotes != 0 && op.after_quote <= FURTHEST_VALUE && op.gap != NO_GAP
        };
        if !ops.iter().all(is_fixed) {
            return;
        }
        // The message's start is a quote of its own, at distance 0 from the first literal's begin.
        let mut last = Some(0);
        for (index, op) in ops.iter().enumerate() {
            let literal = &literals[op.literal as usize..][..op.literal_bytes as usize];
            self.literal(literal, last);
            let quote = self.distances.len() as u32;
            let spot = Spot { quote, offset: op.after_quote.into(), gap: op.gap, column: op.column, op: index as u32 };
            if op.first == b'"' {
                // The literal's last quote, the opening one, the closing one.
                self.distance(Some(op.after_quote.into()));
                self.distance(None);
                last = Some(1);
                let spot = Spot { quote: quote + 1, offset: 0, ..spot };
                match op.step {
                    Step::SkipString => {}
                    Step::String => self.strings.push(spot),
                    _ => self.others.push(spot),
                }
            } else {
                last = None;
                match op.step {
                    Step::SkipInteger => self.skipped_integers.push(spot),
                    Step::SkipDecimal => self.skipped_decimals.push(spot),
                    Step::SkipWord => self.skipped_words.push(spot),
                    Step::Int64 => self.integers.push(spot),
                    Step::Float64 => self.floats.push(spot),
                    Step::Bool => self.bools.push(spot),
                    _ => self.others.push(spot),
                }
            }
        }
        self.literal(tail, last);
        self.is_set = true;
        // From the tail's last quote (or the last value) to the end.
        let behind = tail.iter().rev().position(|&byte| byte == b'"');
        self.distance(behind.map(|before| before as u32 + 1).or(last.map(|last| last + tail.len() as u32)));
        self.quotes = self.distances.len() - 1;
        while !self.distances.len().is_multiple_of(LANES) {
            self.distance_of(0, 0);
        }
    }

    fn distance_of(&mut self, distance: u32, mask: u32) {
        self.distances.push(distance);
        self.masks.push(mask);
    }

    /// The distance from the latest quote to the next one, if it is fixed.
    fn distance(&mut self, distance: Option<u32>) {
        self.distance_of(distance.unwrap_or(0), if distance.is_some() { u32::MAX } else { 0 });
    }

    /// A literal's quotes and pieces. It begins at that distance from the latest quote, if that is fixed.
    fn literal(&mut self, literal: &[u8], begins: Option<u32>) {
        let latest = self.distances.len() as u32;
        let quotes = literal.iter().enumerate().filter(|&(_, &byte)| byte == b'"').map(|(at, _)| at as u32);
        let mut before = None;
        for at in quotes.clone() {
            self.distance(match before {
                None => begins.map(|begins| begins + at),
                Some(before) => Some(at - before),
            });
            before = Some(at);
        }
        // Pieces are found from the literal's first quote; a tail without quotes from the message's end.
        let anchor = quotes.clone().next().unwrap_or(literal.len() as u32);
        for (index, bytes) in literal.chunks(PIECE_BYTES).enumerate() {
            let mut piece = Piece { bytes: [0; PIECE_BYTES], mask: [0; PIECE_BYTES] };
            piece.bytes[..bytes.len()].copy_from_slice(bytes);
            piece.mask[..bytes.len()].fill(0xff);
            self.pieces.push(piece);
            self.places.push(Place { quote: latest + 1, offset: (index * PIECE_BYTES) as i32 - anchor as i32 });
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    /// Whether a message could fit.
    #[inline(always)]
    pub(super) fn may_fit(&self, quote_count: usize) -> bool {
        self.is_set && self.quotes == quote_count
    }

    /// Whether there are values that `read` leaves to `read_others`.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Reads the message, if it fits; has perhaps written columns where it does not. It has as many quotes as `may_fit` wants, and its
    /// strings have no escapes and no control characters, if its literals fit.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn read<S: Simd>(&self, seen: &Seen, columns: &mut DecodedColumns) -> bool {
        let (start, quotes, row) = (seen.start, seen.quotes, seen.row);
        // SAFETY: the list has as many quotes as the template, its start and its end. A value's place is at most `FURTHEST_VALUE` bytes behind a
        // quote, and at most 32 bytes are read there before its size is known to be right. Once all sizes are, each literal lies inside
        // the message, and pieces are read at most `PIECE_BYTES` behind its end.
        unsafe {
            if !S::same_distances(quotes, &self.distances, &self.masks) {
                return false;
            }
            // Where the value is, and its size; that is far too great where the value would end before it begins.
            let place = |spot: &Spot| {
                let at = (*quotes.add(spot.quote as usize) + spot.offset) as usize;
                let end = (*quotes.add(spot.quote as usize + 1)).wrapping_sub(spot.gap) as usize;
                (start.add(at), end.wrapping_sub(at))
            };
            for spot in &self.skipped_integers {
                let (at, size) = place(spot);
                let is_right = size <= number::MOST_BYTES
                    && (number::is_plain_integer::<S>(at, size) || S::skipped_otherwise(at, size));
                if !is_right {
                    return false;
                }
            }
            for spot in &self.skipped_decimals {
                let (at, size) = place(spot);
                let is_right = size <= number::MOST_BYTES
                    && (number::is_plain_decimal::<S>(at, size) || S::skipped_otherwise(at, size));
                if !is_right {
                    return false;
                }
            }
            for spot in &self.skipped_words {
                let (at, size) = place(spot);
                let is_right =
                    walker::word(at) == Some(size) || size <= number::MOST_BYTES && S::skipped_otherwise(at, size);
                if !is_right {
                    return false;
                }
            }
            for spot in &self.integers {
                let (at, size) = place(spot);
                if size > number::MOST_BYTES {
                    return false;
                }
                let Some(value) = number::integer_of::<S>(at, size) else { return false };
                columns.sink(spot.column).put(row, value);
            }
            for spot in &self.floats {
                let (at, size) = place(spot);
                if size > number::MOST_BYTES {
                    return false;
                }
                let Some(value) = number::float_of::<S>(at, size) else { return false };
                columns.sink(spot.column).put(row, value);
            }
            for spot in &self.bools {
                let (at, size) = place(spot);
                let Some((value, word_bytes)) = walker::boolean(at) else { return false };
                if word_bytes != size {
                    return false;
                }
                columns.sink(spot.column).put_bool(row, value);
            }
            for spot in &self.others {
                let (_, size) = place(spot);
                if spot.offset != 0 && size.wrapping_sub(1) >= number::MOST_BYTES {
                    return false;
                }
            }
            if !S::same_pieces(start, quotes, &self.pieces, &self.places) {
                return false;
            }
            for spot in &self.strings {
                let open = *quotes.add(spot.quote as usize) as usize;
                let close = *quotes.add(spot.quote as usize + 1) as usize;
                let view = walker::view(start, seen.source, open + 1, close);
                columns.sink(spot.column).put(row, view);
            }
        }
        true
    }

    /// Reads what is left.
    ///
    /// # Safety
    /// As `Walk::read_object`; `read` has found that everything else fits.
    #[inline(always)]
    pub(super) unsafe fn read_others<S: Simd>(&self, template: &Template, walk: &mut Walk<'_, '_>) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let quotes = walk.list();
            for spot in &self.others {
                let at = (*quotes.add(spot.quote as usize) + spot.offset) as usize;
                let end = *quotes.add(spot.quote as usize + 1);
                let end = if spot.offset == 0 { end as usize + 1 } else { (end - spot.gap) as usize };
                let op = &template.ops[spot.op as usize];
                if S::template_value(template, walk, op, walk.start.add(at)) != Some(end) {
                    return false;
                }
            }
        }
        true
    }
}

/// Whether the `size_bytes` at `at` are a number or word, though not of the kind that they were.
///
/// # Safety
/// As `number::is_plain_number`.
#[inline(always)]
pub(super) unsafe fn skipped_otherwise<S: Simd>(at: *const u8, size_bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { number::is_plain_number::<S>(at, size_bytes) || walker::word(at) == Some(size_bytes) }
}
