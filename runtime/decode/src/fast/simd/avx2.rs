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

impl Simd for Avx2 {
    #[inline(always)]
    unsafe fn find_special(mut at: *const u8, end: *const u8) -> *const u8 {
        // SAFETY: every load starts before `end` (or at it, the first one), which has 64 readable bytes behind it.
        unsafe {
            loop {
                let bytes = load(at);
                let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
                let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
                // A byte is its own minimum with 0x1f exactly where it is a control character.
                let control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
                let special = _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), control)) as u32;
                if special != 0 {
                    return at.add(special.trailing_zeros() as usize);
                }
                at = at.add(32);
                if at >= end {
                    return at;
                }
            }
        }
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
    unsafe fn is_ascii(mut at: *const u8, mut size_bytes: usize) -> bool {
        // SAFETY: every load starts inside the bytes (or at their end).
        unsafe {
            let mut any = 0;
            while size_bytes > 32 {
                any |= _mm256_movemask_epi8(load(at)) as u32;
                at = at.add(32);
                size_bytes -= 32;
            }
            any | _bzhi_u32(_mm256_movemask_epi8(load(at)) as u32, size_bytes as u32) == 0
        }
    }
}
