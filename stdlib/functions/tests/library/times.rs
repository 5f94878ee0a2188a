//! Dates and times, at their edges.

use chalk_types::Value;

use crate::support::{NONE, at, call, check, check_fails, check_refused, day, f, i, s, t};

#[test]
fn epochs_are_exact_to_the_microsecond() {
    check(&[
        ("from_unix_seconds", vec![i(-1)], at("1969-12-31T23:59:59Z")),
        ("from_unix_seconds", vec![f(1_700_000_000.123456)], at("2023-11-14T22:13:20.123456Z")),
        ("from_unix_seconds", vec![f(1_700_000_000_123_457.0 / 1e6)], at("2023-11-14T22:13:20.123457Z")),
        ("from_unix_seconds", vec![f(-0.000_001)], at("1969-12-31T23:59:59.999999Z")),
        ("from_unix_milliseconds", vec![i(1_700_000_000_123)], at("2023-11-14T22:13:20.123Z")),
        ("from_unix_milliseconds", vec![f(0.0015)], Value::Datetime(2)),
        ("unix_seconds", vec![at("2023-11-14T22:13:20.123456Z")], f(1_700_000_000.123456)),
        ("unix_milliseconds", vec![at("1969-12-31T23:59:59Z")], f(-1000.0)),
        ("total_seconds", vec![Value::Duration(3_600_000_005)], f(3_600.000_005)),
        ("to_iso8601", vec![at("2024-09-17T12:34:56.789012Z")], s("2024-09-17T12:34:56.789012Z")),
        ("now", vec![], Value::Datetime(1_000_000)),
    ]);
    for x in [f(f64::NAN), f(f64::INFINITY), f(1e13), f(-1e300), i(i64::MAX), i(9_223_372_036_855)] {
        check_fails(&[("from_unix_seconds", vec![x], "out of range")]);
    }
}

#[test]
fn texts_become_moments() {
    let moment = at("2024-09-17T12:34:56Z");
    check(&[
        ("parse_datetime", vec![s("2024-09-17T12:34:56Z")], moment.clone()),
        ("parse_datetime", vec![s("2024-09-17 14:34:56+02:00")], moment.clone()),
        ("parse_datetime", vec![NONE], NONE),
        ("parse_datetime", vec![s("2024-09-17 12:34:56"), s("yyyy-MM-dd HH:mm:ss"), s("UTC")], moment.clone()),
        (
            "parse_datetime",
            vec![s("2024-09-17 08:34:56"), s("%Y-%m-%d %H:%M:%S"), s("America/New_York")],
            moment.clone(),
        ),
        ("parse_datetime", vec![s("2024-09-17 08:34:56 -0400"), s("%Y-%m-%d %H:%M:%S %z")], moment.clone()),
        ("parse_datetime", vec![s("2024-07-01"), NONE, s("Europe/Zurich")], at("2024-06-30T22:00:00Z")),
    ]);
    check_fails(&[
        ("parse_datetime", vec![s("tomorrow")], "is no RFC 3339 time"),
        ("parse_datetime", vec![s("2024-09-17T12:34:56")], "no `tz` is given"),
        ("parse_datetime", vec![s("2024-09-17"), s("yyyy/MM/dd"), s("UTC")], "does not match"),
        ("parse_datetime", vec![s("2024-09-17"), s("yyyy-MM-dd")], "no `tz` is given"),
        ("parse_datetime", vec![s("2024-03-31 02:30"), s("yyyy-MM-dd HH:mm"), s("Europe/Zurich")], "skip"),
        ("parse_datetime", vec![s("2024-09-17"), NONE, s("Nowhere")], "unknown time zone"),
    ]);
    check_refused(&[
        ("parse_datetime", vec![s("x"), s("yyyy-MM-dd")], "no offset from UTC"),
        ("parse_datetime", vec![s("x"), s("%Q")], "unknown directive"),
        ("parse_datetime", vec![s("x"), s("HH:mm"), s("UTC")], "no year"),
        ("parse_datetime", vec![s("x"), NONE, s("Nowhere")], "unknown time zone `Nowhere`"),
    ]);
}

