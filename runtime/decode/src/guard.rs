//! Messages beside pages that nobody may touch: a fast tier that reads past the promised padding, or before the message,
//! faults here.
//!
//! Each message and each of its beginnings ends exactly `PADDING_BYTES` before such a page, and so begins at every alignment;
//! the padding is filled with bytes that look as if they belonged to the message.
//!
//! This file must not know how a tier reads.

use std::sync::atomic::{AtomicU64, Ordering};

use chalk_artifact::abi::status;

use crate::batch::{Messages, PADDING_BYTES, Span};
use crate::decoder::Decoder;
use crate::tier::Tier;

#[path = "../tests/support/mod.rs"]
mod support;

use support::compare::{Pair, difference};
use support::generate::{Shape, Wishes, random_plan, write_message};
use support::random::Random;
use support::{tiers, variable};

/// Random message types, three messages of each.
const PLANS: u64 = 40;
/// Beginnings of longer messages are not all tried.
const GREATEST_MESSAGE_BYTES: usize = 1_200;

/// The seed under way, for the handler of a fault.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Writable pages between two that nobody may touch.
struct Guarded {
    start: *mut u8,
    page_bytes: usize,
    pages: usize,
}

impl Guarded {
    fn new(pages: usize) -> Guarded {
        // SAFETY: a mapping of our own, of which the first and the last page lose all access.
        unsafe {
            let page_bytes = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).expect("a page has a size");
            let size_bytes = (pages + 2) * page_bytes;
            let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let start = libc::mmap(std::ptr::null_mut(), size_bytes, protection, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED, "no memory");
            let start = start.cast::<u8>();
            for page in [0, pages + 1] {
                assert_eq!(libc::mprotect(start.add(page * page_bytes).cast(), page_bytes, libc::PROT_NONE), 0);
            }
            Guarded { start, page_bytes, pages }
        }
    }

    fn size_bytes(&self) -> usize {
        self.pages * self.page_bytes
    }

    /// The bytes between the guards.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: as many bytes are mapped behind the first page, and `&mut self` keeps others away.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(self.page_bytes), self.size_bytes()) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made.
        unsafe { libc::munmap(self.start.cast(), (self.pages + 2) * self.page_bytes) };
    }
}

/// Says which seed has faulted; a handler may only call `write` and `_exit`.
extern "C" fn faulted(_: libc::c_int) {
    let mut text = *b"a tier has read beyond the padding of a message; run again with CHALK_DIFFERENTIAL_SEED=00000000000000000000\n";
    let mut seed = SEED.load(Ordering::Relaxed);
    let end = text.len() - 1;
    for digit in text[end - 20..end].iter_mut().rev() {
        *digit = b'0' + (seed % 10) as u8;
        seed /= 10;
    }
    // SAFETY: both may be called in a handler; the buffer is our own.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::_exit(101);
    }
}

/// What becomes of messages in guarded memory: their fates and reasons.
fn outcome(decoder: &mut Decoder, bytes: &[u8], spans: &[Span]) -> (Vec<u8>, String) {
    decoder.columns_mut().begin(spans.len());
    let messages = Messages { bytes, spans, buffer: 0, offset: 0, row: 0 };
    let (mut statuses, mut errors) = (vec![status::LIVE; spans.len()], Vec::new());
    decoder.messages(messages, &mut statuses, &mut errors);
    (statuses, format!("{errors:?}"))
}

fn compare(seed: u64, scalar: &mut Decoder, fast: &mut [Decoder], bytes: &[u8], spans: &[Span]) {
    let last = spans.last().expect("a message");
    let message = &bytes[last.offset as usize..][..last.size_bytes as usize];
    let wants = outcome(scalar, bytes, spans);
    for decoder in fast {
        let found = outcome(decoder, bytes, spans);
        let tier = decoder.tier();
        assert_eq!(found, wants, "seed {seed}, {tier}: {}", String::from_utf8_lossy(message));
        let pair = Pair { expected: scalar.columns(), found: decoder.columns(), message_bytes: bytes };
        assert_eq!(difference(pair), None, "seed {seed}, {tier}: {}", String::from_utf8_lossy(message));
    }
}

/// Says more of a fault than that there was one.
fn watch_faults() {
    // SAFETY: the handler does what handlers may do; a fault ends the test either way.
    unsafe {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            libc::signal(signal, faulted as *const () as libc::sighandler_t);
        }
    }
}

