//! AVX-512: 64 bytes at a time, with compare results as masks.
//!
//! This file must not know JSON's grammar.

use std::arch::x86_64::*;

use super::{Indexed, LANES, Piece, Place, Simd, avx2};

/// AVX-512 with BW, VL and VBMI2.
pub(crate) struct Avx512;

#[inline(always)]
unsafe fn load(at: *const u8) -> __m512i {
    // SAFETY: the caller gives 64 readable bytes.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

/// The bytes that are `"`, and those that are `\` or a control character.
#[inline(always)]
unsafe fn classify(bytes: __m512i) -> (u64, u64) {
    // SAFETY: the caller has made sure of the instruction set.
    unsafe {
        let odd = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8))
            | _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
        (_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8)), odd)
    }
}

/// The numbers from 0 to 63.
static ALL_POSITIONS: [u8; 64] = {
    let mut positions = [0; 64];
    let mut index = 0;
    while index < 64 {
        positions[index] = index as u8;
        index += 1;
    }
    positions
};

impl Simd for Avx512 {
    const FINDS_AT_ONCE: bool = true;

    #[inline(always)]
    unsafe fn same_distances(quotes: *const u32, distances: &[u32], masks: &[u32]) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let mut wrong = _mm512_setzero_si512();
            for index in (0..distances.len()).step_by(LANES) {
                let load = |at: *const u32| _mm512_loadu_si512(at.add(index).cast());
                let found = _mm512_sub_epi32(load(quotes.add(1)), load(quotes));
                let differs = _mm512_xor_si512(found, load(distances.as_ptr()));
                wrong = _mm512_or_si512(wrong, _mm512_and_si512(differs, load(masks.as_ptr())));
            }
            _mm512_test_epi32_mask(wrong, wrong) == 0
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
        // SAFETY: as the caller promises; AVX-512 comes with AVX2.
        unsafe { avx2::digits_of(at, count) }
    }

    #[inline(always)]
    unsafe fn decimal_of(at: *const u8, count: usize) -> Option<(u64, usize)> {
        // SAFETY: as above.
        unsafe { avx2::decimal_of(at, count) }
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
    fn first_bytes(word: u64, size_bytes: usize) -> u64 {
        // SAFETY: who runs this has made sure of the instruction set.
        unsafe { _bzhi_u64(word, 8 * size_bytes as u32) }
    }

    #[inline(always)]
    unsafe fn equal_32(a: *const u8, b: *const u8, size_bytes: usize) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let (a, b) = (_mm256_loadu_si256(a.cast()), _mm256_loadu_si256(b.cast()));
            _bzhi_u32(_mm256_cmpneq_epi8_mask(a, b), size_bytes as u32) == 0
        }
    }

    #[inline(always)]
    unsafe fn index(at: *const u8, size_bytes: usize, marks: *mut u64, quotes: *mut u32) -> Indexed {
        let (mut count, mut odd_count) = (0, 0);
        // SAFETY: every load starts inside the bytes (or at their end); there are at most as many quotes as bytes.
        unsafe {
            let mut all = _mm512_setzero_si512();
            for word in 0..size_bytes / 64 {
                let bytes = load(at.add(64 * word));
                let (quote, odd) = classify(bytes);
                all = _mm512_or_si512(all, bytes);
                marks.add(word).write(quote | odd);
                Avx512::positions(quote, 64 * word as u32, quotes.add(count));
                count += quote.count_ones() as usize;
                odd_count += odd.count_ones();
            }
            let rest = size_bytes as u32 % 64;
            let bytes = _mm512_maskz_mov_epi8(_bzhi_u64(u64::MAX, rest), load(at.add(size_bytes & !63)));
            let (quote, odd) = classify(bytes);
            let odd = _bzhi_u64(odd, rest);
            all = _mm512_or_si512(all, bytes);
            marks.add(size_bytes / 64).write(quote | odd);
            Avx512::positions(quote, size_bytes as u32 & !63, quotes.add(count));
            count += quote.count_ones() as usize;
            odd_count += odd.count_ones();
            Indexed { quotes: count, odd: odd_count, is_ascii: _mm512_movepi8_mask(all) == 0 }
        }
    }

    #[inline(always)]
    unsafe fn find(at: *const u8, byte: u8) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { _mm512_cmpeq_epi8_mask(load(at), _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    unsafe fn find_not_ascii(at: *const u8) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { _mm512_movepi8_mask(load(at)) }
    }

    #[inline(always)]
    unsafe fn positions(bits: u64, base: u32, into: *mut u32) {
        // SAFETY: as the caller promises.
        unsafe {
            let found = _mm512_maskz_compress_epi8(bits, load(ALL_POSITIONS.as_ptr()));
            let base = _mm512_set1_epi32(base as i32);
            let wide = |found| _mm512_add_epi32(_mm512_cvtepu8_epi32(found), base);
            _mm512_storeu_si512(into.cast(), wide(_mm512_castsi512_si128(found)));
            if bits.count_ones() > 16 {
                _mm512_storeu_si512(into.add(16).cast(), wide(_mm512_extracti32x4_epi32::<1>(found)));
                _mm512_storeu_si512(into.add(32).cast(), wide(_mm512_extracti32x4_epi32::<2>(found)));
                _mm512_storeu_si512(into.add(48).cast(), wide(_mm512_extracti32x4_epi32::<3>(found)));
            }
        }
    }

    #[inline(always)]
    unsafe fn scalar_size(at: *const u8) -> usize {
        // SAFETY: as the caller promises.
        unsafe {
            let bytes = _mm256_loadu_si256(at.cast());
            // The closing brackets differ from each other in one bit.
            let closing = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
            let ends = _mm256_cmpeq_epi8_mask(bytes, _mm256_set1_epi8(b',' as i8))
                | _mm256_cmpeq_epi8_mask(closing, _mm256_set1_epi8(b'}' as i8))
                | _mm256_cmplt_epu8_mask(bytes, _mm256_set1_epi8(0x21));
            ends.trailing_zeros() as usize
        }
    }

    #[inline(always)]
    unsafe fn find_digits(at: *const u8) -> u32 {
        // SAFETY: as the caller promises.
        unsafe {
            let digits = _mm256_sub_epi8(_mm256_loadu_si256(at.cast()), _mm256_set1_epi8(b'0' as i8));
            _mm256_cmplt_epu8_mask(digits, _mm256_set1_epi8(10))
        }
    }

    #[inline(always)]
    fn opaque(value: usize) -> usize {
        avx2::opaque(value)
    }

    #[inline(always)]
    unsafe fn digits(at: *const u8) -> (usize, u64) {
        // SAFETY: as the caller promises; AVX-512 comes with AVX2.
        unsafe { avx2::digits(at) }
    }
}
