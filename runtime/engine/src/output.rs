//! What kernels write: one buffer per output, dense in applied rows, handed to Arrow without a copy.
//!
//! A kernel writes a validity and a bool as one byte, because that is one store; they are packed to bits here, eight at a time. Text longer than a
//! view's 12 inline bytes is copied once into a buffer that all text outputs of the batch share, so that a batch that is kept does not keep the
//! messages it came from.
//!
//! This file must not know messages.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, BooleanArray, StringViewArray};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use chalk_artifact::abi::{OutputView, Slot};
use chalk_catalog::ColumnBuilder;
use chalk_types::{Kind, Type};

use crate::arrow_out::{fixed_array, fixed_width, to_array};

/// A text buffer is closed at this size, because a view's offset has 31 bits.
const TEXT_BUFFER_BYTES: usize = 1 << 30;

/// One output of a kernel.
pub(crate) struct OutputColumn {
    ty: Type,
    data: Data,
    validity: Vec<u8>,
}

enum Data {
    /// Bytes per value and the values.
    Fixed(usize, MutableBuffer),
    /// One byte per row.
    Bool(Vec<u8>),
    /// Views; `true` for text.
    View(Vec<u128>, bool),
    /// Lists, maps, vectors, messages: appended by `rt.emit`.
    Nested(ColumnBuilder),
}

