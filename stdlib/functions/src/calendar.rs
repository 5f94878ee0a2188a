//! The calendar: days since the epoch to years, months and weeks, and back, for every day that fits.
//!
//! The proleptic Gregorian calendar, in integers only; the algorithms are Howard Hinnant's
//! ("chrono-Compatible Low-Level Date Algorithms").
//!
//! This file must not know time zones or formats.

/// Microseconds in a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A day, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
}

pub(crate) fn day_of(days: i64) -> Day {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    Day { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// Days since the epoch of a day whose month and day of month are valid.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

pub(crate) fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Monday = 1 to Sunday = 7.
pub(crate) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// 1 to 366.
pub(crate) fn day_of_year(days: i64) -> i64 {
    days - days_of(day_of(days).year, 1, 1) + 1
}

/// ISO 8601: the year to which the week belongs, and the week, 1 to 53.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    // A week belongs to the year of its Thursday.
    let thursday = days - weekday(days) + 4;
    let year = day_of(thursday).year;
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_to_dates_and_back() {
        for days in (-1_000_000..1_000_000).step_by(97).chain([0, -1, 59, 11_016]) {
            let Day { year, month, day } = day_of(days);
            assert_eq!(days_of(year, month, day), days);
            assert!((1..=days_in_month(year, month)).contains(&day));
        }
        assert_eq!(day_of(11_016), Day { year: 2000, month: 2, day: 29 });
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (date, expected) in [
            ((2021, 1, 3), (2020, 53)),
            ((2021, 1, 4), (2021, 1)),
            ((2024, 12, 30), (2025, 1)),
            ((2024, 9, 17), (2024, 38)),
        ] {
            assert_eq!(iso_week(days_of(date.0, date.1, date.2)), expected, "{date:?}");
        }
        assert_eq!(weekday(0), 4, "1970-01-01 was a Thursday");
    }
}
