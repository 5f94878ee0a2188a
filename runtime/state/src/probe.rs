//! Which rows of a part find their entries as entries mostly are.
//!
//! Loops of their own, with all that they need in registers: this is what every row passes through, and half of what an update of a small table
//! costs.
//!
//! This file must not know buckets, or what becomes of the rows that find theirs otherwise.

use crate::group::Target;
use crate::index::{Guesses, Index};
use crate::keyed::{FLAGS, KEY, STAMP};
use crate::pages::prefetch;
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

    /// `guess` and `mark` at once, of keys that are words, in a table of one piece. Numbers are given for those that are marked.
    ///
    /// # Safety
    /// As `mark`.
    #[inline(never)]
    pub(crate) unsafe fn probe(
        &mut self,
        index: &Index,
        slab: &Slab,
        stamp: u32,
        (hashes, keys): (&[u64], &[u64]),
        others: &mut [u32],
    ) -> usize {
        self.resize(hashes.len());
        let (guesses, start, stride) = (index.guesses(), slab.start(), slab.words().near);
        let at = |id: u32| start.wrapping_add(id as usize * stride);
        // SAFETY: as in `mark`; the slab has one piece, so all of its entries are behind its start.
        let is_it =
            |entry: *mut u64, key: u64| unsafe { *entry.add(KEY) == key && stamp_of(*entry.add(FLAGS)) == stamp };
        // Two loops, so that lines of the index are waited for together, and then entries.
        for (hash, place) in hashes.iter().zip(&mut self.entries) {
            *place = Target(at(guesses.of_any(*hash)));
            prefetch(place.0);
        }
        let mut marked = 0;
        for (position, (key, place)) in keys.iter().zip(&self.entries).enumerate() {
            others[marked] = position as u32;
            marked += usize::from(!is_it(place.0, *key));
        }
        // Some keys share their tag with another one of their line, or are in a later line.
        let mut count = 0;
        for number in 0..marked {
            let position = others[number] as usize;
            let found = index.find(hashes[position], |id| is_it(at(id), keys[position]));
            if let Some(id) = found {
                self.entries[position] = Target(at(id));
            } else {
                self.ids[position] = guesses.of(hashes[position]).unwrap_or(NONE);
                others[count] = position as u32;
                count += 1;
            }
        }
        count
    }
}
