//! Dates, times and durations from text, eight bytes at a time.
//!
//! The forms are fixed, so that digits and separators are checked together: a text is compared with its form, and what may
//! differ are digits. `scalar/time.rs` says what is right; whatever is written in another way than the usual one is nothing here.
//!
//! This file must not know what is around a value.

use super::simd::Simd;
use super::simd::portable::load;
use super::walker::Walk;
use crate::columns::ColumnId;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What has to be added to each byte of a difference from the form, so that a wrong one reaches its high bit: more than 9 in a
/// digit's place, more than 0 in another's.
const fn limits(form: u64) -> u64 {
    let bytes = form.to_le_bytes();
    let (mut limits, mut index) = ([0; 8], 0);
    while index < 8 {
        limits[index] = if bytes[index] == b'0' { 0x76 } else { 0x7f };
        index += 1;
    }
    u64::from_le_bytes(limits)
}

/// Eight bytes as their difference from a form, in which `0` stands for any digit: what is left is what each digit is worth. None
/// where a separator is another, or a digit is none.
#[inline(always)]
fn compare<const FORM: u64>(word: u64) -> Option<u64> {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let digits = word ^ FORM;
    let wrong = (((digits & !HIGH) + const { limits(FORM) }) | digits) & HIGH;
    (wrong == 0).then_some(digits)
}

/// The two digits whose bytes begin at `index`.
#[inline(always)]
fn pair(digits: u64, index: u32) -> i64 {
    let pair = digits >> (8 * index);
    ((pair & 0xf) * 10 + (pair >> 8 & 0xf)) as i64
}

const DATE: u64 = u64::from_le_bytes(*b"0000-00-");
const HOURS: u64 = u64::from_le_bytes(*b"00:00:00");