#[test]
fn moments_become_texts() {
    let moment = at("2024-09-17T12:34:56.789Z");
    check(&[
        ("format_datetime", vec![moment.clone(), s("yyyy-MM-dd'T'HH:mm:ss.SSSZZ")], s("2024-09-17T12:34:56.789+00:00")),
        ("format_datetime", vec![moment.clone(), s("HH:mm z"), s("America/New_York")], s("08:34 EDT")),
        ("format_datetime", vec![moment.clone(), s("%j")], s("261")),
    ]);
    check_refused(&[("format_datetime", vec![moment.clone(), s("yyyy-MM-ddTHH")], "unknown letters `T`")]);
    check_fails(&[("format_datetime", vec![Value::Datetime(i64::MAX), s("yyyy"), s("Europe/Zurich")], "out of range")]);
}

#[test]
fn periods() {
    let moment = at("2024-09-17T12:34:56.789Z");
    for (unit, expected) in [
        ("microsecond", "2024-09-17T12:34:56.789Z"),
        ("second", "2024-09-17T12:34:56Z"),
        ("HOUR", "2024-09-17T12:00:00Z"),
        ("day", "2024-09-17T00:00:00Z"),
        ("week", "2024-09-16T00:00:00Z"),
        ("month", "2024-09-01T00:00:00Z"),
        ("quarter", "2024-07-01T00:00:00Z"),
        ("year", "2024-01-01T00:00:00Z"),
    ] {
        check(&[("date_trunc", vec![moment.clone(), s(unit)], at(expected))]);
    }
    check(&[
        ("date_trunc", vec![at("1969-12-31T23:59:59Z"), s("hour")], at("1969-12-31T23:00:00Z")),
        ("date_trunc", vec![day("2024-09-17"), s("quarter")], day("2024-07-01")),
        ("current_bucket_start", vec![moment.clone(), Value::Duration(604_800_000_000)], at("2024-09-12T00:00:00Z")),
        (
            "current_bucket_start",
            vec![moment.clone(), Value::Duration(604_800_000_000), at("2024-01-01T00:00:00Z")],
            at("2024-09-16T00:00:00Z"),
        ),
        (
            "nth_bucket_end",
            vec![at("1970-01-01T00:01:30Z"), Value::Duration(60_000_000), i(-2)],
            at("1970-01-01T00:00:00Z"),
        ),
    ]);
    check_fails(&[
        ("date_trunc", vec![moment.clone(), s("century")], "unknown unit"),
        ("date_trunc", vec![Value::Datetime(i64::MIN), s("year")], "out of range"),
        ("current_bucket_start", vec![moment.clone(), Value::Duration(0)], "longer than nothing"),
    ]);
    check_refused(&[
        ("date_trunc", vec![moment.clone(), s("century")], "unknown unit"),
        ("date_trunc", vec![day("2024-09-17"), s("hour")], "a date has no hour"),
    ]);
}

#[test]
fn parts() {
    let moment = at("2024-09-17T22:34:56Z");
    for (name, expected) in [
        ("year", 2024),
        ("quarter", 3),
        ("month_of_year", 9),
        ("week_of_year", 38),
        ("day_of_year", 261),
        ("day_of_month", 17),
        ("day_of_week", 2),
    ] {
        check(&[(name, vec![moment.clone()], i(expected)), (name, vec![day("2024-09-17")], i(expected))]);
    }
    check(&[
        ("hour_of_day", vec![moment.clone()], i(22)),
        ("hour_of_day", vec![moment.clone(), s("Asia/Kolkata")], i(4)),
        ("day_of_week", vec![at("2024-09-22T00:00:00Z"), i(7)], i(1)),
        ("last_day_of_month", vec![at("2024-02-01T00:00:00Z")], day("2024-02-29")),
        ("is_leap_year", vec![at("1900-06-01T00:00:00Z")], t(false)),
        ("is_leap_year", vec![NONE], NONE),
        ("is_month_end", vec![NONE], NONE),
        ("is_month_end", vec![day("2023-02-28")], t(true)),
        ("year", vec![at("0001-01-01T00:00:00Z")], i(1)),
    ]);
    assert!(call("day_of_week", &[moment, i(0)]).is_err());
}
