//! Periods of time: hours, weeks, quarters, and buckets of any length.
//!
//! This file must not know slots.

use chalk_catalog::context::FunctionError;
use chalk_catalog::slot::{Date, Datetime, Duration};
use chalk_macros::functions;
use chalk_types::Value;

use crate::calendar::{self, DAY_US, day_of, days_of};
use crate::time::{HasDate, OUT_OF_RANGE, literal_text};

/// What a datetime is cut to.
#[derive(Clone, Copy, Debug)]
enum Unit {
    /// So many microseconds, counted from the epoch.
    Fixed(i64),
    Week,
    Month,
    Quarter,
    Year,
}

fn unit(name: &str) -> Result<Unit, String> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "microsecond" => Unit::Fixed(1),
        "millisecond" => Unit::Fixed(1_000),
        "second" => Unit::Fixed(1_000_000),
        "minute" => Unit::Fixed(60_000_000),
        "hour" => Unit::Fixed(3_600_000_000),
        "day" => Unit::Fixed(DAY_US),
        "week" => Unit::Week,
        "month" => Unit::Month,
        "quarter" => Unit::Quarter,
        "year" => Unit::Year,
        _ => {
            return Err(format!(
                "unknown unit `{name}`: microsecond, millisecond, second, minute, hour, day, week, month, quarter or year"
            ));
        }
    })
}

fn check_unit(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    literal_text(&args[1]).map_or(Ok(()), |name| unit(name).map(|_| ()).map_err(|message| (1, message)))
}

fn check_unit_of_date(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    literal_text(&args[1]).map_or(Ok(()), |name| unit_of_date(name).map(|_| ()).map_err(|message| (1, message)))
}

fn unit_of_date(name: &str) -> Result<Unit, String> {
    match unit(name)? {
        Unit::Fixed(us) if us < DAY_US => Err(format!("a date has no {name}")),
        other => Ok(other),
    }
}

/// The first day of the period of that unit; days for units of a day and less.
fn truncated_days(days: i64, unit: Unit) -> i64 {
    let date = day_of(days);
    match unit {
        Unit::Fixed(_) => days,
        Unit::Week => days - calendar::weekday(days) + 1,
        Unit::Month => days - i64::from(date.day) + 1,
        Unit::Quarter => days_of(date.year, (date.month - 1) / 3 * 3 + 1, 1),
        Unit::Year => days_of(date.year, 1, 1),
    }
}

/// Where the bucket `n` steps away from that of `t` starts.
fn bucket_start(t: Datetime, bucket: Duration, n: i64, origin: Option<Datetime>) -> Result<Datetime, FunctionError> {
    if bucket.0 <= 0 {
        return Err("a bucket must last longer than nothing".into());
    }
    let (t, bucket, origin) = (i128::from(t.0), i128::from(bucket.0), origin.map_or(0, |origin| i128::from(origin.0)));
    let start = origin + ((t - origin).div_euclid(bucket) + i128::from(n)) * bucket;
    i64::try_from(start).map(Datetime).map_err(|_| OUT_OF_RANGE.into())
}

#[functions(family = "time")]
mod defs {
    use super::*;

    /// The start of the period in which the moment lies, in UTC; weeks start on Monday. Units: microsecond, millisecond,
    /// second, minute, hour, day, week, month, quarter, year. Another unit fails the message, a literal one does not compile.
    ///
    /// ```chalk
    /// date_trunc(parse_datetime("2024-09-17T12:34:56Z"), "hour") == parse_datetime("2024-09-17T12:00:00Z")
    /// date_trunc(parse_datetime("2024-09-17T12:34:56Z"), "week") == parse_datetime("2024-09-16T00:00:00Z")
    /// ```
    #[function(signature = "date_trunc(t: datetime, unit: string) -> datetime", known_as = "trunc_date, datetrunc", check = check_unit)]
    fn date_trunc(t: Datetime, unit: &str) -> Result<Datetime, FunctionError> {
        let unit = super::unit(unit).map_err(FunctionError::from)?;
        let start = match unit {
            Unit::Fixed(us) => t.0.checked_sub(t.0.rem_euclid(us)),
            _ => truncated_days(t.days(), unit).checked_mul(DAY_US),
        };
        start.map(Datetime).ok_or_else(|| OUT_OF_RANGE.into())
    }

    /// The first day of the period in which the date lies. Units: day, week, month, quarter, year.
    ///
    /// ```chalk
    /// date_trunc("2024-09-17" as date, "month") == "2024-09-01" as date
    /// ```
    #[function(signature = "date_trunc(t: date, unit: string) -> date", check = check_unit_of_date)]
    fn date_trunc_of_date(t: Date, unit: &str) -> Result<Date, FunctionError> {
        let unit = unit_of_date(unit).map_err(FunctionError::from)?;
        i32::try_from(truncated_days(t.days(), unit)).map(Date).map_err(|_| "the date is out of range".into())
    }

    /// The start of the bucket in which the moment lies. Buckets follow each other from `origin`, or from the epoch. A
    /// bucket that does not last longer than nothing fails the message.
    ///
    /// ```chalk
    /// current_bucket_start(parse_datetime("2024-09-17T12:00:00Z"), 7d) == parse_datetime("2024-09-12T00:00:00Z")
    /// ```
    #[function(
        signature = "current_bucket_start(t: datetime, bucket_duration: duration, initial_bucket_start: datetime? = none) -> datetime"
    )]
    fn current_bucket_start(
        t: Datetime,
        bucket: Duration,
        origin: Option<Datetime>,
    ) -> Result<Datetime, FunctionError> {
        bucket_start(t, bucket, 0, origin)
    }

    /// The end of the bucket in which the moment lies, which is the start of the next; as `current_bucket_start`.
    ///
    /// ```chalk
    /// current_bucket_end(from_unix_seconds(90), 1m) == from_unix_seconds(120)
    /// ```
    #[function(
        signature = "current_bucket_end(t: datetime, bucket_duration: duration, initial_bucket_start: datetime? = none) -> datetime"
    )]
    fn current_bucket_end(t: Datetime, bucket: Duration, origin: Option<Datetime>) -> Result<Datetime, FunctionError> {
        bucket_start(t, bucket, 1, origin)
    }

    /// The start of the bucket `n` steps after that of the moment (before it where `n` is negative); as
    /// `current_bucket_start`.
    ///
    /// ```chalk
    /// nth_bucket_start(from_unix_seconds(90), 1m, -1) == from_unix_seconds(0)
    /// ```
    #[function(
        signature = "nth_bucket_start(t: datetime, bucket_duration: duration, n: int, initial_bucket_start: datetime? = none) -> datetime"
    )]
    fn nth_bucket_start(
        t: Datetime,
        bucket: Duration,
        n: i64,
        origin: Option<Datetime>,
    ) -> Result<Datetime, FunctionError> {
        bucket_start(t, bucket, n, origin)
    }

    /// The end of the bucket `n` steps after that of the moment; as `nth_bucket_start`.
    ///
    /// ```chalk
    /// nth_bucket_end(from_unix_seconds(90), 1m, -1) == from_unix_seconds(60)
    /// ```
    #[function(
        signature = "nth_bucket_end(t: datetime, bucket_duration: duration, n: int, initial_bucket_start: datetime? = none) -> datetime"
    )]
    fn nth_bucket_end(
        t: Datetime,
        bucket: Duration,
        n: i64,
        origin: Option<Datetime>,
    ) -> Result<Datetime, FunctionError> {
        bucket_start(t, bucket, n.checked_add(1).ok_or(OUT_OF_RANGE)?, origin)
    }
}
