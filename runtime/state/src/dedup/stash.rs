//! The stash of a dedup set: the few keys that found no slot in their lines.
//!
//! Almost every look-up asks it and almost none finds anything, so a filter of a few hundred bytes answers first.
//!
//! This file must not know lines.

use std::collections::HashMap;

use super::lines::{Stored, View};

/// Words of the filter: enough for a few hundred keys.
const FILTER_WORDS: usize = 64;

/// Keys with their times.
#[derive(Debug, Default)]
pub(super) struct Stash {
    times: HashMap<Stored, Vec<u64>>,
    /// Times.
    len: usize,
    /// A bit by the head of each key.
    filter: Option<Box<[u64; FILTER_WORDS]>>,
}

#[inline(always)]
fn place(stored: Stored) -> (usize, u64) {
    let bit = (stored.head >> 20) as usize % (FILTER_WORDS * 64);
    (bit / 64, 1 << (bit % 64))
}

impl Stash {
    /// How many times of keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether the key is there with a time that is as asked.
    #[inline(always)]
    pub(super) fn has(&self, stored: Stored, is_wanted: impl Fn(u64) -> bool) -> bool {
        let Some(filter) = &self.filter else { return false };
        let (word, bit) = place(stored);
        filter[word] & bit != 0
            && self.times.get(&stored).is_some_and(|times| times.iter().any(|time| is_wanted(*time)))
    }

    pub(super) fn put(&mut self, stored: Stored, time: u64) {
        let (word, bit) = place(stored);
        self.filter.get_or_insert_with(|| Box::new([0; FILTER_WORDS]))[word] |= bit;
        self.times.entry(stored).or_default().push(time);
        self.len += 1;
    }

    /// Takes the keys that are remembered out of it, and forgets the others.
    pub(super) fn take(&mut self, view: &View) -> Vec<(Stored, u64)> {
        let all = std::mem::take(self).times.into_iter();
        let all = all.flat_map(|(stored, times)| times.into_iter().map(move |time| (stored, time)));
        all.filter(|(_, time)| view.is_live(*time)).collect()
    }

    /// Forgets the times that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        if self.len == 0 {
            return;
        }
        self.times.retain(|_, times| {
            times.retain(|time| keep(*time));
            !times.is_empty()
        });
        self.len = self.times.values().map(Vec::len).sum();
        self.filter = None;
        if self.len == 0 {
            self.times = HashMap::new();
            return;
        }
        let mut filter = Box::new([0; FILTER_WORDS]);
        for stored in self.times.keys() {
            let (word, bit) = place(*stored);
            filter[word] |= bit;
        }
        self.filter = Some(filter);
    }

    /// How many of them are remembered.
    pub(super) fn count(&self, view: &View) -> usize {
        self.times.values().flatten().filter(|time| view.is_live(**time)).count()
    }

    pub(super) fn size_bytes(&self) -> usize {
        let filter = if self.filter.is_some() { FILTER_WORDS * 8 } else { 0 };
        filter + self.times.capacity() * size_of::<(Stored, Vec<u64>)>() + self.len * size_of::<u64>()
    }
}
