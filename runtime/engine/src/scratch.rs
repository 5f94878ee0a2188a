//! Input columns that are not decoded: the message as a whole and the parts of its envelope, built for the kernels that read them.
//!
//! The memory is kept from batch to batch.
//!
//! This file must not know what kernels do with them.

use chalk_artifact::abi::ColumnView;
use chalk_artifact::manifest::KernelInput;

use crate::input::{InputBatch, TextSpan};

/// One column of the envelope, rebuilt per batch.
#[derive(Default)]
pub(crate) struct ScratchColumn {
    words: Vec<i64>,
    views: Vec<u128>,
    validity: Vec<u8>,
    buffer: [usize; 1],
}

/// The 16-byte view of a text in data buffer 0 (Arrow's layout of views).
fn make_view(bytes: &[u8], offset: usize) -> u128 {
    let size_bytes = bytes.len();
    let mut view = [0u8; 16];
    view[..4].copy_from_slice(&(size_bytes as u32).to_le_bytes());
    if size_bytes <= 12 {
        view[4..4 + size_bytes].copy_from_slice(bytes);
    } else {
        view[4..8].copy_from_slice(&bytes[..4]);
        view[12..].copy_from_slice(&(offset as u32).to_le_bytes());
    }
    u128::from_le_bytes(view)
}

impl ScratchColumn {
    /// Fills the column for `input` from the batch.
    ///
    /// # Panics
    /// If the input is not of the envelope or the message.
    pub(crate) fn fill(&mut self, input: &KernelInput, batch: &InputBatch) {
        let rows = batch.len();
        self.words.clear();
        self.views.clear();
        self.validity.clear();
        match input {
            KernelInput::Partition => self.words.extend_from_slice(batch.partitions()),
            KernelInput::Offset => self.words.extend_from_slice(batch.offsets()),
            KernelInput::Timestamp => {
                self.all_valid(rows);
                for row in 0..rows {
                    self.words.push(batch.timestamp_us(row).unwrap_or_else(|| {
                        self.validity[row / 8] &= !(1 << (row % 8));
                        0
                    }));
                }
            }
            KernelInput::Message => {
                self.buffer[0] = batch.messages().bytes().as_ptr() as usize;
                for row in 0..rows {
                    self.views.push(make_view(batch.message(row), batch.messages().offset(row)));
                }
            }
            KernelInput::Topic => self.fill_text(batch, |row| Some(batch.topic_span(row))),
            KernelInput::Key => self.fill_text(batch, |row| batch.key_span(row)),
            KernelInput::Header(name) => self.fill_text(batch, |row| batch.header_span(row, name.as_bytes())),
            KernelInput::Decoded(_) | KernelInput::Feature(_) | KernelInput::Aggregate(_) | KernelInput::Linked(_) => {
                unreachable!("not of the envelope")
            }
        }
    }

    fn all_valid(&mut self, rows: usize) {
        self.validity.resize(rows.div_ceil(8), 0xff);
    }

    fn fill_text(&mut self, batch: &InputBatch, span_of: impl Fn(usize) -> Option<TextSpan>) {
        let rows = batch.len();
        let text = batch.text();
        self.buffer[0] = text.as_ptr() as usize;
        self.all_valid(rows);
        for row in 0..rows {
            match span_of(row) {
                Some(span) => {
                    let offset = span.offset as usize;
                    self.views.push(make_view(&text[offset..offset + span.size_bytes as usize], offset));
                }
                None => {
                    self.validity[row / 8] &= !(1 << (row % 8));
                    self.views.push(0);
                }
            }
        }
    }

    /// The column as kernels see it; valid until the next `fill`.
    pub(crate) fn view(&self, rows: usize) -> ColumnView {
        ColumnView {
            data: if self.views.is_empty() { self.words.as_ptr().cast() } else { self.views.as_ptr().cast() },
            validity: if self.validity.is_empty() { std::ptr::null() } else { self.validity.as_ptr() },
            buffers: self.buffer.as_ptr().cast(),
            children: std::ptr::null(),
            len: rows as u64,
        }
    }
}
