//! Dates, times and durations from text (RFC 3339, ISO 8601) and from integers.
//!
//! This file must not know messages or columns.

use chalk_artifact::decode_plan::UnixUnit;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        match self.0 {
            [first, rest @ ..] if *first == wanted => {
                self.0 = rest;
                Some(())
            }
            _ => None,
        }
    }

    /// Digits after a point, as microseconds; the seventh and later ones round to the nearest.
    fn fraction_us(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let digit = |index: usize| digits.get(index).map_or(0, |digit| i64::from(digit - b'0'));
        let micros = (0..6).fold(0, |value, index| value * 10 + digit(index));
        Some(micros + i64::from(digit(6) >= 5))
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn date_part(rest: &mut Rest<'_>) -> Option<i64> {
    let year = rest.digits(4)?;
    rest.byte(b'-')?;
    let month = rest.digits(2)?;
    rest.byte(b'-')?;
    let day = rest.digits(2)?;
    ((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

fn time_part(rest: &mut Rest<'_>) -> Option<i64> {
    let hour = rest.digits(2)?;
    rest.byte(b':')?;
    let minute = rest.digits(2)?;
    rest.byte(b':')?;
    let second = rest.digits(2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_us = if rest.byte(b'.').is_some() { rest.fraction_us()? } else { 0 };
    Some(((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + fraction_us)
}

/// The form of a date, for errors.
pub(crate) const DATE_FORM: &str = "a date such as \"2023-11-14\"";
/// The form of a time.
pub(crate) const TIME_FORM: &str = "a time of day such as \"22:13:20\" or \"22:13:20.25\"";
/// The form of a datetime.
pub(crate) const DATETIME_FORM: &str = "an RFC 3339 time with an offset, such as \"2023-11-14T22:13:20Z\"";
/// The form of a duration.
pub(crate) const DURATION_FORM: &str =
    "an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as \"PT1H30M\"";

/// `2023-11-14`, as days since the epoch.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let mut rest = Rest(text);
    let days = date_part(&mut rest)?;
    rest.0.is_empty().then_some(days as i32)
}

/// `22:13:20.25`, as microseconds since midnight.
pub(crate) fn time(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let time_us = time_part(&mut rest)?;
    (rest.0.is_empty() && time_us < MICROS_PER_DAY).then_some(time_us)
}

/// `2023-11-14T22:13:20Z` or with an offset such as `+01:00`, as microseconds since the epoch.
pub(crate) fn datetime(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let days = date_part(&mut rest)?;
    match rest.0 {
        [b'T' | b't' | b' ', after @ ..] => rest.0 = after,
        _ => return None,
    }
    let time_us = time_part(&mut rest)?;
    let offset_minutes = match rest.0 {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), after @ ..] => {
            rest.0 = after;
            let hours = rest.digits(2)?;
            rest.byte(b':')?;
            let minutes = rest.digits(2)?;
            if hours > 23 || minutes > 59 || !rest.0.is_empty() {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    Some(days * MICROS_PER_DAY + time_us - offset_minutes * 60 * MICROS_PER_SECOND)
}

/// `PT1H30M`, `-P1DT0.5S`, `P2W`, as microseconds. A day is 24 hours; years and months have no fixed length and are refused.
pub(crate) fn duration(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let negative = rest.byte(b'-').is_some();
    if !negative {
        let _ = rest.byte(b'+');
    }
    rest.byte(b'P')?;
    // Units in the order in which they may stand; `T` comes before the hours.
    const UNITS: [(u8, i64); 5] = [(b'W', 7 * 86_400), (b'D', 86_400), (b'H', 3_600), (b'M', 60), (b'S', 1)];
    let (mut next_unit, mut in_time, mut total_us, mut parts, mut parts_in_time) = (0, false, 0i128, 0, 0);
    while !rest.0.is_empty() {
        if !in_time && rest.byte(b'T').is_some() {
            (in_time, next_unit) = (true, next_unit.max(2));
            continue;
        }
        let count = rest.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || count > 18 {
            return None;
        }
        let number = rest.digits(count)?;
        let fraction_us = if rest.byte(b'.').is_some() { Some(rest.fraction_us()?) } else { None };
        let [letter, after @ ..] = rest.0 else { return None };
        let unit = UNITS.iter().position(|(name, _)| name == letter)?;
        if unit < next_unit || (unit >= 2) != in_time || (fraction_us.is_some() && unit != 4) {
            return None;
        }
        total_us += i128::from(number) * i128::from(UNITS[unit].1) * i128::from(MICROS_PER_SECOND);
        total_us += i128::from(fraction_us.unwrap_or(0));
        rest.0 = after;
        next_unit = unit + 1;
        parts += 1;
        parts_in_time += i32::from(in_time);
    }
    if parts == 0 || (in_time && parts_in_time == 0) {
        return None;
    }
    i64::try_from(if negative { -total_us } else { total_us }).ok()
}

/// An integer of that unit as microseconds; nanoseconds round to the nearest, halves upwards.
pub(crate) fn from_unit(value: i128, unit: UnixUnit) -> Option<i64> {
    let value_us = match unit {
        UnixUnit::Seconds => value.checked_mul(1_000_000)?,
        UnixUnit::Millis => value.checked_mul(1_000)?,
        UnixUnit::Micros => value,
        UnixUnit::Nanos => value.checked_add(500)?.div_euclid(1_000),
    };
    i64::try_from(value_us).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chalk_types::{format_date, format_datetime, format_duration};

    #[test]
    fn datetimes_read_with_every_offset_and_round_to_the_microsecond() {
        for (text, printed) in [
            ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"),
            ("2023-11-14t22:13:20.5z", "2023-11-14T22:13:20.5Z"),
            ("2023-11-14 23:13:20+01:00", "2023-11-14T22:13:20Z"),
            ("1969-12-31T23:59:59.9999994Z", "1969-12-31T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.9999995Z", "1970-01-01T00:00:00Z"),
            ("2000-02-29T00:00:00-00:00", "2000-02-29T00:00:00Z"),
        ] {
            assert_eq!(datetime(text.as_bytes()).map(format_datetime).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn datetimes_that_are_none_are_refused() {
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13Z",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:60Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+0100",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20Z ",
            "+2023-11-14T22:13:20Z",
        ] {
            assert_eq!(datetime(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_a_few_centuries_reads_back() {
        for days in -200_000..200_000 {
            assert_eq!(date(format_date(days).as_bytes()), Some(days));
        }
    }

    #[test]
    fn durations_read_what_they_print() {
        for value_us in [0, 1, 5_400_000_000, -500_000, i64::MAX, 86_400_000_000] {
            assert_eq!(duration(format_duration(value_us).as_bytes()), Some(value_us));
        }
        assert_eq!(duration(b"P1W2DT3H"), Some((9 * 24 + 3) * 3_600_000_000));
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "P1M",
            "P1Y",
            "PT1H1H",
            "PT1M1H",
            "PT1.5H",
            "1h",
            "PT1",
            "P1H",
            "PT99999999999999999999S",
        ] {
            assert_eq!(duration(text.as_bytes()), None, "{text}");
        }
    }
}
