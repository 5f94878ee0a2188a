//! The conversions behind `as`, and decimals.

use chalk_types::Value;

use crate::support::{at, call, check, check_fails, day, f, i, s, t};

fn d(value: i128) -> Value {
    Value::Decimal(value)
}

#[test]
fn text_is_read_whole_with_blanks_around_it() {
    check(&[
        ("cast(string)->int", vec![s(" 12\n")], i(12)),
        ("cast(string)->int", vec![s("-9223372036854775808")], i(i64::MIN)),
        ("cast(string)->float", vec![s(" 1e3 ")], f(1000.0)),
        ("cast(string)->float", vec![s("NaN")], f(f64::NAN)),
        ("cast(string)->float", vec![s("-Infinity")], f(f64::NEG_INFINITY)),
        ("cast(string)->bool", vec![s(" TRUE ")], t(true)),
        ("cast(string)->bool", vec![s("0")], t(false)),
        ("cast(string)->uint64", vec![s("18446744073709551615")], Value::Int(i128::from(u64::MAX))),
        ("cast(string)->datetime", vec![s(" 2024-01-01T01:00:00+01:00")], at("2024-01-01T00:00:00Z")),
        ("cast(string)->time", vec![s("23:59:59.5")], Value::Time(86_399_500_000)),
    ]);
    check_fails(&[
        ("cast(string)->int", vec![s("1.5")], "\"1.5\" is no int"),
        ("cast(string)->int", vec![s("")], "is no int"),
        ("cast(string)->int", vec![s("9223372036854775808")], "is no int"),
        ("cast(string)->float", vec![s("1e400")], "does not fit"),
        ("cast(string)->float", vec![s("1,5")], "is no float"),
        ("cast(string)->bool", vec![s("yes")], "is no bool"),
        ("cast(string)->datetime", vec![s("2024-01-01 00:00:00")], "no offset"),
        ("cast(string)->date", vec![s("2024-02-30")], "is no date"),
        ("cast(string)->time", vec![s("24:00:00")], "is no time"),
    ]);
}

#[test]
fn values_are_printed_as_everywhere() {
    check(&[
        ("cast(int)->string", vec![i(i64::MIN)], s("-9223372036854775808")),
        ("cast(int)->string", vec![i(0)], s("0")),
        ("cast(float)->string", vec![f(1.0)], s("1.0")),
        ("cast(float)->string", vec![f(0.1)], s("0.1")),
        ("cast(float)->string", vec![f(f64::NEG_INFINITY)], s("-Infinity")),
        ("cast(bool)->string", vec![t(true)], s("true")),
        ("cast(datetime)->string", vec![at("2024-01-01T00:00:00.5Z")], s("2024-01-01T00:00:00.5Z")),
        ("cast(date)->string", vec![day("2024-01-01")], s("2024-01-01")),
    ]);
}

#[test]
fn numbers_fit_or_fail() {
    check(&[
        ("cast(float)->int", vec![f(-0.0)], i(0)),
        ("cast(float)->int", vec![f(-9_223_372_036_854_775_808.0)], i(i64::MIN)),
        ("cast(datetime)->date", vec![at("1969-12-31T23:59:59Z")], day("1969-12-31")),
        ("cast(datetime)->time", vec![at("1969-12-31T23:59:59Z")], Value::Time(86_399_000_000)),
        ("cast(date)->datetime", vec![day("2024-01-01")], at("2024-01-01T00:00:00Z")),
    ]);
    for x in [1.5, f64::NAN, f64::INFINITY, 9_223_372_036_854_775_808.0] {
        check_fails(&[("cast(float)->int", vec![f(x)], "does not fit `int`")]);
    }
    check_fails(&[
        ("cast(float)->uint64", vec![f(-1.0)], "does not fit"),
        ("cast(date)->datetime", vec![Value::Date(i32::MAX)], "does not fit"),
    ]);
}

#[test]
fn decimals() {
    check(&[
        ("cast(string)->decimal", vec![s("12.340"), i(4), i(2)], d(1234)),
        ("cast(float)->decimal", vec![f(0.1), i(10), i(2)], d(10)),
        ("cast(int)->decimal", vec![i(-7), i(3), i(2)], d(-700)),
        ("cast(decimal)->string", vec![d(-5), i(2)], s("-0.05")),
        ("cast(decimal)->float", vec![d(125), i(2)], f(1.25)),
        ("cast(decimal)->int", vec![d(300), i(2)], i(3)),
        ("cast(decimal)->decimal", vec![d(1200), i(3), i(4), i(1)], d(12)),
        ("decimal.add", vec![d(99), d(1), i(3)], d(100)),
        ("decimal.sub", vec![d(1), d(2), i(3)], d(-1)),
        ("decimal.mul", vec![d(-12), d(12), i(5)], d(-144)),
        ("decimal.rem", vec![d(-7), d(3)], d(-1)),
        ("decimal.compare", vec![d(-7), d(3)], i(-1)),
    ]);
    check_fails(&[
        ("cast(float)->decimal", vec![f(0.125), i(10), i(2)], "does not fit"),
        ("cast(float)->decimal", vec![f(f64::NAN), i(10), i(2)], "does not fit"),
        ("cast(int)->decimal", vec![i(100), i(3), i(2)], "does not fit"),
        ("cast(decimal)->int", vec![d(301), i(2)], "`int`"),
        ("cast(decimal)->decimal", vec![d(1201), i(3), i(4), i(1)], "does not fit"),
        ("decimal.add", vec![d(99), d(1), i(2)], "overflow"),
        ("decimal.mul", vec![d(i128::MAX), d(2), i(38)], "overflow"),
        ("decimal.rem", vec![d(1), d(0)], "division by zero"),
    ]);
}

#[test]
fn null_is_never_seen_by_a_conversion() {
    assert_eq!(call("cast(float)->int", &[Value::Null]), Ok(Value::Null));
}
