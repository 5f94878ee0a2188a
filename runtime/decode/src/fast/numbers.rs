//! Numbers, bools and moments that travel as numbers, into columns of their types.
//!
//! `number.rs` says what the digits at an address are worth; here is what each type makes of them, and that it fits. What
//! does not fit, or is written in an uncommon way, is nothing, and nothing has been written.
//!
//! This file must not know what is around a value.

use chalk_artifact::decode_plan::UnixUnit;

use super::nearest::nearest;
use super::number;
use super::simd::Simd;
use super::walker::Walk;
use crate::columns::ColumnId;

const TRUE: u32 = u32::from_le_bytes(*b"true");
const ALSE: u32 = u32::from_le_bytes(*b"alse");
const NULL: u32 = u32::from_le_bytes(*b"null");

/// Four bytes, the first one lowest.
#[inline(always)]
unsafe fn word(at: *const u8) -> u32 {
    // SAFETY: the caller gives 4 readable bytes.
    u32::from_le(unsafe { at.cast::<u32>().read_unaligned() })
}

/// Whether `null` stands at `at`.
///
/// # Safety
/// 4 bytes are readable.
#[inline(always)]
pub(super) unsafe fn is_null(at: *const u8) -> bool {
    // SAFETY: as the caller promises.
    unsafe { word(at) == NULL }
}

/// # Safety
/// As `values::read`; the column has bits.
#[inline(always)]
pub(super) unsafe fn boolean(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let (value, after) = match word(at) {
            TRUE => (true, at.add(4)),
            _ if *at == b'f' && word(at.add(1)) == ALSE => (false, at.add(5)),
            _ => return None,
        };
        walk.reading.columns.put_bool(column, walk.row, value);
        Some(after)
    }
}

/// The integer at `at` without its sign, whether it is negative, and the byte behind it: up to 20 digits, as many as a `u64` can have.
/// None where it has a fraction or an exponent.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
unsafe fn whole<S: Simd>(at: *const u8) -> Option<(u64, bool, *const u8)> {
    // SAFETY: as the caller promises; a sign and 32 digits are less than 64 bytes.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let (mut count, mut value) = S::digits(first);
        if count == 16 {
            let (more, low) = S::digits(first.add(16));
            if more > 4 {
                return None;
            }
            value = value.checked_mul(POWERS[more])?.checked_add(low)?;
            count += more;
        }
        let after = first.add(count);
        if count == 0 || (*first == b'0' && count > 1) || matches!(*after, b'.' | b'e' | b'E') {
            return None;
        }
        Some((value, negative, after))
    }
}

/// The integer at `at` and the byte behind it; none where no `i64` holds it.
///
/// # Safety
/// As `whole`.
#[inline(always)]
unsafe fn signed<S: Simd>(at: *const u8) -> Option<(i64, *const u8)> {
    // SAFETY: as the caller promises.
    let (value, negative, after) = unsafe { whole::<S>(at)? };
    if value > i64::MAX as u64 {
        // The least of all has no counterpart.
        return (negative && value == 1 << 63).then_some((i64::MIN, after));
    }
    Some((if negative { -(value as i64) } else { value as i64 }, after))
}

/// # Safety
/// As `values::read`; the column has `size_bytes` a row.
#[inline(always)]
pub(super) unsafe fn int<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    at: *const u8,
    (low, high): (i64, i64),
    size_bytes: u8,
) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let (value, after) = signed::<S>(at)?;
        if value < low || value > high {
            return None;
        }
        let (columns, row) = (&mut *walk.reading.columns, walk.row);
        match size_bytes {
            1 => columns.put_unchecked(column, row, value as u8),
            2 => columns.put_unchecked(column, row, value as u16),
            4 => columns.put_unchecked(column, row, value as u32),
            _ => columns.put_unchecked(column, row, value as u64),
        }
        Some(after)
    }
}

/// # Safety
/// As `values::read`; the column has 8 bytes a row.
#[inline(always)]
pub(super) unsafe fn uint64<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let (value, negative, after) = whole::<S>(at)?;
        if negative && value != 0 {
            return None;
        }
        walk.reading.columns.put_unchecked(column, walk.row, value);
        Some(after)
    }
}

/// The float at `at` and the byte behind it: up to 19 digits, and any exponent that `nearest` takes.
///
/// # Safety
/// 64 bytes are readable at `at`.
#[inline(always)]
unsafe fn float<S: Simd>(at: *const u8) -> Option<(f64, *const u8)> {
    // SAFETY: as the caller promises.
    unsafe {
        match number::float::<S>(at) {
            Some(found) => Some(found),
            None => S::long_float(at),
        }
    }
}

