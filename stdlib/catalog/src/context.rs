//! What library functions share while a batch runs: the arena for texts, the arena for lists, memos of compiled
//! patterns, the pending error, the clock and the random numbers.
//!
//! One context belongs to one worker (`KernelContext::call` points at it) and lives across batches, so that a pattern is
//! compiled once per call site and a warm worker does not allocate.
//!
//! This file must not know any function.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::arena::{Arena, ArenaText};
use crate::lists::ListArena;

/// Why a function failed a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError(pub Cow<'static, str>);

impl From<&'static str> for FunctionError {
    fn from(text: &'static str) -> Self {
        FunctionError(Cow::Borrowed(text))
    }
}

impl From<String> for FunctionError {
    fn from(text: String) -> Self {
        FunctionError(Cow::Owned(text))
    }
}

/// Compiled things kept per call site; a site whose argument varies keeps this many.
const MEMOS_PER_SITE: usize = 8;

/// What library functions share.
#[derive(Debug)]
pub struct CallContext {
    /// Texts and bytes that functions make; `reset` frees them.
    pub arena: Arena,
    /// Lists that functions make; `reset` frees them.
    pub lists: ListArena,
    /// Microseconds since the epoch: what `now()` gives. The engine sets it per batch.
    pub now_us: Cell<i64>,
    random_state: Cell<u64>,
    site: Cell<u64>,
    error: RefCell<Option<Cow<'static, str>>>,
    memos: RefCell<HashMap<u64, SiteMemos, BuildHasherDefault<SiteHasher>>>,
}

#[derive(Debug, Default)]
struct SiteMemos {
    entries: Vec<Memo>,
    next_evicted: usize,
}

#[derive(Debug)]
struct Memo {
    key: Box<[Box<[u8]>]>,
    value: Arc<dyn Any + Send + Sync>,
}

/// Sites are small consecutive numbers: one multiplication spreads them.
#[derive(Default)]
struct SiteHasher(u64);

impl Hasher for SiteHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, site: u64) {
        self.0 = (site ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

impl Default for CallContext {
    fn default() -> Self {
        CallContext::new(0, 0)
    }
}

impl CallContext {
    /// A context at that time, with that seed for random numbers.
    pub fn new(now_us: i64, seed: u64) -> CallContext {
        CallContext {
            arena: Arena::default(),
            lists: ListArena::default(),
            now_us: Cell::new(now_us),
            random_state: Cell::new(seed),
            site: Cell::new(0),
            error: RefCell::new(None),
            memos: RefCell::default(),
        }
    }

    /// Begins a batch: everything that functions made before is gone. Memos stay.
    pub fn reset(&mut self) {
        self.arena.reset();
        self.lists.reset();
        *self.error.get_mut() = None;
    }

    /// The call site that is running.
    pub fn site(&self) -> u64 {
        self.site.get()
    }

    pub(crate) fn set_site(&self, site: u64) {
        self.site.set(site);
    }

    /// Remembers why the running call failed.
    #[cold]
    #[inline(never)]
    pub fn set_error(&self, error: FunctionError) {
        *self.error.borrow_mut() = Some(error.0);
    }

    /// Why the latest failed call failed; asking clears it.
    pub fn take_error(&self) -> Option<String> {
        self.error.borrow_mut().take().map(Cow::into_owned)
    }

    /// A text to be written piece by piece.
    pub fn text(&self) -> ArenaText<'_> {
        self.arena.text()
    }

    /// What `build` makes of the texts in `key`, made once per call site and key. `T` must be the same for all calls at a
    /// site with equal keys, or it is made anew.
    pub fn memo<T: Any + Send + Sync>(
        &self,
        key: &[&[u8]],
        build: impl FnOnce() -> Result<T, FunctionError>,
    ) -> Result<Arc<T>, FunctionError> {
        let site = self.site.get();
        if let Some(site) = self.memos.borrow().get(&site)
            && let Some(memo) =
                site.entries.iter().find(|memo| memo.key.iter().map(|part| &**part).eq(key.iter().copied()))
            && let Ok(value) = Arc::downcast::<T>(memo.value.clone())
        {
            return Ok(value);
        }
        let value = Arc::new(build()?);
        let memo = Memo { key: key.iter().map(|part| (*part).into()).collect(), value: value.clone() };
        let mut memos = self.memos.borrow_mut();
        let site = memos.entry(site).or_default();
        if site.entries.len() < MEMOS_PER_SITE {
            site.entries.push(memo);
        } else {
            site.entries[site.next_evicted] = memo;
            site.next_evicted = (site.next_evicted + 1) % MEMOS_PER_SITE;
        }
        Ok(value)
    }

    /// 64 random bits (SplitMix64).
    pub fn random_bits(&self) -> u64 {
        let state = self.random_state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random_state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_built_once_per_site_and_key() {
        let cx = CallContext::default();
        let built = Cell::new(0);
        let get = |site: u64, key: &str| {
            cx.set_site(site);
            let value = cx.memo(&[key.as_bytes()], || {
                built.set(built.get() + 1);
                Ok(key.len())
            });
            *value.expect("builds")
        };
        assert_eq!((get(1, "ab"), get(1, "ab"), get(1, "abc"), get(2, "ab")), (2, 2, 3, 2));
        assert_eq!(built.get(), 3);
    }

    #[test]
    fn a_site_whose_key_varies_does_not_grow_without_end() {
        let cx = CallContext::default();
        for round in 0..100u32 {
            cx.memo(&[&round.to_le_bytes()], || Ok(round)).expect("builds");
        }
        assert_eq!(cx.memos.borrow()[&0].entries.len(), MEMOS_PER_SITE);
    }

    #[test]
    fn a_failed_build_is_not_kept() {
        let cx = CallContext::default();
        assert!(cx.memo::<u32>(&[b"k"], || Err("no".into())).is_err());
        assert_eq!(*cx.memo::<u32>(&[b"k"], || Ok(7)).expect("builds"), 7);
    }
}
