//! AVX2: 32 bytes at a time.
//!
//! This file must not know JSON's grammar.

use std::arch::x86_64::*;

use super::{Indexed, Piece, Place, Simd};

/// AVX2 with BMI1 and BMI2.
pub(crate) struct Avx2;

#[inline(always)]
unsafe fn load(at: *const u8) -> __m256i {
    // SAFETY: the caller gives 32 readable bytes.
    unsafe { _mm256_loadu_si256(at.cast()) }
}

/// Bit per byte that differs.
#[inline(always)]
unsafe fn differing(a: *const u8, b: *const u8) -> u32 {
    // SAFETY: the caller gives 32 readable bytes at both.
    unsafe { !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(a), load(b))) as u32) }
}

/// A bit per byte that is not zero in the compare's answer.
#[inline(always)]
unsafe fn bits(answer: __m256i) -> u64 {
    // SAFETY: the caller has made sure of the instruction set.
    u64::from(unsafe { _mm256_movemask_epi8(answer) } as u32)
}

/// The bytes that are `"`, and those that are `\` or a control character.
#[inline(always)]
unsafe fn classify(bytes: __m256i) -> (u64, u64) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe {
        let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
        // A byte is its own minimum with 0x1f exactly where it is a control character.
        let control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
        let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
        (bits(quote), bits(_mm256_or_si256(backslash, control)))
    }
}

/// `Simd::opaque`.
#[inline(always)]
pub(super) fn opaque(value: usize) -> usize {
    let mut value = value;
    // SAFETY: there are no instructions.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

impl Simd for Avx2 {
    const FINDS_AT_ONCE: bool = true;

    #[inline(always)]
    unsafe fn same_distances(quotes: *const u32, distances: &[u32], masks: &[u32]) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let mut wrong = _mm256_setzero_si256();
            for index in (0..distances.len()).step_by(8) {
                let load = |at: *const u32| load(at.add(index).cast());
                let found = _mm256_sub_epi32(load(quotes.add(1)), load(quotes));
                let differs = _mm256_xor_si256(found, load(distances.as_ptr()));
                wrong = _mm256_or_si256(wrong, _mm256_and_si256(differs, load(masks.as_ptr())));
            }
            _mm256_testz_si256(wrong, wrong) != 0
        }
    }

    #[inline(always)]
    unsafe fn same_pieces(start: *const u8, quotes: *const u32, pieces: &[Piece], places: &[Place]) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let load = |at: *const u8| _mm256_loadu_si256(at.cast());
            let mut wrong = _mm256_setzero_si256();
            for (piece, place) in pieces.iter().zip(places) {
                let differs = _mm256_xor_si256(load(place.of(start, quotes)), load(piece.bytes.as_ptr()));
                wrong = _mm256_or_si256(wrong, _mm256_and_si256(differs, load(piece.mask.as_ptr())));
            }
            _mm256_testz_si256(wrong, wrong) != 0
        }
    }

    #[inline(always)]
    unsafe fn digits_of(at: *const u8, count: usize) -> Option<u64> {
        // SAFETY: as the caller promises.
        unsafe { digits_of(at, count) }
    }

    #[inline(always)]
    unsafe fn decimal_of(at: *const u8, count: usize) -> Option<(u64, usize)> {
        // SAFETY: as the caller promises.
        unsafe { decimal_of(at, count) }
    }

    #[inline(always)]
    unsafe fn equal(mut a: *const u8, mut b: *const u8, mut size_bytes: usize) -> bool {
        // SAFETY: every load starts inside the bytes compared (or at their end).
        unsafe {
            while size_bytes > 32 {
                if differing(a, b) != 0 {
                    return false;
                }
                a = a.add(32);
                b = b.add(32);
                size_bytes -= 32;
            }
            _bzhi_u32(differing(a, b), size_bytes as u32) == 0
        }
    }

    #[inline(always)]
    fn first_bytes(word: u64, size_bytes: usize) -> u64 {
        // SAFETY: who runs this has made sure of the instruction set.
        unsafe { _bzhi_u64(word, 8 * size_bytes as u32) }
    }

    #[inline(always)]
    unsafe fn equal_32(a: *const u8, b: *const u8, size_bytes: usize) -> bool {
        // SAFETY: as the caller promises.
        unsafe { _bzhi_u32(differing(a, b), size_bytes as u32) == 0 }
    }

    #[inline(always)]
    unsafe fn index(at: *const u8, size_bytes: usize, marks: *mut u64, quotes: *mut u32) -> Indexed {
        let (mut count, mut odd_count, mut not_ascii) = (0, 0, 0);
        // SAFETY: every load starts inside the bytes (or at most 32 behind their end); there are at most as many quotes as bytes.
        unsafe {
            let mut all = _mm256_setzero_si256();
            for word in 0..size_bytes.div_ceil(64) {
                let (low, high) = (load(at.add(64 * word)), load(at.add(64 * word + 32)));
                let (low_marks, high_marks) = (classify(low), classify(high));
                let (mut quote, mut odd) = (low_marks.0 | high_marks.0 << 32, low_marks.1 | high_marks.1 << 32);
                let rest = size_bytes - 64 * word;
                if rest < 64 {
                    quote = _bzhi_u64(quote, rest as u32);
                    odd = _bzhi_u64(odd, rest as u32);
                    not_ascii = _bzhi_u64(bits(low) | bits(high) << 32, rest as u32);
                } else {
                    all = _mm256_or_si256(all, _mm256_or_si256(low, high));
                }
                marks.add(word).write(quote | odd);
                Avx2::positions(quote, 64 * word as u32, quotes.add(count));
                count += quote.count_ones() as usize;
                odd_count += odd.count_ones();
            }
            if size_bytes.is_multiple_of(64) {
                marks.add(size_bytes / 64).write(0);
            }
            Indexed { quotes: count, odd: odd_count, is_ascii: bits(all) | not_ascii == 0 }
        }
    }

    #[inline(always)]
    unsafe fn find(at: *const u8, byte: u8) -> u64 {
        // SAFETY: as the caller promises.
        unsafe {
            let byte = _mm256_set1_epi8(byte as i8);
            bits(_mm256_cmpeq_epi8(load(at), byte)) | bits(_mm256_cmpeq_epi8(load(at.add(32)), byte)) << 32
        }
    }

    #[inline(always)]
    unsafe fn find_not_ascii(at: *const u8) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { bits(load(at)) | bits(load(at.add(32))) << 32 }
    }

    #[inline(always)]
    unsafe fn positions(bits: u64, base: u32, into: *mut u32) {
        // SAFETY: as the caller promises.
        unsafe { super::positions(bits, base, into) }
    }

    #[inline(always)]
    unsafe fn scalar_size(at: *const u8) -> usize {
        // SAFETY: as the caller promises.
        unsafe {
            let bytes = load(at);
            let comma = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b',' as i8));
            // The closing brackets differ from each other in one bit.
            let closing = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
            let closing = _mm256_cmpeq_epi8(closing, _mm256_set1_epi8(b'}' as i8));
            let blank = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x20)), bytes);
            (bits(_mm256_or_si256(_mm256_or_si256(comma, closing), blank)) as u32).trailing_zeros() as usize
        }
    }

    #[inline(always)]
    unsafe fn find_digits(at: *const u8) -> u32 {
        // SAFETY: as the caller promises.
        unsafe {
            let digits = _mm256_sub_epi8(load(at), _mm256_set1_epi8(b'0' as i8));
            bits(_mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits)) as u32
        }
    }

    #[inline(always)]
    fn opaque(value: usize) -> usize {
        opaque(value)
    }

    #[inline(always)]
    unsafe fn digits(at: *const u8) -> (usize, u64) {
        // SAFETY: as the caller promises.
        unsafe { digits(at) }
    }
}