/// What a kernel wrote into an output.
pub(crate) enum OutputValues<'a> {
    /// Values of the type's width.
    Fixed(&'a [u8]),
    /// A byte per row.
    Bool(&'a [u8]),
    /// Views of texts, whose bytes `TextBuffers::append_text` finds.
    Views(&'a [u128]),
    /// Values with parts.
    Nested,
}

impl OutputColumn {
    pub(crate) fn new(ty: &Type) -> OutputColumn {
        let data = match &ty.kind {
            Kind::Bool => Data::Bool(Vec::new()),
            Kind::String => Data::View(Vec::new(), true),
            Kind::Bytes => Data::View(Vec::new(), false),
            kind => match fixed_width(kind) {
                Some(width) => Data::Fixed(width, MutableBuffer::new(0)),
                None => Data::Nested(ColumnBuilder::new(ty)),
            },
        };
        OutputColumn { ty: ty.clone(), data, validity: Vec::new() }
    }

    /// Makes room for `rows` rows and says where they go; valid until the next call.
    pub(crate) fn prepare(&mut self, rows: usize) -> OutputView {
        let data = match &mut self.data {
            Data::Fixed(width, buffer) => {
                buffer.resize(rows * *width, 0);
                buffer.as_mut_ptr()
            }
            Data::Bool(bytes) => {
                bytes.resize(rows, 0);
                bytes.as_mut_ptr()
            }
            Data::View(views, _) => {
                views.resize(rows, 0);
                views.as_mut_ptr().cast()
            }
            Data::Nested(column) => {
                column.clear();
                std::ptr::null_mut()
            }
        };
        let validity = if self.ty.nullable && !matches!(self.data, Data::Nested(_)) {
            self.validity.resize(rows, 0);
            self.validity.as_mut_ptr()
        } else {
            std::ptr::null_mut()
        };
        OutputView { data, validity }
    }

    /// Writes row `row` of a nested output, dropping what a failed row left from there on.
    ///
    /// # Safety
    /// The slot holds a value of the output's type, alive.
    pub(crate) unsafe fn emit(&mut self, row: usize, slot: &Slot) {
        let Data::Nested(column) = &mut self.data else { unreachable!("only nested outputs are emitted") };
        column.truncate(row);
        // SAFETY: the caller's promise.
        unsafe { column.push_slot(slot) };
    }

    /// Of a column that may hold nulls: a byte per row of the first `rows`, 1 = not null. Not of values with parts.
    pub(crate) fn valid_bytes(&self, rows: usize) -> Option<&[u8]> {
        (self.ty.nullable && !matches!(self.data, Data::Nested(_))).then(|| &self.validity[..rows])
    }

    /// What the kernel wrote.
    pub(crate) fn values(&self) -> OutputValues<'_> {
        match &self.data {
            Data::Fixed(_, buffer) => OutputValues::Fixed(buffer),
            Data::Bool(bytes) => OutputValues::Bool(bytes),
            Data::View(views, _) => OutputValues::Views(views),
            Data::Nested(_) => OutputValues::Nested,
        }
    }

    /// The first `rows` rows as an Arrow array; `texts` are the buffers that long views point into.
    pub(crate) fn finish(&mut self, rows: usize, texts: &Arc<[Buffer]>) -> ArrayRef {
        let nulls = (!self.validity.is_empty() && self.ty.nullable)
            .then(|| NullBuffer::new(pack_bits(&self.validity[..rows])))
            .filter(|nulls| nulls.null_count() != 0);
        match &mut self.data {
            Data::Fixed(width, buffer) => {
                let mut values = std::mem::replace(buffer, MutableBuffer::new(0));
                values.truncate(rows * *width);
                fixed_array(&self.ty.kind, rows, values.into(), nulls)
            }
            Data::Bool(bytes) => Arc::new(BooleanArray::new(pack_bits(&bytes[..rows]), nulls)),
            Data::View(views, is_text) => {
                let mut views = std::mem::take(views);
                views.truncate(rows);
                if let Some(nulls) = &nulls {
                    // What a kernel left in a null row is no view.
                    for (row, view) in views.iter_mut().enumerate() {
                        if nulls.is_null(row) {
                            *view = 0;
                        }
                    }
                }
                let views = ScalarBuffer::from(views);
                // SAFETY: every view was written by a kernel: inline, or by `TextBuffers::view` over a buffer of `texts`; text that
                // kernels handle is UTF-8 from the decoder or from library functions.
                unsafe {
                    if *is_text {
                        Arc::new(StringViewArray::new_unchecked(views, Arc::clone(texts), nulls))
                    } else {
                        Arc::new(BinaryViewArray::new_unchecked(views, Arc::clone(texts), nulls))
                    }
                }
            }
            Data::Nested(column) => {
                column.truncate(rows);
                let views = column.views();
                // SAFETY: the column was made with this type and has `rows` rows.
                unsafe { to_array(views.root(), &self.ty, 0..rows) }
            }
        }
    }
}

/// Packs bytes that are 0 or 1 into bits.
fn pack_bits(bytes: &[u8]) -> BooleanBuffer {
    let mut bits = Vec::with_capacity(bytes.len().div_ceil(8));
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        // Each byte's low bit moves to its place in the top byte of the product.
        bits.push((u64::from_le_bytes(*chunk).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8);
    }
    if !rest.is_empty() {
        bits.push(rest.iter().enumerate().fold(0, |byte, (position, bit)| byte | bit << position));
    }
    BooleanBuffer::new(bits.into(), 0, bytes.len())
}

/// The text of one batch's outputs that does not fit into views.
#[derive(Default)]
pub(crate) struct TextBuffers {
    closed: Vec<Vec<u8>>,
    open: Vec<u8>,
    /// Bytes of the last batch: what the next one reserves.
    last_size_bytes: usize,
}

impl TextBuffers {
    /// Copies a text and gives its 16-byte view.
    pub(crate) fn view(&mut self, text: &[u8]) -> u128 {
        if self.open.len() + text.len() > TEXT_BUFFER_BYTES {
            self.closed.push(std::mem::take(&mut self.open));
        }
        if self.open.capacity() == 0 {
            self.open.reserve(self.last_size_bytes);
        }
        let size = text.len() as u128;
        let Some(prefix) = text.first_chunk::<4>().filter(|_| text.len() > 12) else {
            let mut inline = [0u8; 16];
            inline[4..4 + text.len()].copy_from_slice(text);
            return u128::from_le_bytes(inline) | size;
        };
        // Put together in registers: a read of what was just written in smaller pieces waits for them.
        let buffer = self.closed.len() as u128;
        let view =
            size | u128::from(u32::from_le_bytes(*prefix)) << 32 | buffer << 64 | (self.open.len() as u128) << 96;
        append(&mut self.open, text);
        view
    }

    /// Appends the bytes of a view of this batch.
    pub(crate) fn append_text(&self, view: u128, into: &mut Vec<u8>) {
        let view = view.to_le_bytes();
        let word = |at: usize| u32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]) as usize;
        let size = word(0);
        if size <= 12 {
            into.extend_from_slice(&view[4..4 + size]);
        } else {
            let buffer = self.closed.get(word(8)).unwrap_or(&self.open);
            into.extend_from_slice(&buffer[word(12)..word(12) + size]);
        }
    }

    /// The buffers as Arrow's; a new batch begins.
    pub(crate) fn finish(&mut self) -> Arc<[Buffer]> {
        if self.open.is_empty() && self.closed.is_empty() {
            return Arc::new([]);
        }
        self.last_size_bytes = self.open.len();
        self.closed.push(std::mem::take(&mut self.open));
        self.closed.drain(..).map(Buffer::from_vec).collect()
    }
}

/// Appends a text. Most are short: two copies of 16 bytes, the second over the end of the first, cost less than a call.
#[inline]
fn append(into: &mut Vec<u8>, text: &[u8]) {
    match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        (Some(first), Some(last)) if text.len() <= 32 => {
            let end = into.len() + text.len();
            into.extend_from_slice(first);
            into.extend_from_slice(last);
            into[end - 16..end].copy_from_slice(last);
            into.truncate(end);
        }
        _ => into.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_appended() {
        let text: Vec<u8> = (0..70).collect();
        let (mut got, mut expected) = (Vec::new(), Vec::new());
        for size in 0..=text.len() {
            append(&mut got, &text[..size]);
            expected.extend_from_slice(&text[..size]);
            assert_eq!(got, expected, "{size} bytes");
        }
    }

    #[test]
    fn bytes_are_packed_in_order() {
        let bytes: Vec<u8> = (0..29).map(|row| u8::from(row % 3 == 0)).collect();
        let bits = pack_bits(&bytes);
        assert_eq!(bits.len(), 29);
        for row in 0..29 {
            assert_eq!(bits.value(row), row % 3 == 0, "row {row}");
        }
    }
}
