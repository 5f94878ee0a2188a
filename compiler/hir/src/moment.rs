//! Moments written in a program: RFC 3339 text, with an offset.
//!
//! `start:` of `@materialize` and `at` of a test are such texts. Neither is an expression, so no function of the library is asked.
//!
//! This file must not know who asks.

/// Microseconds since the epoch; an error is a sentence.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    read(text).ok_or_else(|| format!("`{text}` is no time: RFC 3339 is wanted, with an offset"))
}

fn read(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<i64> {
        let part = bytes.get(from..from + digits)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut micros = 0;
    if is(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 6 {
            return None;
        }
        micros = number(at + 1, digits)? * 10_i64.pow(6 - digits as u32);
        at += 1 + digits;
    }
    let offset_minutes = if is(at, b"Zz") {
        at += 1;
        0
    } else {
        let sign = match bytes.get(at)? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
        if !is(at + 3, b":") || hours > 23 || minutes > 59 {
            return None;
        }
        at += 6;
        sign * (hours * 60 + minutes)
    };
    if at != bytes.len() {
        return None;
    }
    let days = days_before(year) + day_of_year(month, is_leap) + day - 1 - days_before(1970);
    let seconds = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

/// Days from the first of January of the year 1 to that of `year`, in the Gregorian calendar.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

/// Days of the year before a month.
fn day_of_year(month: i64, is_leap: bool) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    BEFORE[month as usize - 1] + i64::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn moments_are_read_as_they_are_printed() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2023-11-14T22:13:20Z",
            "2024-02-29T23:59:59.5Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(chalk_types::format_datetime(parse(text).expect(text)), text);
        }
        assert_eq!(parse("2024-01-01T01:30:00+01:30"), parse("2024-01-01T00:00:00Z"));
        assert_eq!(parse("2023-12-31T22:00:00-02:00"), parse("2024-01-01T00:00:00Z"));
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.1234567Z",
            "2024-01-01T00:00:00Zx",
            "2024-13-01T00:00:00Z",
            "2024-01-01T00:00:00+1:00",
            "é024-01-01T00:00:00Z",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
