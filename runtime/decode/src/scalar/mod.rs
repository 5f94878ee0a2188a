//! The plain full-grammar parser: what a message means.
//!
//! It checks the whole message, then reads each object in two steps: note where the last value of every wanted key
//! stands, then read those values. So "the last one wins" and "a field nobody reads is only checked as JSON" hold by
//! construction. Every other tier must give what this one gives, and hands over to it whatever it is not sure of.
//!
//! This module must not know SIMD, templates or batches.

pub(crate) mod base64;
pub(crate) mod convert;
pub(crate) mod grammar;
pub(crate) mod number;
mod time;
mod value;

use chalk_types::Value;

use crate::columns::DecodedColumns;
use crate::error::{JsonType, Outcome, Reason, fail};
use crate::program::{Field, ObjectId, Program};
use grammar::{expect, skip_blanks, skip_outline, skip_string, unexpected};

/// Where the message lies, for views: data buffer and offset.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) buffer: u32,
    pub(crate) offset: u32,
}

/// Memory that is used again for every message.
#[derive(Default)]
pub(crate) struct Scratch {
    open: Vec<bool>,
    positions: Vec<usize>,
    pub(crate) text: Vec<u8>,
    pub(crate) decoded: Vec<u8>,
    keys: Vec<u8>,
    entries: Vec<value::Entry>,
    /// Of the fast tiers: a digest of each key of the maps under way.
    pub(crate) digests: Vec<u64>,
}

/// One message on its way into one row.
pub(crate) struct Reading<'a> {
    pub(crate) program: &'a Program,
    pub(crate) columns: &'a mut DecodedColumns,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) bytes: &'a [u8],
    pub(crate) source: Source,
}

/// Position of a field that is not there.
const ABSENT: usize = usize::MAX;

