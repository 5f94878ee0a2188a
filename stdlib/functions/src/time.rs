//! Functions on dates, times and durations.
//!
//! A datetime is a moment in microseconds; parts of it (its year, its hour) are those of UTC unless a zone is named.
//!
//! This file must not know slots or how patterns are read.

use std::sync::Arc;

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::{Date, Datetime, Duration, FromSlot};
use chalk_macros::functions;
use chalk_types::{Value, format_datetime};

use crate::calendar::{self, DAY_US, day_of, days_in_month};
use crate::iso;
use crate::time_pattern::Pattern;
use crate::zone::Zone;

/// A type that has a date.
pub(crate) trait HasDate: for<'a> FromSlot<'a> {
    /// Days since the epoch.
    fn days(self) -> i64;
}

impl HasDate for Datetime {
    fn days(self) -> i64 {
        self.0.div_euclid(DAY_US)
    }
}

impl HasDate for Date {
    fn days(self) -> i64 {
        i64::from(self.0)
    }
}

/// The moment so many units of `unit_us` microseconds, at most a second, after the epoch, to the nearest microsecond.
#[inline]
fn from_unix_float(x: f64, unit_us: i64) -> Result<Datetime, FunctionError> {
    // The whole part is exact, so only the fraction is ever rounded. A sum with this float is the nearest integer, halves the even one, of what is
    // below 2^51, and its bits count them: processors without SSE4.1 are built for, on which `round` is a call, and each step is waited for.
    const ROUNDS: f64 = 6_755_399_441_055_744.0;
    if x.abs() < 9e12 {
        // SAFETY: it is a number, and its whole part is in range.
        let whole: i64 = unsafe { x.to_int_unchecked() };
        let fraction_us = (x - whole as f64) * unit_us as f64;
        let sum = fraction_us + ROUNDS;
        let near_us = (sum.to_bits() as i64).wrapping_sub(ROUNDS.to_bits() as i64);
        let us = whole * unit_us + near_us;
        // Halves go away from zero. They are rare, so nothing waits for knowing that this is none.
        return Ok(Datetime(match fraction_us - (sum - ROUNDS) {
            left if left == 0.5f64.copysign(fraction_us) => away_from_zero(us, fraction_us),
            _ => us,
        }));
    }
    from_far_unix_float(x, unit_us)
}

#[cold]
#[inline(never)]
fn away_from_zero(us: i64, fraction_us: f64) -> i64 {
    us + if fraction_us < 0.0 { -1 } else { 1 }
}

/// As `from_unix_float`, of any float.
#[cold]
#[inline(never)]
fn from_far_unix_float(x: f64, unit_us: i64) -> Result<Datetime, FunctionError> {
    // Conversions keep what is beyond an integer at its end, which is out of range; NaN is none of either.
    let us = (x.trunc() as i128).saturating_mul(unit_us.into()) + ((x - x.trunc()) * unit_us as f64).round() as i128;
    let us = i64::try_from(us).ok().filter(|_| x.is_finite());
    us.map(Datetime).ok_or_else(|| out_of_range(format_args!("{x:?}")))
}

/// Out of line, so that those who do not fail save no registers for it.
#[cold]
#[inline(never)]
fn out_of_range(x: std::fmt::Arguments<'_>) -> FunctionError {
    format!("{x} is no time since the epoch: out of range").into()
}

fn from_unix_int(x: i64, unit_us: i64) -> Result<Datetime, FunctionError> {
    let us = x.checked_mul(unit_us);
    us.map(Datetime).ok_or_else(|| out_of_range(format_args!("{x}")))
}

/// A pattern and a zone, compiled once per call site.
#[derive(Debug)]
struct Form {
    pattern: Option<Pattern>,
    zone: Option<Zone>,
}

fn form<'t>(cx: &CallContext, format: Option<&'t str>, tz: Option<&'t str>) -> Result<Arc<Form>, FunctionError> {
    // Absent and empty differ by a mark, which no text holds.
    let part = |text: Option<&'t str>| text.map_or(&b"\xff"[..], str::as_bytes);
    cx.memo(&[part(format), part(tz)], || {
        let pattern = format.map(Pattern::parse).transpose().map_err(FunctionError::from)?;
        Ok(Form { pattern, zone: tz.map(Zone::parse).transpose().map_err(FunctionError::from)? })
    })
}

