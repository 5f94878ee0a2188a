//! Tier 2, the quick way: objects whose members are found from the list of quotes, in any key order.
//!
//! What makes unordered messages slow is not work but surprise: which key comes next, and what its value is, no
//! processor can foresee. So members are first only found (a key's field, a value's begin and end) by code without branches on
//! them; then the fields are read in the program's order, and what nobody reads is checked, kind by kind.
//!
//! It takes messages without backslashes and control characters, so that every quote is one and no text needs a look. It returns
//! nothing at the first doubt, as the walker does, which comes next.
//!
//! This file must not know templates.

use std::mem::MaybeUninit;

use super::number;
use super::simd::Simd;
use super::walker::{self, Walk, skip_blanks};
use super::{Action, FastField};
use crate::program::ObjectId;

/// Fields of an object that are told apart in one word.
pub(super) const MOST_MEMBERS: usize = 63;

/// Deepest nesting that is followed; each level takes a kilobyte of stack.
const DEEPEST: u32 = 32;

/// Values that nobody reads, before they are checked.
const MOST_UNREAD: usize = 32;

/// Where a value begins and ends.
type Span = [u32; 2];

/// Where an object ends: the byte behind it, and the first quote behind it.
#[derive(Clone, Copy)]
pub(super) struct End {
    after: usize,
    quotes: *const u32,
}

