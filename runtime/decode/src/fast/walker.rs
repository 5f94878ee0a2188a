//! Tier 2: one pass over a message in any key order, built from vector operations and strict about every byte.
//!
//! It returns nothing at the first doubt: a wrong byte, a key with an escape, a wanted key that comes twice, a value that does not
//! fit. Then the scalar parser decides. So there are no errors here, and no rule of the language is stated a second
//! time beyond what is common: integers, floats, text, bools, messages; every other value is read by `values`.
//!
//! Pointers: `at` stays within the message or at most a few bytes behind it, where padding is readable; a value
//! that ends at or behind `end` is refused, because its object must still be closed.
//!
//! This file must not know templates.

use super::keys::KeyTable;
use super::number;
use super::simd::portable::load;
use super::simd::{MARKED_BYTES, Simd};
use super::{Action, FastField, FastObject, Seen};
use crate::columns::{Checkpoint, ColumnId};
use crate::program::ObjectId;
use crate::scalar::grammar::check_escape;
use crate::scalar::{Reading, Source};

/// A message on its way into a row.
pub(super) struct Walk<'w, 'r> {
    pub(super) objects: &'w [FastObject],
    pub(super) reading: &'w mut Reading<'r>,
    pub(super) start: *const u8,
    pub(super) end: *const u8,
    pub(super) size: usize,
    pub(super) row: usize,
    /// The positions of its quotes, then `size`, with room for what templates look at.
    pub(super) quotes: *const u32,
    pub(super) quote_count: usize,
    /// Bytes that are backslashes or control characters.
    pub(super) odd: u32,
    /// Room for another list of quotes.
    pub(super) spare_quotes: *mut u32,
    /// Whether the template that has read it followed it step by step though it has its values at fixed places.
    pub(super) is_by_steps: bool,
    /// Whether escaped quotes are no longer listed.
    pub(super) knows_escapes: bool,
    /// Where the special bytes are (`Simd::mark`), and two words of zeros.
    pub(super) marks: *const u64,
    pub(super) max_depth: u32,
    /// The keys of an object that nobody reads.
    pub(super) no_keys: &'w KeyTable,
    /// Where list items and text stood before the message.
    pub(super) checkpoint: Checkpoint,
}

/// The first byte from `at` on that is no blank; at most `end`, or `at`.
#[inline(always)]
pub(super) unsafe fn skip_blanks(mut at: *const u8, end: *const u8) -> *const u8 {
    // SAFETY: `at` is at most a few bytes behind `end`, where padding is readable.
    unsafe {
        while matches!(*at, b' ' | b'\n' | b'\r' | b'\t') && at < end {
            at = at.add(1);
        }
    }
    at
}

const NULL: u32 = u32::from_le_bytes(*b"null");
const TRUE: u32 = u32::from_le_bytes(*b"true");
const ALSE: u32 = u32::from_le_bytes(*b"alse");

/// Four bytes, the first one lowest.
#[inline(always)]
unsafe fn load_4(at: *const u8) -> u32 {
    // SAFETY: the caller gives 4 readable bytes.
    u32::from_le(unsafe { at.cast::<u32>().read_unaligned() })
}

/// The bool at `at`, and its size. Both are looked for in any case, because which it is cannot be foreseen.
///
/// # Safety
/// 5 bytes are readable.
#[inline(always)]
pub(super) unsafe fn boolean(at: *const u8) -> Option<(bool, usize)> {
    // SAFETY: as the caller promises.
    let (is_true, is_false) = unsafe { (load_4(at) == TRUE, (*at == b'f') & (load_4(at.add(1)) == ALSE)) };
    (is_true | is_false).then_some((is_true, 5 - usize::from(is_true)))
}

/// The size of the `true`, `false` or `null` at `at`.
///
/// # Safety
/// 5 bytes are readable.
#[inline(always)]
pub(super) unsafe fn word(at: *const u8) -> Option<usize> {
    // SAFETY: as the caller promises.
    unsafe {
        let first = load_4(at);
        let is_false = (*at == b'f') & (load_4(at.add(1)) == ALSE);
        ((first == TRUE) | (first == NULL) | is_false).then_some(4 + usize::from(is_false))
    }
}

impl Walk<'_, '_> {
    #[inline(always)]
    pub(super) fn position(&self, at: *const u8) -> usize {
        at as usize - self.start as usize
    }

