//! The conversions behind `as`: each gives the exact value or fails.
//!
//! `as T` calls them as they are; `as T?` takes a failure for null. They are hidden: no user can write their names.
//! Conversions that are one machine instruction (bool to int, between widths of integers) are generated code's own.
//!
//! This file must not know slots, or how a failure is turned into null.

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::{Date, Datetime, Decimal, Time};
use chalk_macros::functions;
use chalk_types::{format_date, format_datetime, format_float, format_time};

use crate::calendar::DAY_US;
use crate::{decimal_text, iso};

/// The text without the blanks around it that `as` allows.
fn unpadded(s: &str) -> &str {
    s.trim_matches(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'))
}

/// Why a text is not what was wanted.
fn not_a(what: &str, s: &str) -> FunctionError {
    let mut shown: String = s.chars().take(40).collect();
    if shown.len() < s.len() {
        shown.push('…');
    }
    format!("{shown:?} is no {what}").into()
}

fn does_not_fit(value: impl std::fmt::Display, what: &str) -> FunctionError {
    format!("{value} does not fit `{what}`").into()
}

#[functions(family = "cast")]
mod defs {
    use super::*;

    #[function(signature = "cast(string)->int(x: string) -> int", hidden)]
    fn text_to_int(x: &str) -> Result<i64, FunctionError> {
        unpadded(x).parse().map_err(|_| not_a("int", x))
    }

    #[function(signature = "cast(string)->uint64(x: string) -> uint64", hidden)]
    fn text_to_uint64(x: &str) -> Result<u64, FunctionError> {
        unpadded(x).parse().map_err(|_| not_a("uint64", x))
    }

    #[function(signature = "cast(string)->float(x: string) -> float", hidden)]
    fn text_to_float(x: &str) -> Result<f64, FunctionError> {
        let text = unpadded(x);
        let value: f64 = text.parse().map_err(|_| not_a("float", x))?;
        // A number past the range is no infinity.
        if value.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
            return Err(does_not_fit(text, "float"));
        }
        Ok(value)
    }

    #[function(signature = "cast(string)->bool(x: string) -> bool", hidden)]
    fn text_to_bool(x: &str) -> Result<bool, FunctionError> {
        let text = unpadded(x);
        let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(["true", "t", "1"]) {
            Ok(true)
        } else if is(["false", "f", "0"]) {
            Ok(false)
        } else {
            Err(not_a("bool", x))
        }
    }

    #[function(signature = "cast(string)->datetime(x: string) -> datetime", hidden)]
    fn text_to_datetime(x: &str) -> Result<Datetime, FunctionError> {
        match iso::datetime(unpadded(x)) {
            Some(iso::Written { local_us, offset_us: Some(offset_us) }) => Ok(Datetime(local_us - offset_us)),
            Some(_) => Err(not_a("datetime: it has no offset such as `Z` or `+01:00`", x)),
            None => Err(not_a("datetime such as \"2023-11-14T22:13:20Z\"", x)),
        }
    }

    #[function(signature = "cast(string)->date(x: string) -> date", hidden)]
    fn text_to_date(x: &str) -> Result<Date, FunctionError> {
        iso::date(unpadded(x)).map(Date).ok_or_else(|| not_a("date such as \"2023-11-14\"", x))
    }

    #[function(signature = "cast(string)->time(x: string) -> time", hidden)]
    fn text_to_time(x: &str) -> Result<Time, FunctionError> {
        iso::time(unpadded(x)).map(Time).ok_or_else(|| not_a("time such as \"22:13:20\"", x))
    }

    #[function(signature = "cast(int)->string(x: int) -> string", hidden)]
    fn int_to_text(cx: &CallContext, x: i64) -> &str {
        let mut text = cx.text();
        write_int(&mut text, x < 0, x.unsigned_abs());
        text.finish()
    }

    #[function(signature = "cast(uint64)->string(x: uint64) -> string", hidden)]
    fn uint64_to_text(cx: &CallContext, x: u64) -> &str {
        let mut text = cx.text();
        write_int(&mut text, false, x);
        text.finish()
    }

    #[function(signature = "cast(float)->string(x: float) -> string", hidden)]
    fn float_to_text(x: f64) -> String {
        format_float(x)
    }

    /// The shortest text that reads back as the same float32.
    #[function(signature = "cast(float32)->string(x: float32) -> string", hidden)]
    fn float32_to_text(x: f32) -> String {
        if x.is_finite() { format!("{x:?}") } else { format_float(f64::from(x)) }
    }

    #[function(signature = "cast(bool)->string(x: bool) -> string", hidden)]
    fn bool_to_text(x: bool) -> &'static str {
        if x { "true" } else { "false" }
    }

    #[function(signature = "cast(datetime)->string(x: datetime) -> string", hidden)]
    fn datetime_to_text(x: Datetime) -> String {
        format_datetime(x.0)
    }

    #[function(signature = "cast(date)->string(x: date) -> string", hidden)]
    fn date_to_text(x: Date) -> String {
        format_date(x.0)
    }

    #[function(signature = "cast(time)->string(x: time) -> string", hidden)]
    fn time_to_text(x: Time) -> String {
        format_time(x.0)
    }

    #[function(signature = "cast(float)->int(x: float) -> int", hidden)]
    fn float_to_int(x: f64) -> Result<i64, FunctionError> {
        // 2^63 is a float, the greatest int is not.
        if x.trunc() == x && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x) {
            Ok(x as i64)
        } else {
            Err(does_not_fit(format_float(x), "int"))
        }
    }

    #[function(signature = "cast(float)->uint64(x: float) -> uint64", hidden)]
    fn float_to_uint64(x: f64) -> Result<u64, FunctionError> {
        if x.trunc() == x && (0.0..18_446_744_073_709_551_616.0).contains(&x) {
            Ok(x as u64)
        } else {
            Err(does_not_fit(format_float(x), "uint64"))
        }
    }

    #[function(signature = "cast(datetime)->date(x: datetime) -> date", hidden)]
    fn datetime_to_date(x: Datetime) -> Date {
        Date(x.0.div_euclid(DAY_US) as i32)
    }

    #[function(signature = "cast(datetime)->time(x: datetime) -> time", hidden)]
    fn datetime_to_time(x: Datetime) -> Time {
        Time(x.0.rem_euclid(DAY_US))
    }

    #[function(signature = "cast(date)->datetime(x: date) -> datetime", hidden)]
    fn date_to_datetime(x: Date) -> Result<Datetime, FunctionError> {
        let us = i64::from(x.0).checked_mul(DAY_US).ok_or_else(|| does_not_fit(format_date(x.0), "datetime"))?;
        Ok(Datetime(us))
    }

    #[function(signature = "cast(string)->decimal(x: string, precision: int, scale: int) -> decimal", hidden)]
    fn text_to_decimal(x: &str, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
        let what = || format!("decimal({precision}, {scale})");
        match decimal_text::parse(unpadded(x), precision as u32, scale as u32) {
            Ok(value) => Ok(Decimal(value)),
            Err(decimal_text::Refused::Malformed) => Err(not_a(&what(), x)),
            Err(decimal_text::Refused::DoesNotFit) => Err(does_not_fit(unpadded(x), &what())),
        }
    }

    /// By the shortest text of the float: `0.1` is a tenth.
    #[function(signature = "cast(float)->decimal(x: float, precision: int, scale: int) -> decimal", hidden)]
    fn float_to_decimal(x: f64, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
        let text = format_float(x);
        decimal_text::parse(&text, precision as u32, scale as u32)
            .map(Decimal)
            .map_err(|_| does_not_fit(text, &format!("decimal({precision}, {scale})")))
    }

    #[function(signature = "cast(int)->decimal(x: int, precision: int, scale: int) -> decimal", hidden)]
    fn int_to_decimal(x: i64, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
        rescaled(i128::from(x), 0, precision, scale)
    }

    #[function(signature = "cast(uint64)->decimal(x: uint64, precision: int, scale: int) -> decimal", hidden)]
    fn uint64_to_decimal(x: u64, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
        rescaled(i128::from(x), 0, precision, scale)
    }

    /// Exact: digits that the new scale does not have must be 0.
    #[function(
        signature = "cast(decimal)->decimal(x: decimal, from_scale: int, precision: int, scale: int) -> decimal",
        hidden
    )]
    fn decimal_to_decimal(x: Decimal, from_scale: i64, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
        rescaled(x.0, from_scale, precision, scale)
    }

    #[function(signature = "cast(decimal)->string(x: decimal, scale: int) -> string", hidden)]
    fn decimal_to_text(x: Decimal, scale: i64) -> String {
        decimal_text::format(x.0, scale as u32)
    }

    /// The nearest float.
    #[function(signature = "cast(decimal)->float(x: decimal, scale: int) -> float", hidden)]
    fn decimal_to_float(x: Decimal, scale: i64) -> f64 {
        decimal_text::to_float(x.0, scale as u32)
    }

    #[function(signature = "cast(decimal)->int(x: decimal, scale: int) -> int", hidden)]
    fn decimal_to_int(x: Decimal, scale: i64) -> Result<i64, FunctionError> {
        decimal_text::rescale(x.0, scale as u32, 0)
            .and_then(|whole| i64::try_from(whole).ok())
            .ok_or_else(|| does_not_fit(decimal_text::format(x.0, scale as u32), "int"))
    }

    #[function(signature = "cast(decimal)->uint64(x: decimal, scale: int) -> uint64", hidden)]
    fn decimal_to_uint64(x: Decimal, scale: i64) -> Result<u64, FunctionError> {
        decimal_text::rescale(x.0, scale as u32, 0)
            .and_then(|whole| u64::try_from(whole).ok())
            .ok_or_else(|| does_not_fit(decimal_text::format(x.0, scale as u32), "uint64"))
    }
}

fn rescaled(x: i128, from_scale: i64, precision: i64, scale: i64) -> Result<Decimal, FunctionError> {
    decimal_text::rescale(x, from_scale as u32, scale as u32)
        .filter(|value| decimal_text::has_digits(*value, precision as u32))
        .map(Decimal)
        .ok_or_else(|| {
            does_not_fit(decimal_text::format(x, from_scale as u32), &format!("decimal({precision}, {scale})"))
        })
}

/// Decimal digits without an allocation.
fn write_int(text: &mut chalk_catalog::arena::ArenaText, negative: bool, mut magnitude: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (magnitude % 10) as u8;
        magnitude /= 10;
        if magnitude == 0 {
            break;
        }
    }
    if negative {
        text.push_str("-");
    }
    text.push_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
}
