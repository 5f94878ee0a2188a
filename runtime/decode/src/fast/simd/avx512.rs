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

/// The bytes that are special, and those that are not ASCII.
#[inline(always)]
unsafe fn classify(bytes: __m512i) -> (u64, u64) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe {
        let special = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8))
            | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8))
            | _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
        (special, _mm512_movepi8_mask(bytes))
    }
}

impl Simd for Avx512 {
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
    unsafe fn mark(at: *const u8, size_bytes: usize, marks: *mut u64) -> bool {
        let mut high = 0;
        // SAFETY: every load starts inside the bytes (or at their end).
        unsafe {
            for word in 0..size_bytes / 64 {
                let (special, not_ascii) = classify(load(at.add(64 * word)));
                marks.add(word).write(special);
                high |= not_ascii;
            }
            let (special, not_ascii) = classify(load(at.add(size_bytes & !63)));
            let rest = size_bytes as u32 % 64;
            marks.add(size_bytes / 64).write(_bzhi_u64(special, rest));
            high | _bzhi_u64(not_ascii, rest) == 0
        }
    }

    #[inline(always)]
    unsafe fn digits(at: *const u8) -> (usize, u64) {
        // SAFETY: as the caller promises; AVX-512 comes with AVX2.
        unsafe { super::avx2::digits(at) }
    }
}
