//! AVX-512: 64 bytes at a time, with compare results as masks.
//!
//! This file must not know JSON's grammar.

use std::arch::x86_64::*;

use super::Simd;

/// AVX-512 with BW, VL and VBMI2.
pub(crate) struct Avx512;

#[inline(always)]
unsafe fn load(at: *const u8) -> __m512i {
    // SAFETY: the caller gives 64 readable bytes.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

impl Simd for Avx512 {
    #[inline(always)]
    unsafe fn find_special(mut at: *const u8, end: *const u8) -> *const u8 {
        // SAFETY: every load starts before `end` (or at it, the first one), which has 64 readable bytes behind it.
        unsafe {
            loop {
                let bytes = load(at);
                let special = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8))
                    | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8))
                    | _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
                if special != 0 {
                    return at.add(special.trailing_zeros() as usize);
                }
                at = at.add(64);
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
            while size_bytes > 64 {
                if _mm512_cmpneq_epi8_mask(load(a), load(b)) != 0 {
                    return false;
                }
                a = a.add(64);
                b = b.add(64);
                size_bytes -= 64;
            }
            _bzhi_u64(_mm512_cmpneq_epi8_mask(load(a), load(b)), size_bytes as u32) == 0
        }
    }

    #[inline(always)]
    unsafe fn is_ascii(mut at: *const u8, mut size_bytes: usize) -> bool {
        // SAFETY: every load starts inside the bytes (or at their end).
        unsafe {
            let mut any = 0;
            while size_bytes > 64 {
                any |= _mm512_movepi8_mask(load(at));
                at = at.add(64);
                size_bytes -= 64;
            }
            any | _bzhi_u64(_mm512_movepi8_mask(load(at)), size_bytes as u32) == 0
        }
    }
}
