//! Eight bytes at a time in a 64-bit word: every processor.
//!
//! This file must not know JSON's grammar.

use super::{Indexed, PIECE_BYTES, Piece, Place, Simd};

/// Words of 64 bits.
pub(crate) struct Portable;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// By size: the bits of so many bytes.
static FIRST_BYTES: [u64; 9] = {
    let mut masks = [u64::MAX; 9];
    let mut size = 0;
    while size < 8 {
        masks[size] = (1 << (8 * size)) - 1;
        size += 1;
    }
    masks
};

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

/// Of 64 bytes: those that are `"`, those that are `\` or a control character, and whether any is not ASCII (the high bits).
#[inline(always)]
unsafe fn classify(at: *const u8) -> (u64, u64, u64) {
    let (mut quote, mut odd, mut not_ascii) = (0, 0, 0);
    for index in 0..8 {
        // SAFETY: the caller gives 64 readable bytes.
        let word = unsafe { load(at.add(8 * index)) };
        quote |= gather(zero_bytes(word ^ (LOW * u64::from(b'"')))) << (8 * index);
        let found = zero_bytes(word ^ (LOW * u64::from(b'\\'))) | zero_bytes(word & (LOW * 0xe0));
        odd |= gather(found) << (8 * index);
        not_ascii |= word & HIGH;
    }
    (quote, odd, not_ascii)
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

/// What the first `count` of eight bytes are worth, if they are digits. `count` is 1 to 8.
#[inline(always)]
unsafe fn exactly(at: *const u8, count: usize) -> Option<u64> {
    // SAFETY: the caller gives 8 readable bytes.
    let moved = unsafe { load(at) } << (64 - 8 * count);
    let digits = moved ^ ZEROS << (64 - 8 * count);
    let above = ((digits & !HIGH).wrapping_add(LOW * 0x76) | digits) & HIGH;
    (above == 0).then(|| eight_digits(digits))
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Simd for Portable {
    const FINDS_AT_ONCE: bool = false;

    #[inline(always)]
    unsafe fn same_distances(quotes: *const u32, distances: &[u32], masks: &[u32]) -> bool {
        let mut wrong = 0;
        for (index, (distance, mask)) in distances.iter().zip(masks).enumerate() {
            // SAFETY: as the caller promises.
            let found = unsafe { (*quotes.add(index + 1)).wrapping_sub(*quotes.add(index)) };
            wrong |= (found ^ distance) & mask;
        }
        wrong == 0
    }

    #[inline(always)]
    unsafe fn same_pieces(start: *const u8, quotes: *const u32, pieces: &[Piece], places: &[Place]) -> bool {
        let mut wrong = 0;
        for (piece, place) in pieces.iter().zip(places) {
            // SAFETY: as the caller promises.
            unsafe {
                let at = place.of(start, quotes);
                for index in (0..PIECE_BYTES).step_by(8) {
                    let differs = load(at.add(index)) ^ load(piece.bytes.as_ptr().add(index));
                    wrong |= differs & load(piece.mask.as_ptr().add(index));
                }
            }
        }
        wrong == 0
    }

    #[inline(always)]
    unsafe fn digits_of(at: *const u8, count: usize) -> Option<u64> {
        // SAFETY: as the caller promises.
        unsafe {
            let first = count.min(8);
            let value = exactly(at, first)?;
            if count <= 8 { Some(value) } else { Some(value * POWERS[count - 8] + exactly(at.add(8), count - 8)?) }
        }
    }

    #[inline(always)]
    unsafe fn decimal_of(at: *const u8, count: usize) -> Option<(u64, usize)> {
        // SAFETY: as the caller promises.
        unsafe {
            let (whole, value) = Portable::digits(at);
            if whole >= count {
                return Some((Portable::digits_of(at, count)?, 0));
            }
            let scale = (count - whole).wrapping_sub(1);
            if whole == 0 || *at.add(whole) != b'.' || scale == 0 {
                return None;
            }
            let fraction = Portable::digits_of(at.add(whole + 1), scale)?;
            Some((value * super::super::number::POWERS[scale] + fraction, scale))
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
    fn first_bytes(word: u64, size_bytes: usize) -> u64 {
        word & FIRST_BYTES[size_bytes]
    }

    #[inline(always)]
    unsafe fn equal_32(a: *const u8, b: *const u8, size_bytes: usize) -> bool {
        // SAFETY: as the caller promises.
        unsafe { Portable::equal(a, b, size_bytes) }
    }

    #[inline(always)]
    unsafe fn index(at: *const u8, size_bytes: usize, marks: *mut u64, quotes: *mut u32) -> Indexed {
        let (mut count, mut odd_count, mut high) = (0, 0, 0);
        // SAFETY: every load starts inside the bytes (or at most 56 behind their end); there are at most as many quotes as bytes.
        unsafe {
            for word in 0..size_bytes / 64 + 1 {
                let (mut quote, mut odd, not_ascii) = classify(at.add(64 * word));
                let rest = size_bytes - 64 * word;
                if rest < 64 {
                    quote &= (1 << rest) - 1;
                    odd &= (1 << rest) - 1;
                } else {
                    high |= not_ascii;
                }
                marks.add(word).write(quote | odd);
                Portable::positions(quote, 64 * word as u32, quotes.add(count));
                count += quote.count_ones() as usize;
                odd_count += odd.count_ones();
            }
            let tail = at.add(size_bytes & !63);
            let rest = size_bytes % 64;
            for word in 0..rest / 8 {
                high |= load(tail.add(8 * word));
            }
            if !rest.is_multiple_of(8) {
                high |= load(tail.add(rest & !7)) << (64 - 8 * (rest % 8));
            }
        }
        Indexed { quotes: count, odd: odd_count, is_ascii: high & HIGH == 0 }
    }

    #[inline(always)]
    unsafe fn find(at: *const u8, byte: u8) -> u64 {
        let mut found = 0;
        for index in 0..8 {
            // SAFETY: the caller gives 64 readable bytes.
            let word = unsafe { load(at.add(8 * index)) };
            found |= gather(zero_bytes(word ^ (LOW * u64::from(byte)))) << (8 * index);
        }
        found
    }

    #[inline(always)]
    unsafe fn find_not_ascii(at: *const u8) -> u64 {
        // SAFETY: the caller gives 64 readable bytes.
        (0..8).fold(0, |found, index| found | gather(unsafe { load(at.add(8 * index)) } & HIGH) << (8 * index))
    }

    #[inline(always)]
    unsafe fn positions(bits: u64, base: u32, into: *mut u32) {
        // SAFETY: as the caller promises.
        unsafe { super::positions(bits, base, into) }
    }

    #[inline(always)]
    unsafe fn scalar_size(at: *const u8) -> usize {
        for index in 0..4 {
            // SAFETY: the caller gives 32 readable bytes.
            let word = unsafe { load(at.add(8 * index)) };
            // The closing brackets differ from each other in one bit.
            let ends = zero_bytes(word ^ (LOW * u64::from(b',')))
                | zero_bytes((word | (LOW * 0x20)) ^ (LOW * u64::from(b'}')))
                | zero_bytes(word ^ (LOW * 0x20))
                | zero_bytes(word & (LOW * 0xe0));
            if ends != 0 {
                return 8 * index + ends.trailing_zeros() as usize / 8;
            }
        }
        32
    }

    #[inline(always)]
    unsafe fn find_digits(at: *const u8) -> u32 {
        let mut found = 0;
        for index in 0..4 {
            // SAFETY: the caller gives 32 readable bytes.
            let digits = unsafe { load(at.add(8 * index)) } ^ ZEROS;
            // Below 128 the sum carries into no other byte, so that each one's high bit says whether it is above 9.
            let above = ((digits & !HIGH).wrapping_add(LOW * 0x76) | digits) & HIGH;
            found |= gather(above ^ HIGH) << (8 * index);
        }
        found as u32
    }

    #[inline(always)]
    fn opaque(value: usize) -> usize {
        value
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