impl Walk<'_, '_> {
    /// Reads the whole message.
    ///
    /// # Safety
    /// As for all functions of a walk; the message has no backslash and no control character.
    #[inline(always)]
    pub(super) unsafe fn message_by_members<S: Simd>(&mut self) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let at = skip_blanks(self.start, self.end);
            if *at != b'{' || at >= self.end {
                return false;
            }
            let Some(end) = S::read_members(self, Some(0), self.position(at), self.quotes, 1) else { return false };
            end.quotes == self.quotes.add(self.quote_count)
                && end.after <= self.size
                && skip_blanks(self.start.add(end.after), self.end) == self.end
        }
    }

    /// Reads the object whose brace is at `open`, which is the `depth`-th one open, or checks it where nobody reads it.
    /// `quotes` are those behind the brace.
    ///
    /// # Safety
    /// As `message_by_members`.
    #[inline(always)]
    pub(super) unsafe fn read_members<S: Simd>(
        &mut self,
        id: Option<ObjectId>,
        open: usize,
        mut quotes: *const u32,
        depth: u32,
    ) -> Option<End> {
        let objects = self.objects;
        let object = id.map(|id| &objects[id as usize]);
        if depth > self.max_depth.min(DEEPEST) || object.is_some_and(|object| object.fields.len() > MOST_MEMBERS) {
            return None;
        }
        let keys = object.map_or(self.no_keys, |object| &object.keys);
        let count = object.map_or(0, |object| object.fields.len());
        let (start, size) = (self.start, self.size);
        let (mut seen, mut nested) = (0u64, 0u64);
        // One for each field, and one for what is no field.
        let mut spans = [const { MaybeUninit::<Span>::uninit() }; MOST_MEMBERS + 1];
        let (mut unread, mut unread_count) = ([[0; 2]; MOST_UNREAD + 1], 0);
        // SAFETY: a position is compared with `size` before it is read at, and not more than 64 bytes are. Behind the last quote of the list stands
        // `size`, and two more are readable. `found` is at most `count`.
        unsafe {
            let last = self.quotes.add(self.quote_count);
            let mut at = self.after_blanks(open + 1);
            let mut after;
            if *start.add(at) == b'}' && at < size {
                after = at + 1;
            } else {
                loop {
                    if quotes.add(1) >= last || *quotes as usize != at {
                        return None;
                    }
                    let close = *quotes.add(1) as usize;
                    let mut value = close + 1;
                    if *start.add(value) != b':' {
                        value = self.after_blanks(value);
                        if *start.add(value) != b':' {
                            return None;
                        }
                    }
                    value = self.after_blanks(value + 1);
                    if value >= size {
                        return None;
                    }
                    let found = keys.find_or_count::<S>(start.add(at + 1), close - at - 1);
                    let is_found = found < count;
                    let bit = u64::from(is_found) << found;
                    if seen & bit != 0 {
                        return None;
                    }
                    seen |= bit;
                    if matches!(*start.add(value), b'{' | b'[') {
                        let field = if is_found { object.map(|object| object.fields[found]) } else { None };
                        nested |= bit;
                        let end = self.nested::<S>(field, value, quotes.add(2), depth)?;
                        (after, quotes) = (end.after, end.quotes);
                    } else {
                        let is_text = *quotes.add(2) as usize == value;
                        let text_end = *quotes.add(3) as usize + 1;
                        let other_end = value + S::scalar_size(start.add(value));
                        after = if is_text { text_end } else { other_end };
                        quotes = quotes.add(2 + 2 * usize::from(is_text));
                        let span = [value as u32, after as u32];
                        spans.get_unchecked_mut(found).write(span);
                        *unread.get_unchecked_mut(unread_count) = span;
                        unread_count += usize::from(!is_found & !is_text);
                        if unread_count == MOST_UNREAD {
                            self.check_unread::<S>(&unread[..unread_count])?;
                            unread_count = 0;
                        }
                    }
                    if after >= size {
                        return None;
                    }
                    let mut next = *start.add(after);
                    if next <= b' ' {
                        after = self.after_blanks(after);
                        next = *start.add(after);
                    }
                    after += 1;
                    if next != b',' {
                        if next != b'}' || after > size {
                            return None;
                        }
                        break;
                    }
                    at = self.after_blanks(after);
                }
            }
            self.check_unread::<S>(&unread[..unread_count])?;
            if let (Some(id), Some(object)) = (id, object) {
                let present = seen & !nested;
                for (index, field) in object.fields.iter().enumerate() {
                    if present >> index & 1 != 0 {
                        let [at, end] = spans.get_unchecked(index).assume_init();
                        self.read_span::<S>(field, at as usize, end as usize, depth)?;
                    }
                }
                if !self.close(id, u128::from(seen)) {
                    return None;
                }
            }
            Some(End { after, quotes })
        }
    }

    /// The first position from `at` on that is no blank.
    ///
    /// # Safety
    /// `at` is at most a few bytes behind the message.
    #[inline(always)]
    unsafe fn after_blanks(&self, at: usize) -> usize {
        // SAFETY: as the caller promises.
        unsafe {
            if *self.start.add(at) > b' ' { at } else { self.position(skip_blanks(self.start.add(at), self.end)) }
        }
    }

    /// An object or array at `at`. `quotes` are those behind its bracket.
    ///
    /// # Safety
    /// As `message_by_members`.
    #[inline(always)]
    unsafe fn nested<S: Simd>(
        &mut self,
        field: Option<FastField>,
        at: usize,
        mut quotes: *const u32,
        depth: u32,
    ) -> Option<End> {
        // SAFETY: as the caller promises; the list ends with the message's end, which no value reaches.
        unsafe {
            let value = self.start.add(at);
            let is_object = *value == b'{';
            let object = match field {
                Some(FastField { action: Action::Object(id), has_presence, .. }) if is_object => {
                    if has_presence {
                        self.note_presence(&field?);
                    }
                    Some(id)
                }
                Some(field) => {
                    let stop = self.read::<S>(&field, value, depth)?;
                    let after = self.position(stop);
                    while (*quotes as usize) < after {
                        quotes = quotes.add(1);
                    }
                    return Some(End { after, quotes });
                }
                None => None,
            };
            if is_object {
                return S::read_members(self, object, at, quotes, depth + 1);
            }
            let after = self.position(S::skip_nested(self, value, depth + 1)?);
            if after >= self.size {
                return None;
            }
            while (*quotes as usize) < after {
                quotes = quotes.add(1);
            }
            Some(End { after, quotes })
        }
    }

    /// Checks values that are no texts: each is a number or a word. What it is cannot be foreseen, so both are looked for.
    ///
    /// # Safety
    /// As `message_by_members`; the values are not longer than `Simd::scalar_size` gives.
    #[inline(always)]
    unsafe fn check_unread<S: Simd>(&self, unread: &[Span]) -> Option<()> {
        for &[at, end] in unread {
            let size = (end - at) as usize;
            // SAFETY: as the caller promises.
            let is_right = unsafe {
                let value = self.start.add(at as usize);
                number::is_plain_decimal::<S>(value, size) | (walker::word(value) == Some(size))
            };
            // Numbers with exponents, and what is no value, are the walker's.
            if !is_right {
                return None;
            }
        }
        Some(())
    }

    /// Reads the value between these positions, which is neither object nor array.
    ///
    /// # Safety
    /// As `Walk::read_single`.
    #[inline(always)]
    unsafe fn read_span<S: Simd>(&mut self, field: &FastField, at: usize, end: usize, depth: u32) -> Option<()> {
        // SAFETY: as the caller promises; the layout of the column follows from the action.
        unsafe {
            let value = self.start.add(at);
            let row = self.row;
            match field.action {
                Action::Int64 => {
                    if let Some(value) = number::integer_of::<S>(value, end - at) {
                        self.reading.columns.put_word_unchecked(field.column, row, value as u64);
                        return Some(());
                    }
                }
                Action::Float64 => {
                    if let Some(value) = number::float_of::<S>(value, end - at) {
                        self.reading.columns.put_word_unchecked(field.column, row, value.to_bits());
                        return Some(());
                    }
                }
                Action::String if *value == b'"' => {
                    self.put_string(field.column, at + 1, end - 1);
                    return Some(());
                }
                _ => {}
            }
            let stop = S::read_value(self, field, value, depth)?;
            (self.position(stop) == end).then_some(())
        }
    }
}
