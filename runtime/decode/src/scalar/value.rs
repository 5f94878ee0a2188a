//! Single values: text with its escapes, numbers, lists, vectors, maps, and where they are written.
//!
//! This file must not know the message around a value.

use super::convert::{self, Simple};
use super::grammar::{
    check_escape, check_scalar, expect, is_delimiter, skip_blanks, skip_outline, skip_string, unexpected,
};
use super::number::Number;
use super::{Reading, base64};
use crate::columns::ColumnId;
use crate::error::{JsonType, Outcome, Reason, fail};
use crate::program::{Item, Reader, Shape};

/// Where the text of a string is.
enum Text {
    /// In the message as it stands, from here to there.
    InMessage(usize, usize),
    /// Unescaped, in `Scratch::text`.
    InScratch,
}

/// An entry of a map.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Where the key stands in the message.
    key_at: usize,
    /// Where its value stands.
    value_at: usize,
    /// The key's bytes in `Scratch::keys`.
    key_start: usize,
    key_end: usize,
    /// A later entry has the same key.
    replaced: bool,
}

/// Unescapes the string whose opening quote is at `at` into `into`, which is cleared.
pub(super) fn unescape(bytes: &[u8], at: usize, into: &mut Vec<u8>) -> Outcome<usize> {
    into.clear();
    let mut at = at + 1;
    loop {
        match bytes.get(at) {
            None => return unexpected(bytes, at, "the `\"` that closes the string"),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let (next, character) = check_escape(bytes, at)?;
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at = next;
            }
            Some(&byte) if byte < 0x20 => return fail(Reason::ControlCharacter { byte }, at),
            Some(&byte) => {
                into.push(byte);
                at += 1;
            }
        }
    }
}