/// As `float`, where one division does not do.
///
/// # Safety
/// As `float`.
#[inline(always)]
pub(super) unsafe fn long_float<S: Simd>(at: *const u8) -> Option<(f64, *const u8)> {
    // SAFETY: as the caller promises; a sign, 19 digits, a point, 19 digits and an exponent of 18 are less than 64 bytes.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let (mut count, mut value) = S::digits(first);
        let mut after = first.add(count);
        if count == 16 {
            (count, value, after) = more_digits::<S>(after, count, value)?;
        }
        if count == 0 || (*first == b'0' && count > 1) {
            return None;
        }
        let mut power = 0;
        if *after == b'.' {
            let (places, fraction) = S::digits(after.add(1));
            after = after.add(1 + places);
            // Zeros in front are no digits that count.
            let used = if value == 0 { 0 } else { count };
            if places == 0 || used + places > MOST_DIGITS {
                return None;
            }
            value = value * POWERS[places] + fraction;
            power = -(places as i32);
            if places == 16 {
                let (all, whole, behind) = more_digits::<S>(after, used + places, value)?;
                power -= (all - used - places) as i32;
                (value, after) = (whole, behind);
            }
        }
        if matches!(*after, b'e' | b'E') {
            let minus = *after.add(1) == b'-';
            let digits = after.add(1 + usize::from(minus || *after.add(1) == b'+'));
            let (count, exponent) = S::digits(digits);
            if count == 0 || count > 3 {
                return None;
            }
            power += if minus { -(exponent as i32) } else { exponent as i32 };
            after = digits.add(count);
        }
        let value = nearest(value, power)?;
        Some((if negative { -value } else { value }, after))
    }
}

/// Digits that a `u64` always holds.
const MOST_DIGITS: usize = 19;

/// What comes behind 16 digits: how many digits there are in all, what they are worth, and the byte behind them; none where they
/// are more than a `u64` holds.
///
/// # Safety
/// 16 bytes are readable at `at`.
#[inline(always)]
unsafe fn more_digits<S: Simd>(at: *const u8, count: usize, value: u64) -> Option<(usize, u64, *const u8)> {
    // SAFETY: as the caller promises.
    let (more, low) = unsafe { S::digits(at) };
    if count + more > MOST_DIGITS {
        return None;
    }
    // SAFETY: so many bytes were looked at.
    Some((count + more, value * POWERS[more] + low, unsafe { at.add(more) }))
}

/// # Safety
/// As `values::read`; the column has 8 bytes a row.
#[inline(always)]
pub(super) unsafe fn float64<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let (value, after) = float::<S>(at)?;
        walk.reading.columns.put_unchecked(column, walk.row, value.to_bits());
        Some(after)
    }
}

/// A `float32` by way of a correctly rounded `float`: rounding twice gives the nearest, unless the first rounding has
/// moved the number onto the middle between two `float32`s, or the second one is into their subnormals.
///
/// # Safety
/// As `values::read`; the column has 4 bytes a row.
#[inline(always)]
pub(super) unsafe fn float32<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    /// The bits of a `float`'s mantissa that a `float32` lacks, and the highest of them.
    const LOST: u64 = (1 << 29) - 1;
    const MIDDLE: u64 = 1 << 28;
    // SAFETY: as the caller promises.
    unsafe {
        let (value, after) = float::<S>(at)?;
        let is_middle = value.to_bits() & LOST == MIDDLE;
        if is_middle
            || (value != 0.0 && value.abs() < f64::from(f32::MIN_POSITIVE))
            || value.abs() > f64::from(f32::MAX)
        {
            return None;
        }
        walk.reading.columns.put_unchecked(column, walk.row, (value as f32).to_bits());
        Some(after)
    }
}

/// Powers of ten that a `u64` holds.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut index = 1;
    while index < 20 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// A number without an exponent and with no more places than the type has: up to 16 digits before the point and 15 behind it.
///
/// # Safety
/// As `values::read`; the column has 16 bytes a row.
#[inline(always)]
pub(super) unsafe fn decimal<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    at: *const u8,
    scale: u8,
    limit: u128,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; a sign, 16 digits, a point and 16 digits are less than 64 bytes.
    unsafe {
        let negative = *at == b'-';
        let first = at.add(usize::from(negative));
        let (count, whole) = S::digits(first);
        if count == 0 || count == 16 || (*first == b'0' && count > 1) {
            return None;
        }
        let mut after = first.add(count);
        let (mut places, mut fraction) = (0, 0);
        if *after == b'.' {
            (places, fraction) = S::digits(after.add(1));
            if places == 0 || places == 16 {
                return None;
            }
            after = after.add(1 + places);
        }
        let missing = usize::from(scale).checked_sub(places)?;
        if matches!(*after, b'e' | b'E') {
            return None;
        }
        // Below 10 to the 31st, and times at most 10 to the 38th: so the greater factor is held back first.
        let unscaled = u128::from(whole) * u128::from(POWERS[places]) + u128::from(fraction);
        let unscaled = if missing < POWERS.len() {
            unscaled.checked_mul(u128::from(POWERS[missing]))?
        } else {
            unscaled.checked_mul(10u128.checked_pow(missing as u32)?)?
        };
        if unscaled >= limit {
            return None;
        }
        let unscaled = if negative { -(unscaled as i128) } else { unscaled as i128 };
        walk.reading.columns.put_unchecked(column, walk.row, unscaled);
        Some(after)
    }
}

/// # Safety
/// As `values::read`; the column has 8 bytes a row.
#[inline(always)]
pub(super) unsafe fn unix<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    at: *const u8,
    unit: UnixUnit,
) -> Option<*const u8> {
    // SAFETY: as the caller promises.
    unsafe {
        let (value, after) = signed::<S>(at)?;
        let value_us = match unit {
            UnixUnit::Seconds => value.checked_mul(1_000_000)?,
            UnixUnit::Millis => value.checked_mul(1_000)?,
            UnixUnit::Micros => value,
            // To the nearest, halves upwards.
            UnixUnit::Nanos => value.checked_add(500)?.div_euclid(1_000),
        };
        walk.reading.columns.put_unchecked(column, walk.row, value_us as u64);
        Some(after)
    }
}
