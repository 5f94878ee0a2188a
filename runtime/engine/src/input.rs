//! A batch of messages with their envelopes, as a source hands it to the engine.
//!
//! Envelopes are kept by column, text in one buffer, so that a batch is filled without an allocation per message and its
//! columns are made only where a kernel reads them.
//!
//! This file must not know sources or kernels.

use std::ops::Range;

use chalk_decode::{BatchFull, MessageBatch, PaddedBytes};

/// What a message carries besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// The topic (of a file: the source's name).
    pub topic: &'a str,
    /// The partition (of a file: 0).
    pub partition: i64,
    /// The position in the partition (of a file: the line, from 0).
    pub offset: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// When the broker got it, microseconds since the epoch; none where the source has no clock.
    pub timestamp_us: Option<i64>,
    /// Headers in order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// A stretch of the batch's text buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextSpan {
    pub(crate) offset: u32,
    pub(crate) size_bytes: u32,
}

/// A line of a piece of bytes: where it lies there, and its offset in the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it starts in the piece.
    pub start: usize,
    /// Its bytes, without what ends it.
    pub size_bytes: usize,
    /// The position in the partition (of a file: the line, from 0).
    pub offset: i64,
}

/// Messages and their envelopes.
#[derive(Default)]
pub struct InputBatch {
    messages: MessageBatch,
    text: Vec<u8>,
    topics: Vec<TextSpan>,
    partitions: Vec<i64>,
    offsets: Vec<i64>,
    keys: Vec<Option<TextSpan>>,
    timestamps: Vec<Option<i64>>,
    headers: Vec<(TextSpan, TextSpan)>,
    /// Per message, where its headers end in `headers`.
    header_ends: Vec<u32>,
}

impl InputBatch {
    /// An empty batch.
    pub fn new() -> InputBatch {
        InputBatch::default()
    }