    /// The first byte from `at` on that is `"`, `\` or a control character; `end` where there is none.
    ///
    /// # Safety
    /// `at` is in the message or less than 64 bytes behind it.
    #[inline(always)]
    pub(super) unsafe fn find_special(&self, at: *const u8) -> *const u8 {
        let position = self.position(at);
        let (mut word, bit) = (position / MARKED_BYTES, position % MARKED_BYTES);
        // SAFETY: there are marks for every byte, and two words of none behind them.
        unsafe {
            // Of two words, so that where a string lies among them makes no difference.
            let marks = *self.marks.add(word) >> bit | *self.marks.add(word + 1) << 1 << (63 - bit);
            if marks != 0 {
                return at.add(marks.trailing_zeros() as usize);
            }
            let words = self.reading.bytes.len() / MARKED_BYTES + 1;
            loop {
                word += 1;
                if word >= words {
                    return self.end;
                }
                let marks = *self.marks.add(word);
                if marks != 0 {
                    return self.start.add(word * MARKED_BYTES + marks.trailing_zeros() as usize);
                }
            }
        }
    }

    /// The list of its quotes, with the message's start before them and its end behind.
    #[inline(always)]
    pub(super) fn list(&self) -> *const u32 {
        // SAFETY: before `quotes` is room for one position, which is 0.
        unsafe { self.quotes.sub(1) }
    }

    /// What fixed ordinals need of it.
    #[inline(always)]
    pub(super) fn seen(&self) -> Seen {
        Seen {
            start: self.start,
            quotes: self.list(),
            quote_count: self.quote_count,
            odd: self.odd,
            row: self.row,
            source: self.reading.source,
        }
    }

    /// Takes the quotes that a backslash escapes off the list.
    ///
    /// # Safety
    /// As `skip_string`.
    #[inline(always)]
    pub(super) unsafe fn drop_escaped_quotes<S: Simd>(&mut self) {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if self.knows_escapes {
            return;
        }
        self.knows_escapes = true;
        let (mut count, mut carry) = (0, 0);
        // SAFETY: as the caller promises; the list has room for a quote a byte.
        unsafe {
            self.spare_quotes.write(0);
            let quotes = self.spare_quotes.add(1);
            for word in 0..self.size.div_ceil(MARKED_BYTES) {
                let at = self.start.add(word * MARKED_BYTES);
                let (backslash, quote) = (S::find(at, b'\\'), S::find(at, b'"'));
                let rest = self.size - word * MARKED_BYTES;
                let quote = if rest < MARKED_BYTES { quote & ((1 << rest) - 1) } else { quote };
                // A byte is escaped where the run of backslashes before it has an odd length (G. Langdale, D. Lemire, "Parsing
                // Gigabytes of JSON per Second", 2019): runs that begin at even and at odd
                // places are told apart by letting an addition carry through them.
                let escaping = backslash & !carry;
                let starts_odd = escaping & !EVEN & !(escaping << 1);
                let (even_ends, overflow) = starts_odd.overflowing_add(escaping);
                let escaped = (EVEN ^ (even_ends << 1)) & (escaping << 1 | carry);
                carry = u64::from(overflow);
                let quote = quote & !escaped;
                S::positions(quote, (word * MARKED_BYTES) as u32, quotes.add(count));
                count += quote.count_ones() as usize;
            }
            quotes.add(count).write(self.size as u32);
            self.quotes = quotes;
        }
        self.quote_count = count;
    }

    /// Whether the string whose quotes are at these positions has neither an escape nor a control character.
    ///
    /// # Safety
    /// As `skip_string`.
    #[inline(always)]
    pub(super) unsafe fn is_plain(&self, open: usize, close: usize) -> bool {
        // SAFETY: as the caller promises.
        unsafe { self.position(self.find_special(self.start.add(open + 1))) == close }
    }

    /// Takes back what an attempt has appended.
    #[inline(always)]
    pub(super) fn undo(&mut self) {
        self.reading.columns.restore(&self.checkpoint);
    }

