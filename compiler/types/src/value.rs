//! One value of the language, as plain data: what the reference evaluator computes with and what defaults are stored as.
//!
//! It is deliberately simple and slow; the runtime works on columns. Text formats of values (datetimes as RFC 3339 and
//! so on) are here, because evaluator, JSON output and queries must print the same.
//!
//! This file must not know columns.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// A value of some type; the type is known from elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `none`
    Null,
    /// `bool`
    Bool(bool),
    /// Every integer type; wide enough for `uint64`.
    Int(i128),
    /// `float`; a `float32` is widened.
    Float(f64),
    /// `decimal`, unscaled.
    Decimal(i128),
    /// `string`
    String(String),
    /// `bytes`
    Bytes(Vec<u8>),
    /// Microseconds since the epoch, UTC.
    Datetime(i64),
    /// Days since the epoch.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds.
    Duration(i64),
    /// A list or a vector.
    List(Vec<Value>),
    /// Entries in the order of the wire.
    Map(Vec<(Value, Value)>),
    /// A message: its fields in declaration order.
    Struct(Vec<Value>),
    /// The index of an enum's variant.
    Enum(u32),
}

impl Value {
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// Days since 1970-01-01 to (year, month, day); Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Of `short_civil_from_days`: 0000-03-01 and 9999-12-31.
const FIRST_SHORT_DAY: i64 = -719_468;
const LAST_SHORT_DAY: i64 = 2_932_896;

/// The same for days from `FIRST_SHORT_DAY` to `LAST_SHORT_DAY` in less time; Cassio Neri and Lorenz Schneider, "Euclidean affine functions and their
/// application to calendar algorithms", 2022.
fn short_civil_from_days(days: i32) -> (u32, u32, u32) {
    let quarters = 4 * (days - FIRST_SHORT_DAY as i32) as u32 + 3;
    let (century, quarters_of_century) = (quarters / 146_097, (quarters % 146_097) | 3);
    let product = 2_939_745 * u64::from(quarters_of_century);
    let (year_of_century, day_of_year) = ((product >> 32) as u32, product as u32 / 2_939_745 / 4);
    let sum = 2_141 * day_of_year + 197_913;
    let (month, day) = (sum >> 16, (sum & 0xffff) / 2_141 + 1);
    let is_next_year = day_of_year >= 306;
    let year = 100 * century + year_of_century + u32::from(is_next_year);
    (year, if is_next_year { month - 12 } else { month }, day)
}

/// `2023-11-14`
pub fn format_date(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    if (0..=9999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+07}-{month:02}-{day:02}")
    }
}

/// `22:13:20` with a fraction of up to six digits where there is one.
pub fn format_time(time_us: i64) -> String {
    let (seconds, micros) = (time_us.div_euclid(1_000_000), time_us.rem_euclid(1_000_000));
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if micros != 0 {
        let _ = write!(text, ".{micros:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// `2023-11-14T22:13:20Z`, with a fraction of up to six digits where there is one.
pub fn format_datetime(datetime_us: i64) -> String {
    let mut text = Vec::new();
    write_datetime(&mut text, datetime_us);
    String::from_utf8(text).expect("digits and separators")
}

/// Two digits of every number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Appends what `format_datetime` gives; of years of four digits without another allocation.
pub fn write_datetime(text: &mut Vec<u8>, datetime_us: i64) {
    const DAY_US: i64 = 86_400_000_000;
    let (days, time_us) = (datetime_us.div_euclid(DAY_US), datetime_us.rem_euclid(DAY_US));
    if !(FIRST_SHORT_DAY..=LAST_SHORT_DAY).contains(&days) {
        return text.extend_from_slice(format!("{}T{}Z", format_date(days as i32), format_time(time_us)).as_bytes());
    }
    let (year, month, day) = short_civil_from_days(days as i32);
    let (seconds, micros) = ((time_us / 1_000_000) as u32, (time_us % 1_000_000) as u32);
    let mut digits = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |at: usize, value: u32| digits[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
    put(0, year / 100);
    put(2, year % 100);
    put(5, month);
    put(8, day);
    put(11, seconds / 3600);
    put(14, seconds / 60 % 60);
    put(17, seconds % 60);
    put(20, micros / 10_000);
    put(22, micros / 100 % 100);
    put(24, micros % 100);
    // The point is the last to go where there is no fraction.
    let size = match micros {
        0 => 19,
        _ => digits[..26].iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1),
    };
    digits[size] = b'Z';
    // A copy of a known size, less what was too much of it, costs less than one of any size.
    text.extend_from_slice(&digits);
    text.truncate(text.len() - (digits.len() - size - 1));
}

/// ISO 8601, `PT1H30M` or `-PT0.5S`; hours are the largest unit, so that no calendar is involved.
pub fn format_duration(duration_us: i64) -> String {
    let magnitude = duration_us.unsigned_abs();
    let (seconds, micros) = (magnitude / 1_000_000, magnitude % 1_000_000);
    let mut text = String::from(if duration_us < 0 { "-PT" } else { "PT" });
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours != 0 {
        let _ = write!(text, "{hours}H");
    }
    if minutes != 0 {
        let _ = write!(text, "{minutes}M");
    }
    if micros != 0 {
        let fraction = format!("{micros:06}");
        let _ = write!(text, "{seconds}.{}S", fraction.trim_end_matches('0'));
    } else if seconds != 0 || magnitude == 0 {
        let _ = write!(text, "{seconds}S");
    }
    text
}

/// The shortest text that reads back as the same float; an integral value keeps its `.0`.
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_print_as_rfc_3339() {
        assert_eq!(format_datetime(1_700_000_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(format_datetime(1_700_000_000_123_450), "2023-11-14T22:13:20.12345Z");
        assert_eq!(format_datetime(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_datetime(951_782_400_000_000), "2000-02-29T00:00:00Z");
        // It is a date and a time, whatever the year.
        let mut seed = 5u64;
        for round in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let datetime_us = (seed as i64 >> (round % 16)) / [1, 10, 1_000, 1_000_000][round % 4]
                * [1, 10, 1_000, 1_000_000][round % 4];
            let (days, time_us) = (datetime_us.div_euclid(86_400_000_000), datetime_us.rem_euclid(86_400_000_000));
            let expected = format!("{}T{}Z", format_date(days as i32), format_time(time_us));
            assert_eq!(format_datetime(datetime_us), expected, "{datetime_us}");
        }
    }

    #[test]
    fn durations_print_as_iso_8601() {
        assert_eq!(format_duration(0), "PT0S");
        assert_eq!(format_duration(5_400_000_000), "PT1H30M");
        assert_eq!(format_duration(-500_000), "-PT0.5S");
    }

    #[test]
    fn every_day_of_a_short_year_is_the_same_in_less_time() {
        assert_eq!(civil_from_days(FIRST_SHORT_DAY), (0, 3, 1));
        assert_eq!(civil_from_days(LAST_SHORT_DAY), (9999, 12, 31));
        for days in FIRST_SHORT_DAY..=LAST_SHORT_DAY {
            let (year, month, day) = short_civil_from_days(days as i32);
            assert_eq!((i64::from(year), month, day), civil_from_days(days), "{days}");
        }
    }
}
