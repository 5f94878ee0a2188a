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
/// Messages that are followed step by step before one of them is learned from; twice as many each time, up to `MOST_STEPS_TO_LEARN`.
const STEPS_TO_LEARN: u64 = 32;
const MOST_STEPS_TO_LEARN: u64 = 1 << 20;
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
    /// Messages that were followed step by step along a template that has all values at fixed places: some were null that are not there, or the other
    /// way round.
    pub(super) by_steps: u64,
    /// `by_steps` and all hits when it was last looked at whether that is most of them.
    steps_when_looked: (u64, u64),
    /// How many more of them there are before it is looked at again; none yet: `STEPS_TO_LEARN`.
    steps_to_learn: u64,
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
        if self.misses_in_a_row >= MISSES_TO_DOUBT {
            return false;
        }
        // In a stream whose values are now and then null, templates with and without them take turns.
        let mut index = self.latest;
        for _ in 0..self.templates.len() {
            let (template, hits) = &mut self.templates[index];
            // SAFETY: as the caller promises.
            if unsafe { template.read_fixed::<S>(seen, columns) } {
                *hits += 1;
                self.latest = index;
                self.misses_in_a_row = 0;
                return true;
            }
            index = if index + 1 == self.templates.len() { 0 } else { index + 1 };
        }
        false
    }

    /// Reads the message along a template, if one fits.
    ///
    /// # Safety
    /// As `Walk::read_object`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&mut self, walk: &mut Walk<'_, '_>) -> bool {
        let may_fit = |(template, _): &(Template, u64)| template.may_fit(walk.odd, walk.quote_count);
        if self.misses_in_a_row < MISSES_TO_DOUBT {
            let Some(latest) = self.templates.get(self.latest) else { return false };
            if !may_fit(latest)
                && let Some(other) = self.templates.iter().position(may_fit)
            {
                self.latest = other;
            }
            let (latest, hits) = &mut self.templates[self.latest];
            // SAFETY: as the caller promises.
            if unsafe { latest.run::<S>(walk) } {
                *hits += 1;
                self.by_steps += u64::from(walk.is_by_steps);
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
                self.by_steps += u64::from(walk.is_by_steps);
                self.latest = index;
                self.misses_in_a_row = 0;
                return true;
            }
        }
        self.misses_in_a_row = self.misses_in_a_row.saturating_add(1);
        false
    }

    /// Whether a message that was followed step by step is to be learned from: most are, so one like it may be what others come to.
    #[inline(always)]
    pub(super) fn is_mostly_by_steps(&mut self) -> bool {
        let steps = self.by_steps - self.steps_when_looked.0;
        steps >= self.steps_to_learn.max(STEPS_TO_LEARN) && self.look_at_steps(steps)
    }

    #[cold]
    fn look_at_steps(&mut self, steps: u64) -> bool {
        // Hits are halved where a template is given up.
        let hits = self.all_hits().saturating_sub(self.steps_when_looked.1);
        let is_most = steps * 2 >= hits;
        self.steps_when_looked = (self.by_steps, self.all_hits());
        self.steps_to_learn = match is_most {
            true => (self.steps_to_learn.max(STEPS_TO_LEARN) * 2).min(MOST_STEPS_TO_LEARN),
            false => STEPS_TO_LEARN,
        };
        is_most
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
