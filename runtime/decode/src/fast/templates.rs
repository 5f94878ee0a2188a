//! Which template is tried, when one is learned, and which is given up: a stream may have several shapes, and may change.
//!
//! The latest template that fitted is tried first. Where nothing fits for a while, templates are tried only now and then, and
//! learning is rationed, so that a stream in which every message is different pays next to nothing for them.
//!
//! This file must not know what a template is.

use super::simd::Simd;
use super::template::Template;
use super::walker::Walk;
use super::{FastObject, Seen};
use crate::columns::DecodedColumns;
use crate::program::Program;

/// Templates that are kept.
const MOST_TEMPLATES: usize = 4;
/// Messages that hit between two attempts to learn.
const LEARN_EVERY: u32 = 256;
/// Misses in a row after which templates are no longer tried for every message.
const MISSES_TO_DOUBT: u32 = 16;
/// How often they are tried then.
const TRY_EVERY: u32 = 32;

/// The templates of one decoder.
#[derive(Default)]
pub(super) struct Templates {
    templates: Vec<(Template, u64)>,
    latest: usize,
    misses_in_a_row: u32,
    since_try: u32,
    credit: u32,
    until_credit: u32,
    /// `all_hits` at the latest attempt.
    hits_when_learned: u64,
    /// Memory for the next one.
    spare: Template,
    /// Templates that were learned.
    pub(super) learned: u64,
    /// Those of them that took the place of another.
    pub(super) replaced: u64,
}

impl Templates {
    /// Reads the message along the latest template, if that fits and has its values at fixed ordinals: most messages, and nothing is
    /// prepared for them that others need.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn read_fixed<S: Simd>(&mut self, seen: &Seen, columns: &mut DecodedColumns) -> bool {
        let Some((latest, hits)) = self.templates.get_mut(self.latest) else { return false };
        // SAFETY: as the caller promises.
        if self.misses_in_a_row >= MISSES_TO_DOUBT || !unsafe { latest.read_fixed::<S>(seen, columns) } {
            return false;
        }
        *hits += 1;
        self.misses_in_a_row = 0;
        true
    }

    /// Reads the message along a template, if one fits.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&mut self, walk: &mut Walk<'_, '_>) -> bool {
        let Some((latest, hits)) = self.templates.get_mut(self.latest) else { return false };
        if self.misses_in_a_row < MISSES_TO_DOUBT {
            // SAFETY: as the caller promises.
            if unsafe { latest.run::<S>(walk) } {
                *hits += 1;
                self.misses_in_a_row = 0;
                return true;
            }
        } else {
            self.since_try += 1;
            if self.since_try < TRY_EVERY {
                return false;
            }
            self.since_try = 0;
        }
        // SAFETY: as the caller promises.
        unsafe { S::run_others(self, walk) }
    }

    #[inline(always)]
    pub(super) unsafe fn run_others<S: Simd>(&mut self, walk: &mut Walk<'_, '_>) -> bool {
        for index in 0..self.templates.len() {
            if index == self.latest && self.misses_in_a_row < MISSES_TO_DOUBT {
                continue;
            }
            walk.undo();
            // SAFETY: as the caller promises.
            if unsafe { self.templates[index].0.run::<S>(walk) } {
                self.templates[index].1 += 1;
                self.latest = index;
                self.misses_in_a_row = 0;
                return true;
            }
        }
        self.misses_in_a_row = self.misses_in_a_row.saturating_add(1);
        false
    }

    /// Makes a template of a message that was accepted, now and then: where every message is different, learning must not
    /// cost more than it can bring.
    #[inline(never)]
    pub(super) fn learn(&mut self, program: &Program, objects: &[FastObject], bytes: &[u8]) {
        if self.credit == 0 && !self.templates.is_empty() {
            self.until_credit = self.until_credit.saturating_sub(1);
            // Where templates have earned it, a stream that has changed is learned at once.
            let has_earned = self.all_hits() >= self.hits_when_learned + u64::from(LEARN_EVERY);
            if self.until_credit > 0 && !has_earned {
                return;
            }
            self.credit = 1;
        }
        if !super::learn::learn(program, objects, bytes, &mut self.spare) {
            self.until_credit = LEARN_EVERY;
            self.hits_when_learned = self.all_hits();
            self.credit = 0;
            return;
        }
        self.credit = if self.templates.is_empty() { MOST_TEMPLATES as u32 } else { self.credit };
        self.credit -= 1;
        self.learned += 1;
        self.until_credit = LEARN_EVERY;
        self.misses_in_a_row = 0;
        self.hits_when_learned = self.all_hits();
        if self.templates.len() < MOST_TEMPLATES {
            self.latest = self.templates.len();
            self.templates.push((std::mem::take(&mut self.spare), 0));
            return;
        }
        let mut least = 0;
        for index in 0..self.templates.len() {
            self.templates[index].1 /= 2;
            if self.templates[index].1 < self.templates[least].1 {
                least = index;
            }
        }
        std::mem::swap(&mut self.templates[least].0, &mut self.spare);
        self.templates[least].1 = 0;
        self.hits_when_learned = self.all_hits();
        self.replaced += 1;
        self.latest = least;
    }

    /// How often one of those that are kept has fitted.
    fn all_hits(&self) -> u64 {
        self.templates.iter().map(|template| template.1).sum()
    }
}
