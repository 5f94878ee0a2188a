//! A batch of messages: their bytes one after the other in one padded buffer.
//!
//! The SIMD tiers read whole vectors and so touch bytes after a message's end; that those bytes exist is guaranteed here,
//! by type, and nowhere else. String columns point into this buffer, so it can be shared.
//!
//! This file must not know JSON.

use std::ops::Range;
use std::sync::Arc;

pub(crate) use crate::memory::PADDING_BYTES;
use crate::memory::{Block, PaddedBytes, SharedBytes};

/// Arrow views hold offsets as `i32`, so that a batch ends below 2 GiB.
const GREATEST_BATCH_BYTES: usize = i32::MAX as usize - PADDING_BYTES;

/// The batch cannot take a message of that size; decode and clear it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFull;

impl std::fmt::Display for BatchFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the batch is full: a batch holds less than 2 GiB")
    }
}

impl std::error::Error for BatchFull {}

/// Where a message lies.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) offset: u32,
    pub(crate) size_bytes: u32,
}

/// Messages that a decoder has before it: they lie in memory with `PADDING_BYTES` readable behind each.
#[derive(Clone, Copy)]
pub(crate) struct Messages<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) spans: &'a [Span],
    /// The data buffer of views that `bytes` is, or is part of, and where it begins there.
    pub(crate) buffer: u32,
    pub(crate) offset: u32,
    /// The row of the first one.
    pub(crate) row: usize,
}

impl<'a> Messages<'a> {
    /// The bytes of a message.
    #[inline(always)]
    pub(crate) fn message(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.bytes[span.offset as usize..][..span.size_bytes as usize]
    }

    /// Where it begins in the data buffer.
    #[inline(always)]
    pub(crate) fn offset(&self, index: usize) -> u32 {
        self.offset + self.spans[index].offset
    }
}

/// Messages in one padded buffer: the batch's own, which they were copied into, or one that was lent to it.
pub struct MessageBatch {
    block: Arc<Block>,
    /// What is used in place of the block.
    lent: Option<(PaddedBytes, Range<usize>)>,
    used_bytes: usize,
    spans: Vec<Span>,
}

impl Default for MessageBatch {
    fn default() -> Self {
        MessageBatch::new()
    }
}

impl MessageBatch {
    /// An empty batch.
    pub fn new() -> MessageBatch {
        MessageBatch { block: Block::new(64 << 10), lent: None, used_bytes: 0, spans: Vec::new() }
    }

    /// Forgets all messages; the memory is kept, unless somebody holds it.
    pub fn clear(&mut self) {
        if Arc::get_mut(&mut self.block).is_none() {
            self.block = Block::new(self.block.size_bytes());
        }
        self.lent = None;
        self.used_bytes = 0;
        self.spans.clear();
    }

    /// Adds a message.
    pub fn push(&mut self, message: &[u8]) -> Result<(), BatchFull> {
        let offset = self.append(message)?;
        self.add_span(offset, message.len());
        Ok(())
    }

    /// Uses a part of somebody's bytes in place of a copy, until `clear`; `add_span` makes messages of them, whose offsets are those in the part.
    ///
    /// # Panics
    /// Where the batch is not empty, or has less than the part.
    pub fn lend(&mut self, bytes: &PaddedBytes, part: Range<usize>) -> Result<(), BatchFull> {
        assert!(self.used_bytes == 0 && part.start <= part.end && part.end <= bytes.len(), "a part for an empty batch");
        if part.len() > GREATEST_BATCH_BYTES {
            return Err(BatchFull);
        }
        self.used_bytes = part.len();
        self.lent = Some((bytes.clone(), part));
        Ok(())
    }