pub(crate) fn literal_text(arg: &Option<Value>) -> Option<&str> {
    match arg {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn check_zone(position: usize, args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match literal_text(&args[position]) {
        Some(name) => Zone::parse(name).map(|_| ()).map_err(|message| (position, message)),
        None => Ok(()),
    }
}

fn check_zone_second(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    check_zone(1, args)
}

fn check_print(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    if let Some(format) = literal_text(&args[1]) {
        Pattern::parse(format).map_err(|message| (1, message))?;
    }
    check_zone(2, args)
}

fn check_read(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    check_zone(2, args)?;
    let Some(format) = literal_text(&args[1]) else { return Ok(()) };
    let pattern = Pattern::parse(format).map_err(|message| (1, message))?;
    pattern.check_reads().map_err(|message| (1, message))?;
    if args[2] == Some(Value::Null) && !pattern.has_offset() {
        let message = "the format has no offset from UTC: say in which time zone the text is, as in `tz: \"UTC\"`";
        return Err((1, message.to_owned()));
    }
    Ok(())
}

pub(crate) const OUT_OF_RANGE: &str = "the datetime is out of range";

#[functions(family = "time")]
mod defs {
    use super::*;

    /// The moment so many seconds after the epoch (1970-01-01T00:00:00Z). Past the range of a datetime it fails the message.
    ///
    /// ```chalk
    /// from_unix_seconds(1700000000) == parse_datetime("2023-11-14T22:13:20Z")
    /// ```
    #[function(
        signature = "from_unix_seconds(x: int) -> datetime",
        known_as = "from_unixtime, to_timestamp_seconds, fromtimestamp"
    )]
    fn from_unix_seconds(x: i64) -> Result<Datetime, FunctionError> {
        from_unix_int(x, 1_000_000)
    }

    /// The moment so many seconds after the epoch, to the nearest microsecond. Past the range of a datetime, and of NaN
    /// and infinities, it fails the message.
    ///
    /// Deviation: the reference cuts to milliseconds, and takes NaN for the epoch.
    ///
    /// ```chalk
    /// from_unix_seconds(1700000000.25) == parse_datetime("2023-11-14T22:13:20.25Z")
    /// from_unix_seconds(1700000000123457 / 1_000_000) == parse_datetime("2023-11-14T22:13:20.123457Z")
    /// ```
    #[function(signature = "from_unix_seconds(x: float) -> datetime")]
    fn from_unix_seconds_float(x: f64) -> Result<Datetime, FunctionError> {
        from_unix_float(x, 1_000_000)
    }

    /// The moment so many milliseconds after the epoch. Past the range of a datetime it fails the message.
    ///
    /// ```chalk
    /// from_unix_milliseconds(1700000000123) == parse_datetime("2023-11-14T22:13:20.123Z")
    /// ```
    #[function(signature = "from_unix_milliseconds(x: int) -> datetime", known_as = "to_timestamp_millis")]
    fn from_unix_milliseconds(x: i64) -> Result<Datetime, FunctionError> {
        from_unix_int(x, 1_000)
    }

    /// The moment so many milliseconds after the epoch, to the nearest microsecond. Past the range of a datetime, and of
    /// NaN and infinities, it fails the message.
    ///
    /// Deviation: the reference cuts to milliseconds.
    ///
    /// ```chalk
    /// from_unix_milliseconds(1.5) == from_unix_seconds(0.0015)
    /// ```
    #[function(signature = "from_unix_milliseconds(x: float) -> datetime")]
    fn from_unix_milliseconds_float(x: f64) -> Result<Datetime, FunctionError> {
        from_unix_float(x, 1_000)
    }

    /// Seconds since the epoch, with a fraction.
    ///
    /// ```chalk
    /// unix_seconds(from_unix_milliseconds(1500)) == 1.5
    /// ```
    #[function(signature = "unix_seconds(t: datetime) -> float", known_as = "to_unixtime, unix_timestamp, epoch")]
    fn unix_seconds(t: Datetime) -> f64 {
        t.0 as f64 / 1e6
    }

    /// Milliseconds since the epoch, with a fraction.
    ///
    /// ```chalk
    /// unix_milliseconds(from_unix_seconds(2)) == 2000.0
    /// ```
    #[function(signature = "unix_milliseconds(t: datetime) -> float")]
    fn unix_milliseconds(t: Datetime) -> f64 {
        t.0 as f64 / 1e3
    }

    /// The moment that a text names. Without `format` the text is RFC 3339 or ISO 8601 (`2023-11-14T22:13:20Z`; seconds
    /// and their fraction may be left out). A format with a `%` is strftime's, any other Joda's. A text without an offset
    /// from UTC needs `tz`, an IANA name: of a time that clocks show twice the earlier is meant, one that they skip fails.
    /// What does not match fails the message; a literal format that has neither offset nor `tz` does not compile.
    ///
    /// strftime: `%Y %y %m %d %e %H %I %M %S %f %p %j %b %B %a %A %z %:z %Z %s %G %V %u %w %F %T %D %R`, `%-d` without
    /// padding, `%3f` so many digits. Joda: `y x M d D E e w H k h K m s S a z Z ZZ ZZZ`, other letters in 'quotes'.
    ///
    /// Deviation: the reference gives null without a format and has no `tz`; strftime's patterns fail there.
    ///
    /// ```chalk
    /// parse_datetime("2023-11-14T23:13:20+01:00") == from_unix_seconds(1700000000)
    /// parse_datetime("14/11/2023 22:13", "%d/%m/%Y %H:%M", tz: "UTC") == parse_datetime("2023-11-14T22:13:00Z")
    /// parse_datetime("2023-11-14 22:13:20", "yyyy-MM-dd HH:mm:ss", tz: "UTC") == from_unix_seconds(1700000000)
    /// parse_datetime("2023-07-01", tz: "Europe/Zurich") == parse_datetime("2023-06-30T22:00:00Z")
    /// ```
    #[function(
        signature = "parse_datetime(s: string, format: string? = none, tz: string? = none) -> datetime", known_as = "to_timestamp, strptime, from_iso8601_timestamp, date_parse, to_datetime",
        check = check_read
    )]
    fn parse_datetime(
        cx: &CallContext,
        s: &str,
        format: Option<&str>,
        tz: Option<&str>,
    ) -> Result<Datetime, FunctionError> {
        let refused = |why: &str| {
            let mut shown: String = s.chars().take(60).collect();
            if shown.len() < s.len() {
                shown.push('…');
            }
            FunctionError::from(format!("{shown:?} {why}"))
        };
        if format.is_none() {
            let written = iso::datetime(s).ok_or_else(|| refused("is no RFC 3339 time"))?;
            if let Some(offset_us) = written.offset_us {
                return Ok(Datetime(written.local_us - offset_us));
            }
            let tz = tz.ok_or_else(|| refused("has no offset from UTC, and no `tz` is given"))?;
            let zone = form(cx, None, Some(tz))?.zone.ok_or("no time zone")?;
            let utc = zone.to_utc(written.local_us);
            return utc.map(Datetime).ok_or_else(|| refused("is a time that clocks of its zone skip"));
        }
        let form = form(cx, format, tz)?;
        let pattern = form.pattern.as_ref().ok_or("no format")?;
        pattern.read(s, form.zone).map(Datetime).map_err(refused)
    }

    /// RFC 3339 text in UTC, with up to six digits after the second.
    ///
    /// Deviation: the reference always prints milliseconds, and cuts what is below.
    ///
    /// ```chalk
    /// to_iso8601(from_unix_seconds(1700000000)) == "2023-11-14T22:13:20Z"
    /// ```
    #[function(signature = "to_iso8601(t: datetime) -> string", known_as = "isoformat")]
    fn to_iso8601(t: Datetime) -> String {
        format_datetime(t.0)
    }

    /// A text by a format, in UTC or the time zone `tz`. Formats are those of `parse_datetime`. A bad format fails the
    /// message, a bad literal one does not compile.
    ///
    /// ```chalk
    /// format_datetime(from_unix_seconds(0), "yyyy-MM-dd HH:mm") == "1970-01-01 00:00"
    /// format_datetime(from_unix_seconds(0), "%H:%M %Z", tz: "Europe/Zurich") == "01:00 CET"
    /// ```
    #[function(
        signature = "format_datetime(t: datetime, format: string, tz: string = \"UTC\") -> string", known_as = "strftime, date_format, to_char",
        check = check_print
    )]
    fn format_datetime_by<'a>(
        cx: &'a CallContext,
        t: Datetime,
        format: &str,
        tz: &str,
    ) -> Result<&'a str, FunctionError> {
        let form = form(cx, Some(format), Some(tz))?;
        let (Some(pattern), Some(zone)) = (&form.pattern, form.zone) else { return Err("no format".into()) };
        let mut text = cx.text();
        pattern.print(t.0, zone, &mut text).ok_or(OUT_OF_RANGE)?;
        Ok(text.finish())
    }

    /// The year.
    ///
    /// ```chalk
    /// year(parse_datetime("2024-09-17T12:34:56Z")) == 2024
    /// ```
    #[function(signature = "year(t: T) -> int", instances = "datetime, date")]
    fn year<T: HasDate>(t: T) -> i64 {
        day_of(t.days()).year
    }

    /// The quarter of the year, 1 to 4.
    ///
    /// ```chalk
    /// quarter(parse_datetime("2024-09-17T12:34:56Z")) == 3
    /// ```
    #[function(signature = "quarter(t: T) -> int", instances = "datetime, date")]
    fn quarter<T: HasDate>(t: T) -> i64 {
        i64::from((day_of(t.days()).month - 1) / 3 + 1)
    }

    /// The month, 1 to 12.
    ///
    /// ```chalk
    /// month_of_year(parse_datetime("2024-09-17T12:34:56Z")) == 9
    /// ```
    #[function(signature = "month_of_year(t: T) -> int", known_as = "month", instances = "datetime, date")]
    fn month_of_year<T: HasDate>(t: T) -> i64 {
        i64::from(day_of(t.days()).month)
    }

    /// The week of ISO 8601, 1 to 53: weeks start on Monday, and the first one holds the 4th of January.
    ///
    /// ```chalk
    /// week_of_year(parse_datetime("2024-09-17T12:34:56Z")) == 38
    /// ```
    #[function(signature = "week_of_year(t: T) -> int", known_as = "week, weekofyear", instances = "datetime, date")]
    fn week_of_year<T: HasDate>(t: T) -> i64 {
        calendar::iso_week(t.days()).1
    }

    /// The day of the year, 1 to 366.
    ///
    /// ```chalk
    /// day_of_year(parse_datetime("2024-03-01T00:00:00Z")) == 61
    /// ```
    #[function(signature = "day_of_year(t: T) -> int", known_as = "dayofyear", instances = "datetime, date")]
    fn day_of_year<T: HasDate>(t: T) -> i64 {
        calendar::day_of_year(t.days())
    }

    /// The day of the month, 1 to 31.
    ///
    /// ```chalk
    /// day_of_month(parse_datetime("2024-09-17T12:34:56Z")) == 17
    /// ```
    #[function(signature = "day_of_month(t: T) -> int", known_as = "day, dayofmonth", instances = "datetime, date")]
    fn day_of_month<T: HasDate>(t: T) -> i64 {
        i64::from(day_of(t.days()).day)
    }

    /// The day of the week, 1 to 7. `start_of_week` is the first day, where Monday is 1 and Sunday 7; another number
    /// fails the message.
    ///
    /// ```chalk
    /// day_of_week(parse_datetime("2024-09-17T12:34:56Z")) == 2
    /// day_of_week(parse_datetime("2024-09-17T12:34:56Z"), start_of_week: 7) == 3
    /// ```
    #[function(
        signature = "day_of_week(t: T, start_of_week: int = 1) -> int",
        known_as = "dayofweek, weekday, isodow",
        instances = "datetime, date"
    )]
    fn day_of_week<T: HasDate>(t: T, start_of_week: i64) -> Result<i64, FunctionError> {
        if !(1..=7).contains(&start_of_week) {
            return Err(format!("a week cannot start on day {start_of_week}: 1 (Monday) to 7 (Sunday)").into());
        }
        Ok((calendar::weekday(t.days()) - start_of_week).rem_euclid(7) + 1)
    }

    /// The hour, 0 to 23, in UTC or the time zone `tz`. An unknown zone fails the message, a literal one does not compile.
    ///
    /// ```chalk
    /// hour_of_day(parse_datetime("2024-09-17T22:34:56Z")) == 22
    /// hour_of_day(parse_datetime("2024-09-17T22:34:56Z"), tz: "Europe/Zurich") == 0
    /// ```
    #[function(signature = "hour_of_day(t: datetime, tz: string = \"UTC\") -> int", known_as = "hour", check = check_zone_second)]
    fn hour_of_day(cx: &CallContext, t: Datetime, tz: &str) -> Result<i64, FunctionError> {
        let offset_us =
            if tz == "UTC" { Some(0) } else { form(cx, None, Some(tz))?.zone.and_then(|zone| zone.offset_us(t.0)) };
        let local_us = offset_us.and_then(|offset_us| t.0.checked_add(offset_us)).ok_or(OUT_OF_RANGE)?;
        Ok(local_us.rem_euclid(DAY_US) / 3_600_000_000)
    }

    /// The last day of the month.
    ///
    /// ```chalk
    /// last_day_of_month(parse_datetime("2024-02-10T00:00:00Z")) == "2024-02-29" as date
    /// ```
    #[function(
        signature = "last_day_of_month(t: T) -> date",
        known_as = "last_day, eomonth",
        instances = "datetime, date"
    )]
    fn last_day_of_month<T: HasDate>(t: T) -> Result<Date, FunctionError> {
        let days = t.days();
        let date = day_of(days);
        let last = days + i64::from(days_in_month(date.year, date.month)) - i64::from(date.day);
        i32::try_from(last).map(Date).map_err(|_| "the date is out of range".into())
    }

    /// Whether the year has 366 days.
    ///
    /// Deviation: of null the reference gives false, here it is null.
    ///
    /// ```chalk
    /// is_leap_year(parse_datetime("2024-09-17T12:34:56Z"))
    /// ```
    #[function(signature = "is_leap_year(t: T) -> bool", instances = "datetime, date")]
    fn is_leap_year<T: HasDate>(t: T) -> bool {
        calendar::is_leap_year(day_of(t.days()).year)
    }

    /// Whether the day is the last of its month.
    ///
    /// Deviation: of null the reference gives true, here it is null.
    ///
    /// ```chalk
    /// is_month_end(parse_datetime("2024-02-29T12:00:00Z"))
    /// not is_month_end(parse_datetime("2024-02-28T12:00:00Z"))
    /// ```
    #[function(signature = "is_month_end(t: T) -> bool", instances = "datetime, date")]
    fn is_month_end<T: HasDate>(t: T) -> bool {
        let date = day_of(t.days());
        date.day == days_in_month(date.year, date.month)
    }

    /// The duration in seconds, with a fraction.
    ///
    /// Deviation: the reference cuts to milliseconds.
    ///
    /// ```chalk
    /// total_seconds(1m30s) == 90.0
    /// total_seconds(1us) == 0.000001
    /// ```
    #[function(signature = "total_seconds(d: duration) -> float")]
    fn total_seconds(d: Duration) -> f64 {
        d.0 as f64 / 1e6
    }

    /// The present moment: one for all messages of a batch.
    ///
    /// ```chalk
    /// now() == now()
    /// ```
    #[function(signature = "now() -> datetime", known_as = "current_timestamp, utcnow, getdate, today", impure)]
    fn now(cx: &CallContext) -> Datetime {
        Datetime(cx.now_us.get())
    }
}

