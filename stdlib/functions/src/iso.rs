//! Dates and times from ISO 8601 and RFC 3339 text, without a format.
//!
//! It accepts what the JSON decoder accepts in a message, and where a time zone is named also a time without offset.
//!
//! This file must not know time zones or patterns.

use crate::calendar::{DAY_US, days_in_month, days_of};

/// A time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Microseconds since the epoch, as if written in UTC.
    pub(crate) local_us: i64,
    /// The offset from UTC, where one is written.
    pub(crate) offset_us: Option<i64>,
}

pub(crate) const MINUTE_US: i64 = 60_000_000;

/// So many digits as a number; takes them off the front.
fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(count)?;
    let mut value = 0;
    for digit in digits {
        value = value * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    *rest = after;
    Some(value)
}

fn eat(rest: &mut &[u8], wanted: &[u8]) -> bool {
    match rest.split_first() {
        Some((first, after)) if wanted.contains(first) => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn date_part(rest: &mut &[u8]) -> Option<i64> {
    let year = i64::from(digits(rest, 4)?);
    let month = eat(rest, b"-").then(|| digits(rest, 2))??;
    let day = eat(rest, b"-").then(|| digits(rest, 2))??;
    let valid = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| days_of(year, month, day))
}

/// Digits of a fraction of a second as microseconds; the seventh and later round to the nearest.
pub(crate) fn fraction_us(rest: &mut &[u8]) -> Option<i64> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(count);
    *rest = after;
    let digit = |index: usize| digits.get(index).map_or(0, |digit| i64::from(digit - b'0'));
    (count > 0).then(|| (0..6).fold(0, |value, index| value * 10 + digit(index)) + i64::from(digit(6) >= 5))
}

fn time_part(rest: &mut &[u8]) -> Option<i64> {
    let hour = digits(rest, 2)?;
    let minute = eat(rest, b":").then(|| digits(rest, 2))??;
    let second = if eat(rest, b":") { digits(rest, 2)? } else { 0 };
    let fraction = if eat(rest, b".") { fraction_us(rest)? } else { 0 };
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some(i64::from((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
}

/// `Z`, `+01:00`, `+0100` or `+01` as microseconds.
pub(crate) fn offset_part(rest: &mut &[u8]) -> Option<i64> {
    if eat(rest, b"Zz") {
        return Some(0);
    }
    let negative = match rest.first()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    *rest = &rest[1..];
    let hours = digits(rest, 2)?;
    let minutes = match eat(rest, b":") {
        true => digits(rest, 2)?,
        false if rest.first().is_some_and(u8::is_ascii_digit) => digits(rest, 2)?,
        false => 0,
    };
    let magnitude_us = i64::from(hours * 60 + minutes) * MINUTE_US;
    (hours < 24 && minutes < 60).then_some(if negative { -magnitude_us } else { magnitude_us })
}

/// `2023-11-14T22:13:20Z`; seconds, fraction and offset may be left out, and the whole time.
pub(crate) fn datetime(text: &str) -> Option<Written> {
    let mut rest = text.as_bytes();
    let days = date_part(&mut rest)?;
    let mut written = Written { local_us: days * DAY_US, offset_us: None };
    if eat(&mut rest, b"Tt ") {
        written.local_us += time_part(&mut rest)?;
        if !rest.is_empty() {
            written.offset_us = Some(offset_part(&mut rest)?);
        }
    }
    rest.is_empty().then_some(written)
}

/// `2023-11-14` as days since the epoch.
pub(crate) fn date(text: &str) -> Option<i32> {
    let mut rest = text.as_bytes();
    let days = date_part(&mut rest)?;
    rest.is_empty().then_some(days as i32)
}

/// `22:13:20.25` as microseconds since midnight.
pub(crate) fn time(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let time_us = time_part(&mut rest)?;
    (rest.is_empty() && time_us < DAY_US).then_some(time_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chalk_types::{format_date, format_datetime, format_time};

    #[test]
    fn what_is_printed_reads_back() {
        for us in [0, 1, -1, 1_700_000_000_123_450, -62_135_596_800_000_000, 253_402_300_799_999_999] {
            let written = datetime(&format_datetime(us)).expect("reads");
            assert_eq!((written.local_us, written.offset_us), (us, Some(0)));
        }
        assert_eq!(date(&format_date(-719_162)), Some(-719_162));
        assert_eq!(time(&format_time(79_999_000_001)), Some(79_999_000_001));
    }

    #[test]
    fn offsets_and_fractions() {
        for (text, us) in [
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01 00:00:00.0000005Z", 1),
            ("1970-01-01t00:00:00-0130", 5_400_000_000),
            ("1970-01-01T00:00-01", 3_600_000_000),
        ] {
            let written = datetime(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(written.local_us - written.offset_us.expect("an offset"), us, "{text}");
        }
        assert_eq!(datetime("2024-01-01").map(|written| written.offset_us), Some(None));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024",
            "2024-13-01",
            "2024-02-30",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00Z ",
            "२०२४-01-01",
            "2024-01-01T",
            "2024-1-1",
            "2024-01-01T00:00:00+1",
        ] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