/// Of two rows of 16: 16 bytes from `n` on move the first `n` bytes of a vector to its end and clear the others.
static TO_THE_END: [u8; 32] = {
    let mut moves = [0x80; 32];
    let mut index = 0;
    while index < 16 {
        moves[16 + index] = index as u8;
        index += 1;
    }
    moves
};

/// Of each row: moves the 16 bytes so that the one of the row's number is gone.
static WITHOUT: [[u8; 16]; 16] = {
    let mut moves = [[0x80; 16]; 16];
    let mut gone = 0;
    while gone < 16 {
        let mut index = 0;
        while index < 15 {
            moves[gone][index] = (index + (index >= gone) as usize) as u8;
            index += 1;
        }
        gone += 1;
    }
    moves
};

/// The 16 bytes less `0`, and which of them are no digits.
#[inline(always)]
unsafe fn digits_at(at: *const u8) -> (__m128i, u32) {
    // SAFETY: the caller gives 16 readable bytes.
    unsafe {
        let digits = _mm_sub_epi8(_mm_loadu_si128(at.cast()), _mm_set1_epi8(b'0' as i8));
        let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        (digits, !(_mm_movemask_epi8(is_digit) as u32))
    }
}

/// What the first `count` digits are worth: they are moved to the vector's end, then summed up in pairs, fours and
/// eights, so that their number makes no difference to what is executed.
#[inline(always)]
unsafe fn worth(digits: __m128i, count: usize) -> u64 {
    // SAFETY: `count` is at most 16.
    unsafe {
        let digits = _mm_shuffle_epi8(digits, _mm_loadu_si128(TO_THE_END.as_ptr().add(count).cast()));
        let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
        let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x0001_0064));
        let fours = _mm_packus_epi32(fours, fours);
        let eights = _mm_cvtsi128_si64(_mm_madd_epi16(fours, _mm_set1_epi32(0x0001_2710))) as u64;
        (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
    }
}

/// `Simd::digits`.
///
/// # Safety
/// The processor has AVX2; 16 bytes are readable.
#[inline(always)]
pub(super) unsafe fn digits(at: *const u8) -> (usize, u64) {
    // SAFETY: as the caller promises; `count` is at most 16, because the upper bits of `others` are set.
    unsafe {
        let (digits, others) = digits_at(at);
        let count = others.trailing_zeros() as usize;
        (count, worth(digits, count))
    }
}

/// `Simd::digits_of`.
///
/// # Safety
/// As `digits`; `count` is 1 to 16.
#[inline(always)]
pub(super) unsafe fn digits_of(at: *const u8, count: usize) -> Option<u64> {
    // SAFETY: as the caller promises.
    unsafe {
        let (digits, others) = digits_at(at);
        (_bzhi_u32(others, count as u32) == 0).then(|| worth(digits, count))
    }
}

/// `Simd::decimal_of`.
///
/// # Safety
/// As `digits_of`.
#[inline(always)]
pub(super) unsafe fn decimal_of(at: *const u8, count: usize) -> Option<(u64, usize)> {
    // SAFETY: as the caller promises; `point` is a place in the 16 bytes.
    unsafe {
        let (digits, others) = digits_at(at);
        let others = _bzhi_u32(others, count as u32);
        if others == 0 {
            return Some((worth(digits, count), 0));
        }
        let point = others.trailing_zeros() as usize;
        if others & (others - 1) != 0 || *at.add(point) != b'.' || point == 0 || point + 1 == count {
            return None;
        }
        let digits = _mm_shuffle_epi8(digits, _mm_loadu_si128(WITHOUT[point].as_ptr().cast()));
        Some((worth(digits, count - 1), count - 1 - point))
    }
}
