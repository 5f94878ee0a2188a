//! Numbers, 16 digits at a time.
//!
//! Only what is common and certain is taken here: up to 18 digits, and floats that are an exact integer divided by an
//! exact power of ten, so that one division rounds correctly (W. D. Clinger, "How to Read Floating Point Numbers
//! Accurately", 1990). Everything else is `None` and goes to the scalar parser.
//!
//! This file must not know messages or columns.

use super::simd::Simd;
use super::simd::portable::{load, non_digits};

/// A number's whole part: whether it is negative, how many digits, what they are worth, and the byte behind them. None where
/// it is no number or has more than 18 digits.
#[inline(always)]
unsafe fn whole<S: Simd>(at: *const u8) -> Option<(bool, usize, u64, *const u8)> {
    // SAFETY: the caller gives 64 readable bytes.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let (mut count, mut value) = S::digits(first);
        if count == 16 {
            let (more, low) = S::digits(first.add(16));
            if more > 2 {
                return None;
            }
            value = value * POWERS[more] + low;
            count += more;
        }
        if count == 0 || (*first == b'0' && count > 1) {
            return None;
        }
        Some((negative, count, value, first.add(count)))
    }
}

/// The integer at `at` and the byte behind it; none where it has a fraction, an exponent or more than 18 digits.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn integer<S: Simd>(at: *const u8) -> Option<(i64, *const u8)> {
    // SAFETY: as the caller promises.
    unsafe {
        let (negative, _, value, after) = whole::<S>(at)?;
        if matches!(*after, b'.' | b'e' | b'E') {
            return None;
        }
        let value = value as i64;
        Some((if negative { -value } else { value }, after))
    }
}

const POWERS: [u64; 16] = {
    let mut powers = [1; 16];
    let mut index = 1;
    while index < 16 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// All of them exact.
const FLOAT_POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The float at `at` and the byte behind it; none where it has an exponent or too many digits for one exact division.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn float<S: Simd>(at: *const u8) -> Option<(f64, *const u8)> {
    // SAFETY: a sign, 18 digits, a point and 16 digits are less than the 64 bytes that the caller promises.
    unsafe {
        let (negative, count, mut mantissa, mut after) = whole::<S>(at)?;
        let mut scale = 0;
        if *after == b'.' {
            let fraction;
            (scale, fraction) = S::digits(after.add(1));
            if scale == 0 || scale == 16 || count + scale > 18 {
                return None;
            }
            after = after.add(1 + scale);
            mantissa = mantissa * POWERS[scale] + fraction;
        }
        if mantissa > 1 << 53 || matches!(*after, b'e' | b'E') {
            return None;
        }
        let value = mantissa as f64 / FLOAT_POWERS[scale];
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
