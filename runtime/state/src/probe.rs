//! Which rows of a part find their entries as entries mostly are.
//!
//! Loops of their own, with all that they need in registers: this is what every row passes through, and half of what an update of a small table
//! costs.
//!
//! This file must not know buckets, or what becomes of the rows that find theirs otherwise.

use crate::group::Target;
use crate::index::Guesses;
use crate::keyed::{FLAGS, KEY, STAMP};
use crate::slab::Slab;

/// No number of an entry.
pub(crate) const NONE: u32 = u32::MAX;

/// The stamp among flags.
#[inline(always)]
pub(crate) fn stamp_of(flags: u64) -> u32 {
    (flags >> STAMP) as u32
}

/// The entries that keys of rows are most probably.
#[derive(Default)]
pub(crate) struct Guessed {
    /// Their numbers; `NONE` where there is none.
    pub(crate) ids: Vec<u32>,
    /// Where their first words are; where there is none, `nobody`.
    pub(crate) entries: Vec<Target>,
    /// The words of an entry that is none: no flags.
    nobody: Vec<u64>,
}

impl Guessed {
    /// For entries of so many first words.
    pub(crate) fn new(near: usize) -> Guessed {
        Guessed { nobody: vec![0; near], ..Guessed::default() }
    }

    /// Room for so many rows.
    fn resize(&mut self, rows: usize) -> Target {
        let nobody = Target(self.nobody.as_mut_ptr());
        self.ids.resize(rows, NONE);
        self.entries.resize(rows, nobody);
        nobody
    }

    /// Guesses the entries of keys; `each` sees which they are, and where their first words are.
    #[inline(always)]
    pub(crate) fn guess(&mut self, guesses: Guesses<'_>, slab: &Slab, hashes: &[u64], each: impl Fn(u32, *mut u64)) {
        let nobody = self.resize(hashes.len());
        for ((hash, id), entry) in hashes.iter().zip(&mut self.ids).zip(&mut self.entries) {
            (*id, *entry) = (NONE, nobody);
            if let Some(guess) = guesses.of(*hash) {
                (*id, *entry) = (guess, Target(slab.at(guess)));
                each(guess, entry.0);
            }
        }
    }

    /// Lists the rows whose entries are not stamped or are of another key, which `is_it` tells of a row and the entry's word. Gives how many.
    ///
    /// # Safety
    /// Nobody else changes the entries meanwhile.
    pub(crate) unsafe fn mark(&self, stamp: u32, is_it: impl Fn(usize, u64) -> bool, others: &mut [u32]) -> usize {
        let mut count = 0;
        for (position, entry) in self.entries.iter().enumerate() {
            // SAFETY: addresses are of initialised words of entries or of `nobody`, which the caller says are still.
            let (word, flags) = unsafe { (*entry.0.add(KEY), *entry.0.add(FLAGS)) };
            others[count] = position as u32;
            count += usize::from(stamp_of(flags) != stamp || !is_it(position, word));
        }
        count
    }

    /// `guess` and `mark` at once, of keys that are words, in a table of one piece.
    ///
    /// # Safety
    /// As `mark`.
    #[inline(never)]
    pub(crate) unsafe fn probe(
        &mut self,
        guesses: Guesses<'_>,
        slab: &Slab,
        stamp: u32,
        (hashes, keys): (&[u64], &[u64]),
        others: &mut [u32],
    ) -> usize {
        self.resize(hashes.len());
        let (start, stride) = (slab.start(), slab.words().near);
        let mut count = 0;
        let rows = hashes.iter().zip(keys).zip(&mut self.entries).enumerate();
        for (position, ((hash, key), place)) in rows {
            // SAFETY: as in `mark`; the slab has one piece, so all of its entries are behind its start.
            let is_it = |entry: *mut u64| unsafe { *entry.add(KEY) == *key && stamp_of(*entry.add(FLAGS)) == stamp };
            let entry = start.wrapping_add(guesses.of_any(*hash) as usize * stride);
            *place = Target(entry);
            if is_it(entry) {
                continue;
            }
            // Some keys share their tag with another one of their line.
            let mut others_of_line = guesses.all_of(*hash).map(|id| start.wrapping_add(id as usize * stride));
            if let Some(entry) = others_of_line.find(|entry| is_it(*entry)) {
                *place = Target(entry);
                continue;
            }
            others[count] = position as u32;
            count += 1;
        }
        // Numbers are for those that are looked at again.
        for position in &others[..count] {
            let position = *position as usize;
            self.ids[position] = guesses.of(hashes[position]).unwrap_or(NONE);
        }
        count
    }
}
