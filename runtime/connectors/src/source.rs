//! What a source is to the runtime: readers that hand over messages with their envelope and the position after them.
//!
//! Messages are lent, not given: a sink copies what it keeps, so a reader can pass on memory of its client or its own
//! buffer. A position is opaque to the runtime, which stores it with the effects of the messages before it and gives it
//! back on the next start.
//!
//! This file must not know any system.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where a reader goes on: everything before it has been handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Offset of the next message: Kafka's offset, or the number of the next line, from 0.
    pub offset: i64,
    /// Where that message starts, in bytes, for systems that can seek to it (files).
    pub byte_offset: u64,
}

/// A message's envelope, as `envelope.*` and `header(…)` see it.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The topic, or the file's path.
    pub topic: &'a str,
    /// The partition; 0 for a file.
    pub partition: i32,
    /// The offset, or the line's number from 0.
    pub offset: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// Microseconds since the Unix epoch.
    pub timestamp_us: Option<i64>,
    /// The headers in the order of the wire.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Who takes messages.
pub trait MessageSink {
    /// Takes a message; `next` is the position after it. `problem` is set where the message could not be read as a
    /// whole: it must not be computed, only reported.
    fn message(&mut self, value: &[u8], envelope: &Envelope<'_>, next: Position, problem: Option<&str>);

    /// Something a person should know: a broker is down, a topic is missing. Reading goes on.
    fn warning(&mut self, text: &str);
}

/// What a poll came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// That many messages were handed over; 0 = none came in time.
    Messages(usize),
    /// These partitions are being taken away: commit what was handed over, then call `release`.
    Revoking(Vec<i32>),
    /// There is no more, and there will not be.
    End,
}

/// One reader of a source; it belongs to one worker.
pub trait SourceReader: Send {
    /// Hands over up to `max_messages`. It waits up to `wait` for the first, then takes what comes within `latency`.
    fn poll(
        &mut self,
        max_messages: usize,
        wait: Duration,
        latency: Duration,
        sink: &mut dyn MessageSink,
    ) -> Result<Polled, SourceError>;

    /// Answers `Polled::Revoking`: everything handed over is committed.
    fn release(&mut self) {}

    /// Everything before these positions is committed. Brokers are told, for people who watch the lag.
    fn committed(&mut self, positions: &[(i32, Position)]);

    /// Per partition of this reader the offset after the last message there is, as last known; for the lag.
    fn ends(&self) -> Vec<(i32, i64)> {
        Vec::new()
    }
}

/// Asks the store where a partition goes on; `None` = it was never read.
pub type StartPositions = Arc<dyn Fn(i32) -> Option<Position> + Send + Sync>;

/// Told which partitions this process reads from now on, before a message of any of them is handed over: the time of a source goes on with the
/// slowest of them, also with one that no message has come from.
pub type Assigned = Arc<dyn Fn(&[i32]) + Send + Sync>;

/// Why a source cannot be opened or read on; a sentence for the person who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError(pub String);

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SourceError {}