    /// Forgets all messages; memory is kept.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.text.clear();
        self.topics.clear();
        self.partitions.clear();
        self.offsets.clear();
        self.keys.clear();
        self.timestamps.clear();
        self.headers.clear();
        self.header_ends.clear();
    }

    /// Adds a message.
    pub fn push(&mut self, message: &[u8], envelope: &Envelope<'_>) -> Result<(), BatchFull> {
        self.messages.push(message)?;
        let topic = match self.topics.last() {
            Some(&last) if self.span(last) == envelope.topic.as_bytes() => last,
            _ => self.add_text(envelope.topic.as_bytes()),
        };
        self.topics.push(topic);
        self.partitions.push(envelope.partition);
        self.offsets.push(envelope.offset);
        let key = envelope.key.map(|key| self.add_text(key));
        self.keys.push(key);
        self.timestamps.push(envelope.timestamp_us);
        for (name, value) in envelope.headers {
            let header = (self.add_text(name.as_bytes()), self.add_text(value));
            self.headers.push(header);
        }
        self.header_ends.push(self.headers.len() as u32);
        Ok(())
    }

    /// Makes messages of that topic's partition 0, which carry nothing else, of lines of a piece of bytes. The batch is empty, and the piece is not
    /// copied: it is used where it lies until the batch is cleared.
    ///
    /// # Panics
    /// Where a line does not lie in the piece, or the batch is not empty.
    pub fn lend_lines(
        &mut self,
        bytes: &PaddedBytes,
        piece: Range<usize>,
        lines: &[Line],
        topic: &str,
    ) -> Result<(), BatchFull> {
        let size_bytes = piece.len();
        self.messages.lend(bytes, piece)?;
        for line in lines {
            let end = line.start.checked_add(line.size_bytes);
            assert!(end.is_some_and(|end| end <= size_bytes), "a line lies in its piece");
            self.messages.add_span(line.start, line.size_bytes);
        }
        self.offsets.extend(lines.iter().map(|line| line.offset));
        let messages = self.messages.len();
        let topic = self.add_text(topic.as_bytes());
        self.topics.resize(messages, topic);
        self.partitions.resize(messages, 0);
        self.keys.resize(messages, None);
        self.timestamps.resize(messages, None);
        self.header_ends.resize(messages, self.headers.len() as u32);
        Ok(())
    }

    fn add_text(&mut self, bytes: &[u8]) -> TextSpan {
        // Envelope text is bounded by the broker's message limit times the batch; a batch is cut long before 4 GiB.
        let offset = u32::try_from(self.text.len()).expect("envelopes of a batch stay below 4 GiB");
        self.text.extend_from_slice(bytes);
        TextSpan { offset, size_bytes: bytes.len() as u32 }
    }

    fn span(&self, span: TextSpan) -> &[u8] {
        &self.text[span.offset as usize..][..span.size_bytes as usize]
    }

    /// Messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of all messages.
    pub fn size_bytes(&self) -> usize {
        self.messages.bytes().len()
    }

    /// The messages' bytes.
    pub fn messages(&self) -> &MessageBatch {
        &self.messages
    }

    /// The bytes of a message.
    pub fn message(&self, row: usize) -> &[u8] {
        self.messages.message(row)
    }

    /// The topic of a message.
    pub fn topic(&self, row: usize) -> &str {
        std::str::from_utf8(self.span(self.topics[row])).expect("a topic was text when it was added")
    }

    /// The partition of a message.
    pub fn partition(&self, row: usize) -> i64 {
        self.partitions[row]
    }

    /// The position of a message in its partition.
    pub fn offset(&self, row: usize) -> i64 {
        self.offsets[row]
    }

    /// The key of a message.
    pub fn key(&self, row: usize) -> Option<&[u8]> {
        self.keys[row].map(|key| self.span(key))
    }

    /// The broker's time of a message.
    pub fn timestamp_us(&self, row: usize) -> Option<i64> {
        self.timestamps[row]
    }

    /// The value of a message's last header of that name.
    pub fn header(&self, row: usize, name: &str) -> Option<&[u8]> {
        let span = self.header_span(row, name.as_bytes())?;
        Some(self.span(span))
    }

    pub(crate) fn header_span(&self, row: usize, name: &[u8]) -> Option<TextSpan> {
        let start = if row == 0 { 0 } else { self.header_ends[row - 1] as usize };
        let headers = &self.headers[start..self.header_ends[row] as usize];
        headers.iter().rev().find(|(header, _)| self.span(*header) == name).map(|(_, value)| *value)
    }

    /// All headers of a message, in order.
    pub fn headers(&self, row: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let start = if row == 0 { 0 } else { self.header_ends[row - 1] as usize };
        self.headers[start..self.header_ends[row] as usize]
            .iter()
            .map(|(name, value)| (self.span(*name), self.span(*value)))
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn topic_span(&self, row: usize) -> TextSpan {
        self.topics[row]
    }

    pub(crate) fn key_span(&self, row: usize) -> Option<TextSpan> {
        self.keys[row]
    }

    pub(crate) fn partitions(&self) -> &[i64] {
        &self.partitions
    }

    pub(crate) fn offsets(&self) -> &[i64] {
        &self.offsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_at_once_are_lines_one_by_one() {
        let piece = b"{\"a\":1}\r\n\nsecond\nlast";
        let lines = [
            Line { start: 0, size_bytes: 7, offset: 40 },
            Line { start: 10, size_bytes: 6, offset: 42 },
            Line { start: 17, size_bytes: 4, offset: 43 },
        ];
        let (mut at_once, mut one_by_one) = (InputBatch::new(), InputBatch::new());
        for line in lines {
            let message = &piece[line.start..line.start + line.size_bytes];
            let envelope = Envelope { topic: "t", offset: line.offset, ..Envelope::default() };
            one_by_one.push(message, &envelope).unwrap();
        }
        let bytes = [&b"in front\n"[..], piece].concat();
        let bytes = PaddedBytes::new(bytes);
        // A batch that was used before is as a new one.
        for _ in 0..2 {
            at_once.clear();
            at_once.lend_lines(&bytes, 9..9 + piece.len(), &lines, "t").unwrap();
            assert_eq!(at_once.len(), 3);
            for row in 0..3 {
                assert_eq!(at_once.message(row), one_by_one.message(row));
                assert_eq!(at_once.topic(row), "t");
                assert_eq!(at_once.partition(row), 0);
                assert_eq!(at_once.offset(row), one_by_one.offset(row));
                assert_eq!(at_once.key(row), None);
                assert_eq!(at_once.timestamp_us(row), None);
                assert_eq!(at_once.header(row, "h"), None);
                assert_eq!(at_once.headers(row).count(), 0);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a line lies in its piece")]
    fn a_line_beyond_its_piece_is_refused() {
        let bytes = PaddedBytes::new(b"abcd".to_vec());
        let _ = InputBatch::new().lend_lines(&bytes, 0..3, &[Line { start: 2, size_bytes: 2, offset: 0 }], "t");
    }
}