impl Reading<'_> {
    /// Whether `null` stands at `at`.
    pub(super) fn is_null(&self, at: usize) -> Outcome<bool> {
        if self.bytes.get(at) != Some(&b'n') {
            return Ok(false);
        }
        let end = check_scalar(self.bytes, at)?;
        self.ends_here(end)?;
        Ok(true)
    }

    fn ends_here(&self, at: usize) -> Outcome<()> {
        if is_delimiter(self.bytes.get(at)) { Ok(()) } else { unexpected(self.bytes, at, "the end of the value") }
    }

    /// Reads the value at `at`, which is not null, into a row of a column.
    pub(crate) fn value(&mut self, reader: &Reader, column: ColumnId, at: usize, row: usize) -> Outcome<()> {
        match &reader.shape {
            Shape::List(item) => self.list(reader, item, column, at, row),
            Shape::Vector(item, length) => self.vector(reader, item, *length, column, at, row),
            Shape::Map { key_column, key, value } => self.map(reader, *key_column, key, value, column, at, row),
            Shape::Object(object) => self.object(*object, at, row).map(|_| ()),
            _ => self.single(reader, column, at, row),
        }
    }

    fn single(&mut self, reader: &Reader, column: ColumnId, at: usize, row: usize) -> Outcome<()> {
        let simple = match self.bytes.get(at) {
            Some(b'"') => {
                let text = self.text(at)?;
                let bytes = match text {
                    Text::InMessage(start, end) => &self.bytes[start..end],
                    Text::InScratch => &self.scratch.text[..],
                };
                match reader.shape {
                    Shape::String => {
                        match text {
                            Text::InMessage(start, _) => {
                                let offset = self.source.offset + start as u32;
                                self.columns.put_view(column, row, bytes, self.source.buffer, offset);
                            }
                            Text::InScratch => self.columns.put_text(column, row, bytes),
                        }
                        return Ok(());
                    }
                    Shape::Bytes => {
                        self.scratch.decoded.clear();
                        let Some(()) = base64::decode(bytes, &mut self.scratch.decoded) else {
                            let reason = Reason::BadText { expected: reader.kind.clone(), form: base64::FORM };
                            return fail(reason, at);
                        };
                        self.columns.put_text(column, row, &self.scratch.decoded);
                        return Ok(());
                    }
                    _ => convert::from_text(reader, bytes),
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let (number, end) = Number::scan(self.bytes, at)?;
                self.ends_here(end)?;
                convert::from_number(reader, number)
            }
            Some(&byte @ (b't' | b'f')) => {
                let end = check_scalar(self.bytes, at)?;
                self.ends_here(end)?;
                convert::from_bool(reader, byte == b't')
            }
            _ => return self.wrong_type(reader, at),
        };
        match simple {
            Ok(Simple::Bool(value)) => self.columns.put_bool(column, row, value),
            Ok(Simple::Word(word)) => self.columns.put_word(column, row, word),
            Ok(Simple::Decimal(unscaled)) => self.columns.put_decimal(column, row, unscaled),
            Err(reason) => return fail(reason, at),
        }
        Ok(())
    }

    /// The string whose opening quote is at `at`.
    fn text(&mut self, at: usize) -> Outcome<Text> {
        let end = skip_string(self.bytes, at)?;
        let raw = &self.bytes[at + 1..end - 1];
        if !self.program.strict
            && let Err(error) = std::str::from_utf8(raw)
        {
            return fail(Reason::NotUtf8, at + 1 + error.valid_up_to());
        }
        if raw.iter().any(|&byte| byte == b'\\' || byte < 0x20) {
            unescape(self.bytes, at, &mut self.scratch.text)?;
            Ok(Text::InScratch)
        } else {
            Ok(Text::InMessage(at + 1, end - 1))
        }
    }

    fn wrong_type<T>(&self, reader: &Reader, at: usize) -> Outcome<T> {
        match self.bytes.get(at) {
            Some(&byte @ (b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9')) => {
                fail(Reason::WrongType { expected: reader.kind.clone(), found: JsonType::of(byte) }, at)
            }
            _ => unexpected(self.bytes, at, "a value"),
        }
    }

    /// An item of a list or vector or the value of an entry.
    fn item(&mut self, item: &Item, at: usize, row: usize) -> Outcome<()> {
        if !self.is_null(at)? {
            return self.value(&item.reader, item.column, at, row);
        }
        if !item.nullable {
            return fail(Reason::Null { expected: item.reader.kind.clone() }, at);
        }
        self.columns.null_row(item.column, row);
        Ok(())
    }

    /// Calls `each` with the position of every item of the array at `at`.
    fn items(
        &mut self,
        reader: &Reader,
        at: usize,
        mut each: impl FnMut(&mut Self, usize, usize) -> Outcome<()>,
    ) -> Outcome<usize> {
        let bytes = self.bytes;
        if bytes.get(at) != Some(&b'[') {
            return self.wrong_type(reader, at);
        }
        let mut at = skip_blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b']') {
            return Ok(0);
        }
        let mut index = 0;
        loop {
            each(self, index, at).map_err(|failure| failure.in_item(index))?;
            index += 1;
            at = skip_blanks(bytes, skip_outline(bytes, at)?);
            match bytes.get(at) {
                Some(b',') => at = skip_blanks(bytes, at + 1),
                Some(b']') => return Ok(index),
                _ => return unexpected(bytes, at, "`,` or `]`"),
            }
        }
    }

    fn list(&mut self, reader: &Reader, item: &Item, column: ColumnId, at: usize, row: usize) -> Outcome<()> {
        self.items(reader, at, |reading, _, at| {
            let item_row = reading.columns.push_item(item.column);
            reading.item(item, at, item_row)
        })?;
        self.columns.end_list(column, row);
        self.columns.set_valid(column, row);
        Ok(())
    }

    fn vector(
        &mut self,
        reader: &Reader,
        item: &Item,
        length: u32,
        column: ColumnId,
        at: usize,
        row: usize,
    ) -> Outcome<()> {
        let first = row * length as usize;
        let found = self.items(reader, at, |reading, index, at| {
            if index < length as usize { reading.item(item, at, first + index) } else { Ok(()) }
        })?;
        if found != length as usize {
            return fail(Reason::WrongLength { expected: length, found }, at);
        }
        self.columns.set_valid(column, row);
        Ok(())
    }

    fn map(
        &mut self,
        reader: &Reader,
        key_column: ColumnId,
        key: &Reader,
        value: &Item,
        column: ColumnId,
        at: usize,
        row: usize,
    ) -> Outcome<()> {
        let (base, keys_base) = (self.scratch.entries.len(), self.scratch.keys.len());
        self.entries(reader, key, at)?;
        mark_replaced(&mut self.scratch.entries[base..], &self.scratch.keys);
        for index in base..self.scratch.entries.len() {
            let entry = self.scratch.entries[index];
            if entry.replaced {
                continue;
            }
            let key_row = self.columns.push_item(key_column);
            let value_row = self.columns.push_value(value.column);
            let bytes = &self.scratch.keys[entry.key_start..entry.key_end];
            match key.shape {
                Shape::String | Shape::Bytes => self.columns.put_text(key_column, key_row, bytes),
                _ => {
                    let bits = u128::from_le_bytes(bytes.try_into().expect("a key that is no text has 16 bytes"));
                    match key.shape {
                        Shape::Bool => self.columns.put_bool(key_column, key_row, bits != 0),
                        Shape::Decimal { .. } => self.columns.put_decimal(key_column, key_row, bits as i128),
                        _ => self.columns.put_word(key_column, key_row, bits as u64),
                    }
                }
            }
            self.item(value, entry.value_at, value_row).map_err(|failure| {
                let end = skip_string(self.bytes, entry.key_at).unwrap_or(self.bytes.len());
                failure.in_entry(&String::from_utf8_lossy(&self.bytes[entry.key_at + 1..end - 1]))
            })?;
        }
        self.scratch.entries.truncate(base);
        self.scratch.keys.truncate(keys_base);
        self.columns.end_list(column, row);
        self.columns.set_valid(column, row);
        Ok(())
    }

    /// Notes the entries of the object at `at`.
    fn entries(&mut self, reader: &Reader, key: &Reader, at: usize) -> Outcome<()> {
        let bytes = self.bytes;
        if bytes.get(at) != Some(&b'{') {
            return self.wrong_type(reader, at);
        }
        let mut at = skip_blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(());
        }
        loop {
            if bytes.get(at) != Some(&b'"') {
                return unexpected(bytes, at, "a key");
            }
            let key_start = self.scratch.keys.len();
            self.key(key, at)?;
            let key_at = at;
            at = expect(bytes, skip_blanks(bytes, skip_string(bytes, at)?), b':', "`:`")?;
            at = skip_blanks(bytes, at);
            let key_end = self.scratch.keys.len();
            self.scratch.entries.push(Entry { key_at, value_at: at, key_start, key_end, replaced: false });
            at = skip_blanks(bytes, skip_outline(bytes, at)?);
            match bytes.get(at) {
                Some(b',') => at = skip_blanks(bytes, at + 1),
                Some(b'}') => return Ok(()),
                _ => return unexpected(bytes, at, "`,` or `}`"),
            }
        }
    }

    /// Appends the key at `at` to `Scratch::keys`: its text, or 16 bytes of what it is worth.
    fn key(&mut self, key: &Reader, at: usize) -> Outcome<()> {
        let text = self.text(at)?;
        let bytes = match text {
            Text::InMessage(start, end) => &self.bytes[start..end],
            Text::InScratch => &self.scratch.text[..],
        };
        match key.shape {
            Shape::String => self.scratch.keys.extend_from_slice(bytes),
            Shape::Bytes => {
                let Some(()) = base64::decode(bytes, &mut self.scratch.keys) else {
                    return fail(Reason::BadText { expected: key.kind.clone(), form: base64::FORM }, at);
                };
            }
            _ => match convert::from_key(key, bytes) {
                Ok(simple) => self.scratch.keys.extend_from_slice(&simple.bits().to_le_bytes()),
                Err(reason) => return fail(reason, at),
            },
        }
        Ok(())
    }
}

/// Marks each entry whose key comes again later. Sorting keeps a hostile message from taking quadratic time.
fn mark_replaced(entries: &mut [Entry], keys: &[u8]) {
    let bytes = |entry: &Entry| &keys[entry.key_start..entry.key_end];
    if entries.len() <= 16 {
        for index in 0..entries.len() {
            entries[index].replaced = entries[index + 1..].iter().any(|later| bytes(later) == bytes(&entries[index]));
        }
        return;
    }
    entries.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)).then(a.key_at.cmp(&b.key_at)));
    for index in 1..entries.len() {
        entries[index - 1].replaced = bytes(&entries[index - 1]) == bytes(&entries[index]);
    }
    entries.sort_unstable_by_key(|entry| entry.key_at);
}