/// Days of each month; whether February has its last one is looked at apart.
const DAYS_IN_MONTH: [u8; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Days since 1970-01-01; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
#[inline(always)]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // No year is negative here, and the year 0 has a January that belongs to the era before.
    let year = year - i64::from(month <= 2);
    let era = if year >= 0 { year / 400 } else { -1 };
    let year_of_era = year - era * 400;
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The ten bytes of a date as days since the epoch.
///
/// # Safety
/// 16 bytes are readable at `at`.
#[inline(always)]
unsafe fn days(at: *const u8) -> Option<i64> {
    // SAFETY: as the caller promises.
    unsafe {
        let digits = compare::<DATE>(load(at))?;
        let (tens, ones) = ((*at.add(8)).wrapping_sub(b'0'), (*at.add(9)).wrapping_sub(b'0'));
        if tens > 9 || ones > 9 {
            return None;
        }
        let (year, month, day) =
            (pair(digits, 0) * 100 + pair(digits, 2), pair(digits, 5), i64::from(tens * 10 + ones));
        let days_in_month = i64::from(*DAYS_IN_MONTH.get(month as usize)?);
        if day < 1 || day > days_in_month {
            return None;
        }
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if month == 2 && day == 29 && !is_leap {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }
}

/// The time of day at `at` as microseconds since midnight, a day at most, and the byte behind it.
///
/// # Safety
/// 32 bytes are readable at `at`.
#[inline(always)]
unsafe fn time_of_day<S: Simd>(at: *const u8) -> Option<(i64, *const u8)> {
    // SAFETY: as the caller promises.
    unsafe {
        let digits = compare::<HOURS>(load(at))?;
        let (hour, minute, second) = (pair(digits, 0), pair(digits, 3), pair(digits, 6));
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let time_us = ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND;
        let after = at.add(8);
        if *after != b'.' {
            return Some((time_us, after));
        }
        let (count, digits) = S::digits(after.add(1));
        Some((time_us + micros(count, digits)?, after.add(1 + count)))
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

/// So many digits behind a point as microseconds; the seventh digit rounds to the nearest, halves upwards.
#[inline(always)]
fn micros(count: usize, digits: u64) -> Option<i64> {
    match count {
        1..=6 => Some((digits * POWERS[6 - count]) as i64),
        7..16 => Some(((digits / POWERS[count - 7] + 5) / 10) as i64),
        _ => None,
    }
}

/// # Safety
/// As `values::read`; the column has 4 bytes a row.
#[inline(always)]
pub(super) unsafe fn date(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises; quotes and ten bytes.
    unsafe {
        if *at != b'"' || *at.add(11) != b'"' {
            return None;
        }
        let days = days(at.add(1))?;
        walk.reading.columns.put_unchecked(column, walk.row, days as i32);
        Some(at.add(12))
    }
}

/// # Safety
/// As `values::read`; the column has 8 bytes a row.
#[inline(always)]
pub(super) unsafe fn time<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises; quotes, eight bytes and a fraction of at most 16.
    unsafe {
        if *at != b'"' {
            return None;
        }
        let (time_us, after) = time_of_day::<S>(at.add(1))?;
        if *after != b'"' || time_us >= MICROS_PER_DAY {
            return None;
        }
        walk.reading.columns.put_unchecked(column, walk.row, time_us);
        Some(after.add(1))
    }
}

/// # Safety
/// As `values::read`; the column has 8 bytes a row.
#[inline(always)]
pub(super) unsafe fn datetime<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises; a quote, 19 bytes, a fraction of at most 16, an offset of 6 and a quote are less than 64.
    unsafe {
        if *at != b'"' || !matches!(*at.add(11), b'T' | b't' | b' ') {
            return None;
        }
        let days = days(at.add(1))?;
        let (time_us, mut after) = time_of_day::<S>(at.add(12))?;
        let mut value_us = days * MICROS_PER_DAY + time_us;
        if matches!(*after, b'Z' | b'z') {
            after = after.add(1);
        } else {
            let (offset_us, behind) = offset(after)?;
            value_us -= offset_us;
            after = behind;
        }
        if *after != b'"' {
            return None;
        }
        walk.reading.columns.put_unchecked(column, walk.row, value_us);
        Some(after.add(1))
    }
}

/// `+01:00` as microseconds, and the byte behind it.
///
/// # Safety
/// 8 bytes are readable at `at`.
#[inline(always)]
unsafe fn offset(at: *const u8) -> Option<(i64, *const u8)> {
    // SAFETY: as the caller promises.
    let word = unsafe { load(at) };
    let sign = match word as u8 {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    // Five bytes behind the sign; three more stand for themselves.
    const KEPT: u64 = (1 << 40) - 1;
    let digits = compare::<HOURS>((word >> 8 & KEPT) | (HOURS & !KEPT))?;
    let (hours, minutes) = (pair(digits, 0), pair(digits, 3));
    if hours > 23 || minutes > 59 {
        return None;
    }
    // SAFETY: as the caller promises.
    Some((sign * (hours * 60 + minutes) * 60 * MICROS_PER_SECOND, unsafe { at.add(6) }))
}

/// `PT1H30M`, `-P1DT0.5S`, `P2W`: each unit at most once and in its order, with at most six digits.
///
/// # Safety
/// As `values::read`; the column has 8 bytes a row.
pub(super) unsafe fn duration<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    /// Units in the order in which they may stand; `T` comes before the third.
    const UNITS: [(u8, i64); 5] = [(b'W', 7 * 86_400), (b'D', 86_400), (b'H', 3_600), (b'M', 60), (b'S', 1)];
    /// So that a part times its unit is far below what an `i64` holds.
    const MOST_DIGITS: usize = 6;
    // SAFETY: as the caller promises: `at` is in the message, and each part is refused before it goes further than 40 bytes
    // behind a byte that was tested against the end.
    unsafe {
        if *at != b'"' {
            return None;
        }
        let mut at = at.add(1);
        let negative = *at == b'-';
        at = at.add(usize::from(negative || *at == b'+'));
        if *at != b'P' {
            return None;
        }
        at = at.add(1);
        let (mut next, mut in_time, mut total_us) = (0, false, 0i64);
        let (mut parts, mut parts_in_time) = (0, 0);
        while *at != b'"' {
            if at >= walk.end {
                return None;
            }
            if *at == b'T' && !in_time {
                (in_time, next) = (true, next.max(2));
                at = at.add(1);
                continue;
            }
            let (count, number) = S::digits(at);
            if count == 0 || count > MOST_DIGITS {
                return None;
            }
            at = at.add(count);
            let mut fraction_us = 0;
            let has_fraction = *at == b'.';
            if has_fraction {
                let (count, digits) = S::digits(at.add(1));
                fraction_us = micros(count, digits)?;
                at = at.add(1 + count);
            }
            let unit = UNITS.iter().position(|(letter, _)| *letter == *at)?;
            if unit < next || (unit >= 2) != in_time || (has_fraction && unit != 4) {
                return None;
            }
            total_us += number as i64 * UNITS[unit].1 * MICROS_PER_SECOND + fraction_us;
            at = at.add(1);
            next = unit + 1;
            parts += 1;
            parts_in_time += i32::from(in_time);
        }
        if parts == 0 || (in_time && parts_in_time == 0) {
            return None;
        }
        walk.reading.columns.put_unchecked(column, walk.row, if negative { -total_us } else { total_us });
        Some(at.add(1))
    }
}