impl Reading<'_> {
    /// Reads the message into the row.
    pub(crate) fn message(&mut self, row: usize) -> Outcome<()> {
        let bytes = self.bytes;
        if bytes.len() > self.program.max_message_bytes {
            let reason = Reason::TooLarge { size_bytes: bytes.len(), limit_bytes: self.program.max_message_bytes };
            return fail(reason, self.program.max_message_bytes);
        }
        if self.program.strict
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return fail(Reason::NotUtf8, error.valid_up_to());
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return fail(Reason::ByteOrderMark, 0);
        }
        let start = skip_blanks(bytes, 0);
        if self.program.strict {
            let end = grammar::check_value(bytes, start, self.program.max_depth, &mut self.scratch.open)?;
            let end = skip_blanks(bytes, end);
            if end != bytes.len() {
                return fail(Reason::TrailingBytes, end);
            }
        }
        self.scratch.positions.clear();
        self.scratch.entries.clear();
        self.scratch.keys.clear();
        let end = self.object(0, start, row)?;
        let end = skip_blanks(bytes, end);
        if end != bytes.len() { fail(Reason::TrailingBytes, end) } else { Ok(()) }
    }

    /// Reads the object at `at`; gives the byte behind it.
    fn object(&mut self, id: ObjectId, at: usize, row: usize) -> Outcome<usize> {
        let program = self.program;
        let object = &program.objects[id as usize];
        match self.bytes.get(at) {
            Some(b'{') => {}
            Some(&byte @ (b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9')) => {
                return fail(Reason::WrongType { expected: object.kind.clone(), found: JsonType::of(byte) }, at);
            }
            _ => return unexpected(self.bytes, at, "a value"),
        }
        let base = self.scratch.positions.len();
        self.scratch.positions.resize(base + object.fields.len(), ABSENT);
        let close = self.index(id, at, base)?;
        for (index, field) in object.fields.iter().enumerate() {
            let at = self.scratch.positions[base + index];
            self.field(field, at, close, row).map_err(|failure| failure.in_field(&field.name))?;
        }
        for &column in &object.columns {
            self.columns.set_valid(column, row);
        }
        self.scratch.positions.truncate(base);
        Ok(close + 1)
    }

    /// Notes where the last value of each wanted key of the object at `at` stands; gives the closing brace.
    fn index(&mut self, id: ObjectId, at: usize, base: usize) -> Outcome<usize> {
        let bytes = self.bytes;
        let mut at = skip_blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at);
        }
        loop {
            if bytes.get(at) != Some(&b'"') {
                return unexpected(bytes, at, "a key");
            }
            let key_end = skip_string(bytes, at)?;
            let field = self.find(id, at, key_end)?;
            at = expect(bytes, skip_blanks(bytes, key_end), b':', "`:`")?;
            at = skip_blanks(bytes, at);
            if let Some(field) = field {
                self.scratch.positions[base + field] = at;
            }
            at = skip_blanks(bytes, skip_outline(bytes, at)?);
            match bytes.get(at) {
                Some(b',') => at = skip_blanks(bytes, at + 1),
                Some(b'}') => return Ok(at),
                _ => return unexpected(bytes, at, "`,` or `}`"),
            }
        }
    }

    /// The wanted field with the key that stands from `at` to `end`, quotes included.
    fn find(&mut self, id: ObjectId, at: usize, end: usize) -> Outcome<Option<usize>> {
        let raw = &self.bytes[at + 1..end - 1];
        let fields = &self.program.objects[id as usize].fields;
        if raw.contains(&b'\\') {
            value::unescape(self.bytes, at, &mut self.scratch.text)?;
            Ok(fields.iter().position(|field| *field.key == *self.scratch.text))
        } else {
            Ok(fields.iter().position(|field| *field.key == *raw))
        }
    }

    /// Reads the field whose value stands at `at`, in an object that closes at `close`.
    fn field(&mut self, field: &Field, at: usize, close: usize, row: usize) -> Outcome<()> {
        if at == ABSENT {
            return if self.absent_field(field, row) { Ok(()) } else { fail(Reason::Missing, close) };
        }
        if self.is_null(at)? {
            if !field.nullable {
                return fail(Reason::Null { expected: field.kind.clone() }, at);
            }
            self.null_field(field, row);
            return Ok(());
        }
        for &column in &field.presence {
            self.columns.put_bool(column, row, true);
        }
        for leaf in &field.leaves {
            self.value(&leaf.reader, leaf.column, at, row)?;
        }
        if let Some(object) = field.object {
            self.object(object, at, row)?;
        }
        Ok(())
    }

    /// Writes what an absent field becomes; false where it may not be absent.
    pub(crate) fn absent_field(&mut self, field: &Field, row: usize) -> bool {
        match &field.default {
            Some(default) => self.default(field, default, row),
            None if field.nullable => self.null_field(field, row),
            None => return false,
        }
        true
    }

    /// Writes null everywhere the field goes.
    pub(crate) fn null_field(&mut self, field: &Field, row: usize) {
        for &column in &field.presence {
            self.columns.put_bool(column, row, false);
        }
        for leaf in &field.leaves {
            self.columns.null_row(leaf.column, row);
        }
        if let Some(object) = field.object {
            let program = self.program;
            let object = &program.objects[object as usize];
            for &column in &object.columns {
                self.columns.null_row(column, row);
            }
            for field in &object.fields {
                self.null_field(field, row);
            }
        }
    }

    /// Writes the value everywhere the field goes.
    fn default(&mut self, field: &Field, value: &Value, row: usize) {
        if value.is_null() {
            return self.null_field(field, row);
        }
        for &column in &field.presence {
            self.columns.put_bool(column, row, true);
        }
        for leaf in &field.leaves {
            self.columns.put_value(leaf.column, row, value);
        }
        if let (Some(object), Value::Struct(values)) = (field.object, value) {
            let program = self.program;
            let object = &program.objects[object as usize];
            for &column in &object.columns {
                self.columns.set_valid(column, row);
            }
            for field in &object.fields {
                self.default(field, &values[field.index as usize], row);
            }
        }
    }
}