    /// Adds bytes that are no message yet (a piece of a file), and says where they start; `add_span` makes messages of them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, BatchFull> {
        let offset = self.used_bytes;
        if bytes.len() > GREATEST_BATCH_BYTES - offset {
            return Err(BatchFull);
        }
        if let Some((lent, part)) = self.lent.take() {
            self.used_bytes = 0;
            self.append(&lent[part])?;
        }
        let needed = offset + bytes.len() + PADDING_BYTES;
        if needed > self.block.size_bytes() {
            let block = Block::new(needed.max(self.block.size_bytes() * 2).min(GREATEST_BATCH_BYTES + PADDING_BYTES));
            // SAFETY: the new block is larger than `used_bytes`, and distinct.
            unsafe { std::ptr::copy_nonoverlapping(self.block.start(), block.start(), offset) };
            self.block = block;
        }
        // SAFETY: room was made; bytes from `used_bytes` on are in no `SharedBytes` of this block.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.block.start().add(offset), bytes.len()) };
        self.used_bytes += bytes.len();
        Ok(offset)
    }

    /// Makes a message of bytes that were appended.
    ///
    /// # Panics
    /// Where the bytes are not in the batch.
    pub fn add_span(&mut self, offset: usize, size_bytes: usize) {
        assert!(offset <= self.used_bytes && size_bytes <= self.used_bytes - offset, "a message lies in its batch");
        self.spans.push(Span { offset: offset as u32, size_bytes: size_bytes as u32 });
    }

    /// Messages.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The bytes of a message.
    pub fn message(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.bytes()[span.offset as usize..][..span.size_bytes as usize]
    }

    /// All messages; the first one goes to row 0.
    pub(crate) fn messages(&self) -> Messages<'_> {
        Messages { bytes: self.bytes(), spans: &self.spans, buffer: 0, offset: 0, row: 0 }
    }

    /// Where a message starts in the buffer.
    pub fn offset(&self, index: usize) -> usize {
        self.spans[index].offset as usize
    }

    /// All bytes: data buffer 0 of the string columns decoded from this batch.
    pub fn bytes(&self) -> &[u8] {
        match &self.lent {
            // More is readable behind, in the bytes or their padding.
            Some((lent, part)) => &lent[part.clone()],
            // SAFETY: inside the block and initialised; `&self` keeps writers away.
            None => unsafe { std::slice::from_raw_parts(self.block.start(), self.used_bytes) },
        }
    }

    /// All bytes, to keep beyond the next `clear`.
    pub fn share(&self) -> SharedBytes {
        match &self.lent {
            Some((lent, part)) => SharedBytes::part(lent, part.clone()),
            None => SharedBytes::new(&self.block, self.used_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_growth_and_a_shared_buffer_survives_a_clear() {
        let mut batch = MessageBatch::new();
        for index in 0..10_000 {
            batch.push(format!("message {index}").as_bytes()).unwrap();
        }
        assert_eq!(batch.message(0), b"message 0");
        assert_eq!(batch.message(9_999), b"message 9999");
        let kept = batch.share();
        batch.clear();
        batch.push(b"another").unwrap();
        assert_eq!(&kept[..9], b"message 0");
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn what_is_lent_is_not_copied_unless_more_comes() {
        let bytes = PaddedBytes::new(b"one\ntwo\nthree\n".to_vec());
        let mut batch = MessageBatch::new();
        batch.push(b"before").unwrap();
        batch.clear();
        batch.lend(&bytes, 4..13).unwrap();
        batch.add_span(0, 3);
        batch.add_span(4, 5);
        assert_eq!((batch.message(0), batch.message(1)), (&b"two"[..], &b"three"[..]));
        assert_eq!(batch.bytes().as_ptr(), bytes[4..].as_ptr());
        let kept = batch.share();
        assert_eq!(kept.as_ptr(), bytes[4..].as_ptr());
        batch.push(b"four").unwrap();
        assert_eq!((batch.message(1), batch.message(2)), (&b"three"[..], &b"four"[..]));
        batch.clear();
        drop(bytes);
        assert_eq!(&kept[..], b"two\nthree");
    }

    #[test]
    fn spans_of_appended_bytes_are_messages() {
        let mut batch = MessageBatch::new();
        let at = batch.append(b"{}\n[]\n").unwrap();
        batch.add_span(at, 2);
        batch.add_span(at + 3, 2);
        assert_eq!(batch.message(1), b"[]");
    }
}