#[cfg(test)]
mod tests {
    use super::from_unix_float;

    /// What `trunc` and `round` of the standard library say.
    #[test]
    fn fractions_are_rounded_half_away_from_zero() {
        let expected = |x: f64, unit_us: i64| {
            let fraction_us = ((x - x.trunc()) * unit_us as f64).round();
            let us = (x.abs() < 1e19).then(|| x.trunc() as i128 * i128::from(unit_us) + fraction_us as i128);
            us.and_then(|us| i64::try_from(us).ok())
        };
        let mut seed = 7u64;
        let halves = [0.5, 1.5, 2.5, -0.5, -1.5, 1e6 - 0.5].map(|us| us / 1e6);
        let near = [0.499_999e-6, 0.999_999_5, 1.0, 1.0 - f64::EPSILON / 2.0, 8_999_999_999_999.999, 9e12, -9e12];
        let edges = [&[0.0, -0.0, 1e300, f64::INFINITY, f64::NAN][..], &halves, &near].concat();
        for number in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (seed >> 11) as f64 / 4096.0 - 1e12;
            let x = edges.get(number).copied().unwrap_or(random / [1.0, 1e3, 1e6, 1e9][number % 4]);
            for (x, unit_us) in [(x, 1_000_000), (x * 1e3, 1_000), (-x, 1_000_000), (f64::from_bits(seed), 1_000_000)] {
                let got = from_unix_float(x, unit_us).ok().map(|time| time.0);
                assert_eq!(got, expected(x, unit_us), "{x:?} in {unit_us} us");
            }
        }
    }
}
