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

/// Powers of ten.
pub(super) const POWERS: [u64; 16] = {
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

/// The integer that the `size_bytes` at `at` are, written without fraction and exponent.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn integer_of<S: Simd>(at: *const u8, size_bytes: usize) -> Option<i64> {
    // SAFETY: as the caller promises.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let count = size_bytes.wrapping_sub(usize::from(negative));
        if count.wrapping_sub(1) >= 16 {
            return integer::<S>(at).filter(|found| found.1 == at.wrapping_add(size_bytes)).map(|found| found.0);
        }
        let value = S::digits_of(first, count)? as i64;
        if (*first == b'0') & (count > 1) {
            return None;
        }
        Some(if negative { -value } else { value })
    }
}

/// The float that the `size_bytes` at `at` are, written without exponent and with few enough digits for one exact division.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn float_of<S: Simd>(at: *const u8, size_bytes: usize) -> Option<f64> {
    // SAFETY: as the caller promises.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let count = size_bytes.wrapping_sub(usize::from(negative));
        if count.wrapping_sub(1) >= 16 {
            return float::<S>(at).filter(|found| found.1 == at.wrapping_add(size_bytes)).map(|found| found.0);
        }
        let (mantissa, scale) = S::decimal_of(first, count)?;
        let leads_with_zero = (*first == b'0') & (count > 1) & (*first.add(1) != b'.');
        if leads_with_zero | (mantissa > 1 << 53) {
            return None;
        }
        let value = mantissa as f64 / FLOAT_POWERS[scale];
        Some(if negative { -value } else { value })
    }
}

/// The most bytes of a number that are looked at at once.
pub(super) const MOST_BYTES: usize = 32;

/// Whether the `size_bytes` at `at`, at most `MOST_BYTES`, are an integer without a sign.
///
/// # Safety
/// 32 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn is_plain_integer<S: Simd>(at: *const u8, size_bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        let others = !u64::from(S::find_digits(at)) & ((1u64 << size_bytes) - 1);
        others == 0 && size_bytes != 0 && (*at != b'0' || size_bytes == 1)
    }
}

/// Whether the `size_bytes` at `at`, at most `MOST_BYTES`, are a number without an exponent.
///
/// # Safety
/// 34 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn is_plain_decimal<S: Simd>(at: *const u8, size_bytes: usize) -> bool {
    // SAFETY: as the caller promises; the point is at most 32 bytes behind the sign.
    unsafe {
        let sign = usize::from((*at == b'-') & (size_bytes != 0));
        let first = at.add(sign);
        // What is no digit behind the sign, and the end.
        let others = ((!u64::from(S::find_digits(at)) & ((1u64 << size_bytes) - 1)) | 1 << size_bytes) >> sign;
        let whole = others.trailing_zeros() as usize;
        // Without the first one: the end, if that was the point; nothing, if there is none.
        let behind = others & others.wrapping_sub(1);
        let is_point = (*first.add(whole) == b'.') & (behind != 2 << whole);
        let is_fraction = (behind & behind.wrapping_sub(1) == 0) & ((behind == 0) | is_point);
        // What a number looks like cannot be foreseen, so there are no branches.
        is_fraction & (whole != 0) & ((*first != b'0') | (whole == 1))
    }
}

/// Whether the `size_bytes` at `at` are a number without an exponent; false also where they are too many to be looked at at once.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
pub(super) unsafe fn is_plain_number<S: Simd>(at: *const u8, size_bytes: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { size_bytes <= MOST_BYTES && is_plain_decimal::<S>(at, size_bytes) }
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
