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

/// The high bit of every byte that is zero, and no other bit.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word | !HIGH)
}

/// The high bits of the bytes as eight bits, the first byte's lowest.
#[inline(always)]
fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The bytes that are special, and those that are not ASCII.
#[inline(always)]
unsafe fn classify(at: *const u8) -> (u64, u64) {
    let (mut special, mut not_ascii) = (0, 0);
    for index in 0..8 {
        // SAFETY: the caller gives 64 readable bytes.
        let word = unsafe { load(at.add(8 * index)) };
        let found = zero_bytes(word ^ (LOW * u64::from(b'"')))
            | zero_bytes(word ^ (LOW * u64::from(b'\\')))
            | zero_bytes(word & (LOW * 0xe0));
        special |= gather(found) << (8 * index);
        not_ascii |= word & HIGH;
    }
    (special, not_ascii)
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The high bit of every byte that is no digit; exact up to and including the first one.
#[inline(always)]
pub(crate) fn non_digits(word: u64) -> u64 {
    let digits = word ^ ZEROS;
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
}

/// What eight digits (the first one lowest, already without their ASCII offset) are worth.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let rest = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    fours.wrapping_add(rest) >> 32
}

/// The first digits of eight bytes: how many, and what they are worth.
#[inline(always)]
unsafe fn digits_of_8(at: *const u8) -> (usize, u64) {
    // SAFETY: the caller gives 8 readable bytes.
    let word = unsafe { load(at) };
    let count = non_digits(word).trailing_zeros() as usize / 8;
    (count, if count == 0 { 0 } else { eight_digits((word ^ ZEROS) << (64 - 8 * count)) })
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Simd for Portable {
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
    unsafe fn mark(at: *const u8, size_bytes: usize, marks: *mut u64) -> bool {
        let mut high = 0;
        // SAFETY: every load starts inside the bytes (or at most 56 behind their end).
        unsafe {
            for word in 0..size_bytes / 64 {
                let (special, not_ascii) = classify(at.add(64 * word));
                marks.add(word).write(special);
                high |= not_ascii;
            }
            let tail = at.add(size_bytes & !63);
            let rest = size_bytes % 64;
            marks.add(size_bytes / 64).write(classify(tail).0 & ((1 << rest) - 1));
            for word in 0..rest / 8 {
                high |= load(tail.add(8 * word));
            }
            if !rest.is_multiple_of(8) {
                high |= load(tail.add(rest & !7)) << (64 - 8 * (rest % 8));
            }
        }
        high & HIGH == 0
    }

    #[inline(always)]
    unsafe fn digits(at: *const u8) -> (usize, u64) {
        // SAFETY: as the caller promises.
        unsafe {
            let (count, value) = digits_of_8(at);
            if count < 8 {
                return (count, value);
            }
            let (more, low) = digits_of_8(at.add(8));
            (8 + more, value * POWERS[more] + low)
        }
    }
}
