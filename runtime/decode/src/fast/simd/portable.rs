//! Eight bytes at a time in a 64-bit word: every processor.
//!
//! This file must not know JSON's grammar.

use super::Simd;

/// Words of 64 bits.
pub(crate) struct Portable;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes, the first one lowest.
#[inline(always)]
pub(crate) unsafe fn load(at: *const u8) -> u64 {
    // SAFETY: the caller gives 8 readable bytes.
    u64::from_le(unsafe { at.cast::<u64>().read_unaligned() })
}

/// The high bit of every byte that is zero. Exact up to and including the first one, which is all that is used.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// The high bit of every byte below `limit` (at most 0x80). Exact up to and including the first one.
#[inline(always)]
fn bytes_below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(LOW * limit) & !word & HIGH
}

impl Simd for Portable {
    #[inline(always)]
    unsafe fn find_special(mut at: *const u8, end: *const u8) -> *const u8 {
        loop {
            // SAFETY: every load starts before `end` (or at it, the first one), which has 64 readable bytes behind it.
            let word = unsafe { load(at) };
            let special = zero_bytes(word ^ (LOW * u64::from(b'"')))
                | zero_bytes(word ^ (LOW * u64::from(b'\\')))
                | bytes_below(word, 0x20);
            if special != 0 {
                return at.wrapping_add(special.trailing_zeros() as usize / 8);
            }
            at = at.wrapping_add(8);
            if at >= end {
                return at;
            }
        }
    }

    #[inline(always)]
    unsafe fn equal(mut a: *const u8, mut b: *const u8, mut size_bytes: usize) -> bool {
        // SAFETY: every load starts inside the bytes compared (or at their end).
        unsafe {
            while size_bytes > 8 {
                if load(a) != load(b) {
                    return false;
                }
                a = a.add(8);
                b = b.add(8);
                size_bytes -= 8;
            }
            size_bytes == 0 || (load(a) ^ load(b)) << (64 - 8 * size_bytes) == 0
        }
    }

    #[inline(always)]
    unsafe fn is_ascii(mut at: *const u8, mut size_bytes: usize) -> bool {
        let mut any = 0;
        // SAFETY: every load starts inside the bytes.
        unsafe {
            while size_bytes > 8 {
                any |= load(at);
                at = at.add(8);
                size_bytes -= 8;
            }
            if size_bytes > 0 {
                any |= load(at) << (64 - 8 * size_bytes);
            }
        }
        any & HIGH == 0
    }
}