    /// Reads the whole message.
    ///
    /// # Safety
    /// As for all functions here.
    #[inline(always)]
    pub(super) unsafe fn message<S: Simd>(&mut self) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let at = skip_blanks(self.start, self.end);
            match S::read_object(self, 0, at, 1) {
                Some(after) if after <= self.end => skip_blanks(after, self.end) == self.end,
                _ => false,
            }
        }
    }

    /// Checks the string whose opening quote is at `at`; gives the byte behind its closing quote.
    ///
    /// # Safety
    /// As for all functions here: the processor has `S`; `start..end` is the message, with readable padding; `at` is in it.
    #[inline(always)]
    pub(super) unsafe fn skip_string<S: Simd>(&self, at: *const u8) -> Option<*const u8> {
        // SAFETY: as the caller promises.
        unsafe {
            let special = self.find_special(at.add(1));
            if special >= self.end {
                return None;
            }
            if *special == b'"' { Some(special.add(1)) } else { S::skip_escaped(self, special) }
        }
    }

    /// Checks the rest of a string from its first backslash on.
    ///
    /// # Safety
    /// As `skip_string`.
    #[inline(always)]
    pub(super) unsafe fn skip_escaped<S: Simd>(&self, mut at: *const u8) -> Option<*const u8> {
        // SAFETY: as `skip_string`; `at` is tested against `end` before each step.
        unsafe {
            loop {
                match *at {
                    b'"' => return Some(at.add(1)),
                    b'\\' => {
                        at = match *at.add(1) {
                            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at.add(2),
                            _ => self.start.add(check_escape(self.reading.bytes, self.position(at)).ok()?.0),
                        }
                    }
                    _ => return None,
                }
                if at >= self.end {
                    return None;
                }
                at = self.find_special(at);
                if at >= self.end {
                    return None;
                }
            }
        }
    }

    /// Checks the value at `at`, inside of `depth` objects and arrays; gives the byte behind it.
    ///
    /// # Safety
    /// As `skip_string`.
    #[inline(always)]
    pub(super) unsafe fn skip_value<S: Simd>(&self, at: *const u8, depth: u32) -> Option<*const u8> {
        // SAFETY: as the caller promises.
        let after = unsafe {
            match *at {
                b'"' => self.skip_string::<S>(at)?,
                b'-' | b'0'..=b'9' => number::skip_number(at, self.end)?,
                b't' if load_4(at) == TRUE => at.add(4),
                b'n' if load_4(at) == NULL => at.add(4),
                b'f' if load_4(at.add(1)) == ALSE => at.add(5),
                b'{' | b'[' => S::skip_nested(self, at, depth + 1)?,
                _ => return None,
            }
        };
        (after < self.end).then_some(after)
    }

    /// Checks the object or array at `at`, which is the `depth`-th one open.
    ///
    /// # Safety
    /// As `skip_string`.
    #[inline(always)]
    pub(super) unsafe fn skip_nested<S: Simd>(&self, at: *const u8, depth: u32) -> Option<*const u8> {
        if depth > self.max_depth {
            return None;
        }
        // SAFETY: as `skip_string`; each value and key ends before `end`, so every byte read is readable.
        unsafe {
            let is_object = *at == b'{';
            let close = if is_object { b'}' } else { b']' };
            let mut at = skip_blanks(at.add(1), self.end);
            if *at == close {
                return Some(at.add(1));
            }
            loop {
                if is_object {
                    if *at != b'"' {
                        return None;
                    }
                    at = skip_blanks(self.skip_string::<S>(at)?, self.end);
                    if *at != b':' {
                        return None;
                    }
                    at = skip_blanks(at.add(1), self.end);
                }
                if at >= self.end {
                    return None;
                }
                at = skip_blanks(self.skip_value::<S>(at, depth)?, self.end);
                if *at == close {
                    return Some(at.add(1));
                }
                if *at != b',' {
                    return None;
                }
                at = skip_blanks(at.add(1), self.end);
                if at >= self.end {
                    return None;
                }
            }
        }
    }

    /// Reads the value at `at`, which is neither an object of ours nor null, into the field's column; gives the byte behind it.
    ///
    /// # Safety
    /// As `skip_string`; the field is one of `objects`, and the columns have room for the row.
    #[inline(always)]
    pub(super) unsafe fn read_single<S: Simd>(
        &mut self,
        field: &FastField,
        at: *const u8,
        depth: u32,
    ) -> Option<*const u8> {
        // SAFETY: as the caller promises; the layout of the column follows from the action.
        unsafe {
            match field.action {
                Action::Int64 => {
                    if let Some((value, after)) = number::integer::<S>(at) {
                        self.reading.columns.put_word_unchecked(field.column, self.row, value as u64);
                        return Some(after);
                    }
                }
                Action::Float64 => {
                    if let Some((value, after)) = number::float::<S>(at) {
                        self.reading.columns.put_word_unchecked(field.column, self.row, value.to_bits());
                        return Some(after);
                    }
                }
                Action::String => return self.read_string::<S>(field.column, at),
                Action::Bool => {
                    let (value, word_bytes) = boolean(at)?;
                    self.reading.columns.put_bool_unchecked(field.column, self.row, value);
                    return Some(at.add(word_bytes));
                }
                Action::Object(_) | Action::Generic => {}
            }
            S::read_field(self, field, at, depth)
        }
    }

    /// Reads the string at `at`, if it is one, into the row of the column; gives the byte behind it.
    ///
    /// # Safety
    /// As `read_single`; the column has views.
    #[inline(always)]
    pub(super) unsafe fn read_string<S: Simd>(&mut self, column: ColumnId, at: *const u8) -> Option<*const u8> {
        // SAFETY: as the caller promises.
        unsafe {
            if *at != b'"' {
                return None;
            }
            let text = at.add(1);
            let close = self.find_special(text);
            if close >= self.end {
                return None;
            }
            if *close != b'"' {
                return S::read_escaped(self, column, text, close);
            }
            self.put_string(column, self.position(text), self.position(close));
            Some(close.add(1))
        }
    }

    /// Writes the text between these positions, which has no escapes.
    ///
    /// # Safety
    /// As `view`; the column has views and room for the row.
    #[inline(always)]
    pub(super) unsafe fn put_string(&mut self, column: ColumnId, from: usize, to: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            let [low, high] = view(self.start, self.reading.source, from, to);
            self.reading.columns.put_view_unchecked(column, self.row, low, high);
        }
    }

    /// Unescapes the rest of a string: runs without an escape are copied as a whole.
    ///
    /// # Safety
    /// As `read_string`.
    #[inline(always)]
    pub(super) unsafe fn read_escaped<S: Simd>(
        &mut self,
        column: ColumnId,
        text: *const u8,
        first: *const u8,
    ) -> Option<*const u8> {
        let (mut run, mut at) = (self.position(text), first);
        self.reading.scratch.text.clear();
        // SAFETY: as `skip_escaped`.
        unsafe {
            loop {
                let position = self.position(at);
                let bytes = self.reading.bytes;
                let into = &mut self.reading.scratch.text;
                into.extend_from_slice(&bytes[run..position]);
                if *at == b'"' {
                    break;
                }
                if *at != b'\\' {
                    return None;
                }
                let simple = match *at.add(1) {
                    byte @ (b'"' | b'\\' | b'/') => byte,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => 0,
                };
                if simple != 0 {
                    into.push(simple);
                    run = position + 2;
                } else {
                    let (after, character) = check_escape(bytes, position).ok()?;
                    into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    run = after;
                }
                at = self.start.add(run);
                if at >= self.end {
                    return None;
                }
                at = self.find_special(at);
                if at >= self.end {
                    return None;
                }
            }
            self.reading.columns.put_text(column, self.row, &self.reading.scratch.text);
            Some(at.add(1))
        }
    }

    /// Reads the value at `at`, whatever it is, into the field's columns.
    ///
    /// # Safety
    /// As `read_single`.
    #[inline(always)]
    pub(super) unsafe fn read<S: Simd>(&mut self, field: &FastField, at: *const u8, depth: u32) -> Option<*const u8> {
        // SAFETY: as the caller promises.
        let after = unsafe {
            if *at == b'n' {
                if load_4(at) != NULL || !field.nullable {
                    return None;
                }
                self.null(field);
                at.add(4)
            } else if let Action::Object(object) = field.action {
                if field.has_presence {
                    self.note_presence(field);
                }
                S::read_object(self, object, at, depth + 1)?
            } else {
                self.read_single::<S>(field, at, depth)?
            }
        };
        (after < self.end).then_some(after)
    }

    #[inline(never)]
    pub(super) fn null(&mut self, field: &FastField) {
        let program = self.reading.program;
        let meaning = &program.objects[field.object as usize].fields[field.index as usize];
        self.reading.null_field(meaning, self.row);
    }

    #[inline(never)]
    pub(super) fn note_presence(&mut self, field: &FastField) {
        let program = self.reading.program;
        for &column in &program.objects[field.object as usize].fields[field.index as usize].presence {
            self.reading.columns.put_bool(column, self.row, true);
        }
    }

    /// Reads the object at `at`, which is the `depth`-th one open; gives the byte behind it.
    ///
    /// # Safety
    /// As `read_single`.
    #[inline(always)]
    pub(super) unsafe fn read_object<S: Simd>(&mut self, id: ObjectId, at: *const u8, depth: u32) -> Option<*const u8> {
        let object = &self.objects[id as usize];
        // SAFETY: as the caller promises; each key and value ends before `end`.
        unsafe {
            if *at != b'{' || depth > self.max_depth {
                return None;
            }
            let (mut seen, mut guess) = (0u128, 0);
            let mut at = skip_blanks(at.add(1), self.end);
            if *at != b'}' {
                loop {
                    if *at != b'"' {
                        return None;
                    }
                    let key = at.add(1);
                    let close = self.find_special(key);
                    if close >= self.end || *close != b'"' {
                        return None;
                    }
                    let key_bytes = close as usize - key as usize;
                    at = close.add(1);
                    if *at != b':' {
                        at = skip_blanks(at, self.end);
                        if *at != b':' {
                            return None;
                        }
                    }
                    at = skip_blanks(at.add(1), self.end);
                    if at >= self.end {
                        return None;
                    }
                    // Fields often come in the order of declaration, so the next one is tried before the table.
                    let found = if guess < object.fields.len() && object.keys.is::<S>(guess, key, key_bytes) {
                        Some(guess)
                    } else {
                        object.keys.find::<S>(key, key_bytes)
                    };
                    at = match found {
                        Some(index) => {
                            if seen >> index & 1 != 0 {
                                return None;
                            }
                            seen |= 1 << index;
                            guess = index + 1;
                            self.read::<S>(object.fields.get_unchecked(index), at, depth)?
                        }
                        None => self.skip_value::<S>(at, depth)?,
                    };
                    at = skip_blanks(at, self.end);
                    if *at == b'}' {
                        break;
                    }
                    if *at != b',' {
                        return None;
                    }
                    at = skip_blanks(at.add(1), self.end);
                    if at >= self.end {
                        return None;
                    }
                }
            }
            if at >= self.end || !self.close(id, seen) {
                return None;
            }
            Some(at.add(1))
        }
    }

    /// What an object needs besides its values: bits of structs, presence, and what absent fields become.
    #[inline(always)]
    pub(super) fn close(&mut self, id: ObjectId, seen: u128) -> bool {
        let object = &self.objects[id as usize];
        if seen == object.all && object.plain {
            return true;
        }
        self.close_slowly(id, seen)
    }

    #[inline(never)]
    fn close_slowly(&mut self, id: ObjectId, seen: u128) -> bool {
        let program = self.reading.program;
        let object = &program.objects[id as usize];
        for (index, field) in object.fields.iter().enumerate() {
            if seen >> index & 1 == 0 && !self.reading.absent_field(field, self.row) {
                return false;
            }
        }
        for &column in &object.columns {
            self.reading.columns.set_valid(column, self.row);
        }
        true
    }
}