#[test]
fn no_tier_reads_beyond_the_padding() {
    watch_faults();
    let mut guarded = Guarded::new(4);
    let size_bytes = guarded.size_bytes();
    let first = variable("CHALK_DIFFERENTIAL_SEED", 1);
    let mut compared = 0;
    for seed in first..first + PLANS {
        SEED.store(seed, Ordering::Relaxed);
        let mut random = Random(seed ^ 0x0067_7561_7264);
        let plan = random_plan(&mut random, Wishes::ALL);
        let shape = Shape::new(&mut random).orderly();
        let mut decoders: Vec<Decoder> = tiers().map(|tier| Decoder::new(&plan, tier).expect("a plan")).collect();
        let (scalar, fast) = decoders.split_first_mut().expect("a tier");
        assert_eq!(scalar.tier(), Tier::Scalar);
        for _ in 0..3 {
            let mut message = Vec::new();
            write_message(&mut random, &plan.root, &shape, &mut message);
            message.truncate(size_bytes - PADDING_BYTES);
            for cut in 0..=message.len().min(GREATEST_MESSAGE_BYTES) {
                // The whole message first, so that there is a template of it.
                let size =
                    message.len() - if cut == 0 { 0 } else { message.len().min(GREATEST_MESSAGE_BYTES) - cut + 1 };
                // The end of the memory, and its beginning.
                for start in [size_bytes - PADDING_BYTES - size, 0] {
                    let behind = random.below(5);
                    let bytes = guarded.bytes();
                    // A batch of the whole message and this one, where there is room for both: a tier may look ahead.
                    let before = message.len() + PADDING_BYTES <= start && random.once_in(2);
                    if before {
                        bytes[..message.len()].copy_from_slice(&message);
                    }
                    let (_, end) = bytes.split_at_mut(start);
                    let rest = end.len().min(message.len());
                    end[..rest].copy_from_slice(&message[..rest]);
                    let padding = &mut end[size..(size + PADDING_BYTES).min(size_bytes - start)];
                    match behind {
                        0 => {} // The rest of the message, as far as there is room.
                        1 => padding.fill(b'9'),
                        2 => padding.fill(b' '),
                        3 => padding.fill(b'"'),
                        _ => padding.iter_mut().for_each(|byte| *byte = random.next() as u8),
                    }
                    let span = |offset: usize, size: usize| Span { offset: offset as u32, size_bytes: size as u32 };
                    let spans = [span(0, message.len()), span(start, size)];
                    compare(seed, scalar, fast, bytes, &spans[usize::from(!before)..]);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > PLANS * 100, "{compared} messages");
}

/// Whoever decodes messages one by one promises nothing about the bytes behind them, whatever their size.
#[test]
fn one_message_needs_no_padding() {
    watch_faults();
    let mut guarded = Guarded::new(4);
    let size_bytes = guarded.size_bytes();
    let first = variable("CHALK_DIFFERENTIAL_SEED", 1);
    for seed in first..first + PLANS {
        SEED.store(seed, Ordering::Relaxed);
        let mut random = Random(seed ^ 0x6f6e_6500);
        let mut plan = random_plan(&mut random, Wishes::ALL);
        // Half of the messages are larger than the plan allows.
        if random.once_in(2) {
            plan.max_message_bytes = 60;
        }
        let shape = Shape::new(&mut random).orderly();
        let mut decoders: Vec<Decoder> = tiers().map(|tier| Decoder::new(&plan, tier).expect("a plan")).collect();
        let (scalar, fast) = decoders.split_first_mut().expect("a tier");
        for _ in 0..50 {
            let mut message = Vec::new();
            write_message(&mut random, &plan.root, &shape, &mut message);
            message.truncate(if random.once_in(2) { message.len() } else { random.below(130) }.min(size_bytes));
            let bytes = &mut guarded.bytes()[size_bytes - message.len()..];
            bytes.copy_from_slice(&message);
            scalar.clear();
            let wants = scalar.decode_one(bytes);
            for decoder in fast.iter_mut() {
                decoder.clear();
                let tier = decoder.tier();
                assert_eq!(decoder.decode_one(bytes), wants, "seed {seed}, {tier}: {}", String::from_utf8_lossy(bytes));
                let pair = Pair { expected: scalar.columns(), found: decoder.columns(), message_bytes: &[] };
                assert_eq!(difference(pair), None, "seed {seed}, {tier}: {}", String::from_utf8_lossy(bytes));
            }
        }
    }
}
