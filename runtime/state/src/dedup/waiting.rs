//! Keys of a dedup set that are remembered already and get their slots together: moving another key out of a full line is a cache miss or two,
//! and waiting for those of several keys at once costs as much as for one.
//!
//! This file must not know lines.

use super::lines::Stored;

/// How many wait at most.
const MOST: usize = 8;

/// A few keys with their times.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    keys: [(Stored, u64); MOST],
    len: usize,
    /// A bit by the head of each key: most look-ups ask no further.
    filter: u64,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn keys(&self) -> &[(Stored, u64)] {
        &self.keys[..self.len]
    }

    /// Whether the key waits with a time that is as asked.
    #[inline(always)]
    pub(super) fn has(&self, stored: Stored, is_wanted: impl Fn(u64) -> bool) -> bool {
        self.filter & bit(stored) != 0
            && self.keys().iter().any(|(waiting, time)| *waiting == stored && is_wanted(*time))
    }

    /// Adds a key. Whether there is no room for another one.
    #[inline(always)]
    pub(super) fn put(&mut self, stored: Stored, time: u64) -> bool {
        self.keys[self.len] = (stored, time);
        self.len += 1;
        self.filter |= bit(stored);
        self.len == MOST
    }
}

#[inline(always)]
fn bit(stored: Stored) -> u64 {
    1 << (stored.head >> 58)
}