/// The view of the text between these positions, which has no escapes. A short one lies in the view, of a long one the place does; both are
/// put together without a branch, because how long a text is cannot be foreseen.
///
/// # Safety
/// The text begins in the message or one byte behind it.
#[inline(always)]
pub(super) unsafe fn view(start: *const u8, source: Source, from: usize, to: usize) -> [u64; 2] {
    // SAFETY: as the caller promises; so 16 bytes of text are readable.
    unsafe {
        let text = start.add(from);
        let size = to.wrapping_sub(from);
        let place = u64::from(source.buffer) | (u64::from(source.offset) + from as u64) << 32;
        let mask = INLINE_MASKS.get_unchecked(size.min(LONG));
        [size as u64 & 0xffff_ffff | (load(text) & mask.0) << 32, load(text.add(4)) & mask.1 | place & mask.2]
    }
}

/// The first size of a text that does not fit into its view.
const LONG: usize = 13;

/// By size: masks of the two halves of an inline view's 12 bytes (the second half begins with the fifth byte), and of the place of
/// a text that is not inline.
static INLINE_MASKS: [(u64, u64, u64, u64); LONG + 1] = {
    let mut masks = [(0, 0, 0, 0); LONG + 1];
    let mut size = 0;
    while size < LONG {
        masks[size].0 = if size < 4 { (1u64 << (8 * size)) - 1 } else { 0xffff_ffff };
        masks[size].1 = match size {
            0..=4 => 0,
            12 => u64::MAX,
            _ => (1u64 << (8 * (size - 4))) - 1,
        };
        size += 1;
    }
    masks[LONG] = (0xffff_ffff, 0, u64::MAX, 0);
    masks
};
