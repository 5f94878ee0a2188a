//! Numbers, eight digits at a time in a 64-bit word.
//!
//! Only what is common and certain is taken here: up to 18 digits, and floats that are an exact integer divided by an
//! exact power of ten, so that one division rounds correctly (W. D. Clinger, "How to Read Floating Point Numbers
//! Accurately", 1990). Everything else is `None` and goes to the scalar parser.
//!
//! This file must not know messages or columns.

use super::simd::portable::load;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The high bit of every byte that is no digit; exact up to and including the first one.
#[inline(always)]
fn non_digits(word: u64) -> u64 {
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

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A run of digits.
pub(super) struct Digits {
    /// Digits taken: at most 24.
    count: usize,
    /// Their value appended to the value before; wrong where there are more than 18 in all.
    value: u64,
}

/// Reads the digits at `at`, as if they continued `before`.
///
/// # Safety
/// 32 bytes are readable at `at`.
#[inline(always)]
unsafe fn digits(at: *const u8, before: u64) -> Digits {
    let (mut count, mut value) = (0, before);
    for _ in 0..3 {
        // SAFETY: at most 16 bytes behind `at`.
        let word = unsafe { load(at.add(count)) };
        let stop = non_digits(word).trailing_zeros() as usize / 8;
        if stop == 8 {
            value = value.wrapping_mul(100_000_000).wrapping_add(eight_digits(word ^ ZEROS));
            count += 8;
            continue;
        }
        if stop > 0 {
            let word = (word ^ ZEROS) << (64 - 8 * stop);
            value = value.wrapping_mul(POWERS[stop]).wrapping_add(eight_digits(word));
        }
        return Digits { count: count + stop, value };
    }
    Digits { count, value }
}

/// A number's whole part: sign, digits, no leading zero.
#[inline(always)]
unsafe fn whole(at: *const u8) -> Option<(bool, Digits, *const u8)> {
    // SAFETY: the caller gives 64 readable bytes; a sign and 24 digits are less.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let digits = digits(first, 0);
        if digits.count == 0 || digits.count > 18 || (*first == b'0' && digits.count > 1) {
            return None;
        }
        let after = first.add(digits.count);
        Some((negative, digits, after))
    }
}

/// The integer at `at` and the byte behind it; none where it has a fraction, an exponent or more than 18 digits.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn integer(at: *const u8) -> Option<(i64, *const u8)> {
    // SAFETY: as the caller promises.
    unsafe {
        let (negative, digits, after) = whole(at)?;
        if matches!(*after, b'.' | b'e' | b'E') {
            return None;
        }
        let value = digits.value as i64;
        Some((if negative { -value } else { value }, after))
    }
}

const FLOAT_POWERS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// The float at `at` and the byte behind it; none where it has an exponent or too many digits for one exact division.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn float(at: *const u8) -> Option<(f64, *const u8)> {
    // SAFETY: a sign, 18 digits, a point and 24 digits are less than the 64 bytes that the caller promises.
    unsafe {
        let (negative, mut all, mut after) = whole(at)?;
        let mut scale = 0;
        if *after == b'.' {
            let fraction = digits(after.add(1), all.value);
            scale = fraction.count;
            if scale == 0 || all.count + scale > 18 {
                return None;
            }
            after = after.add(1 + scale);
            all.value = fraction.value;
        }
        if all.value > 1 << 53 || matches!(*after, b'e' | b'E') {
            return None;
        }
        let value = all.value as f64 / FLOAT_POWERS[scale];
        Some((if negative { -value } else { value }, after))
    }
}

/// The byte behind the digits at `at`; at most 8 bytes behind `end`.
///
/// # Safety
/// `at <= end`, and 64 bytes are readable behind `end`.
#[inline(always)]
unsafe fn skip_digits(mut at: *const u8, end: *const u8) -> *const u8 {
    loop {
        // SAFETY: the load starts at or before `end`.
        let stop = non_digits(unsafe { load(at) }).trailing_zeros() as usize / 8;
        at = at.wrapping_add(stop);
        if stop < 8 || at >= end {
            return at;
        }
    }
}

/// The byte behind the number at `at`, if it is one; perhaps behind `end`, where the message ends inside of it.
///
/// # Safety
/// `at <= end`, and 64 bytes are readable behind `end`.
#[inline(always)]
pub(super) unsafe fn skip_number(at: *const u8, end: *const u8) -> Option<*const u8> {
    // SAFETY: each run of digits starts at or before `end`, which is tested where the one before may have passed it; single bytes are
    // read at most a dozen behind it.
    unsafe {
        let first = at.add(usize::from(*at == b'-'));
        let mut after = skip_digits(first.min(end), end);
        if after <= first || (*first == b'0' && after > first.add(1)) || after > end {
            return None;
        }
        if *after == b'.' {
            let fraction = after.add(1).min(end);
            let stop = skip_digits(fraction, end);
            if stop == fraction || stop > end {
                return None;
            }
            after = stop;
        }
        if *after | 0x20 == b'e' {
            let sign = after.add(1);
            let exponent = sign.add(usize::from(matches!(*sign, b'+' | b'-'))).min(end);
            let stop = skip_digits(exponent, end);
            if stop == exponent || stop > end {
                return None;
            }
            after = stop;
        }
        Some(after)
    }
}
