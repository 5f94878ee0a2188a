//! AVX2: 32 bytes at a time.
//!
//! This file must not know JSON's grammar.

use std::arch::x86_64::*;

use super::Simd;

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

/// The bytes that are special, and those that are not ASCII.
#[inline(always)]
unsafe fn classify(bytes: __m256i) -> (u64, u64) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe {
        let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
        let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
        // A byte is its own minimum with 0x1f exactly where it is a control character.
        let control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
        let special = _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), control));
        (u64::from(special as u32), u64::from(_mm256_movemask_epi8(bytes) as u32))
    }
}

/// The same of 64 bytes.
#[inline(always)]
unsafe fn classify_64(at: *const u8) -> (u64, u64) {
    // SAFETY: the caller gives 64 readable bytes.
    unsafe {
        let (low, high) = (classify(load(at)), classify(load(at.add(32))));
        (low.0 | high.0 << 32, low.1 | high.1 << 32)
    }
}

impl Simd for Avx2 {
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
    unsafe fn mark(at: *const u8, size_bytes: usize, marks: *mut u64) -> bool {
        let mut high = 0;
        // SAFETY: every load starts inside the bytes (or at most 32 behind their end).
        unsafe {
            for word in 0..size_bytes / 64 {
                let (special, not_ascii) = classify_64(at.add(64 * word));
                marks.add(word).write(special);
                high |= not_ascii;
            }
            let (special, not_ascii) = classify_64(at.add(size_bytes & !63));
            let rest = size_bytes as u32 % 64;
            marks.add(size_bytes / 64).write(_bzhi_u64(special, rest));
            high | _bzhi_u64(not_ascii, rest) == 0
        }
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

/// `Simd::digits` with vectors of 16 bytes: the digits are moved to the vector's end, then summed up in pairs, fours and
/// eights, so that their number makes no difference to what is executed.
///
/// # Safety
/// The processor has AVX2; 16 bytes are readable.
#[inline(always)]
pub(super) unsafe fn digits(at: *const u8) -> (usize, u64) {
    // SAFETY: as the caller promises; `count` is at most 16.
    unsafe {
        let digits = _mm_sub_epi8(_mm_loadu_si128(at.cast()), _mm_set1_epi8(b'0' as i8));
        let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        let count = (!(_mm_movemask_epi8(is_digit) as u32)).trailing_zeros() as usize;
        let digits = _mm_shuffle_epi8(digits, _mm_loadu_si128(TO_THE_END.as_ptr().add(count).cast()));
        let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
        let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x0001_0064));
        let fours = _mm_packus_epi32(fours, fours);
        let eights = _mm_cvtsi128_si64(_mm_madd_epi16(fours, _mm_set1_epi32(0x0001_2710))) as u64;
        (count, (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32))
    }
}
