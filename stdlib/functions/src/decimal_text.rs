//! Decimals as scaled integers: text, floats, changes of scale.
//!
//! This file must not know functions.

/// Greatest precision of a decimal.
pub(crate) const MAX_PRECISION: u32 = 38;

/// Why a text is no decimal of the wanted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no number.
    Malformed,
    /// It is a number with more digits.
    DoesNotFit,
}

/// Whether the value has at most so many digits.
pub(crate) fn has_digits(value: i128, precision: u32) -> bool {
    value.unsigned_abs() < 10u128.pow(precision.min(MAX_PRECISION))
}

/// The same number at another scale; none where digits would be lost, or past 128 bits.
pub(crate) fn rescale(value: i128, from: u32, to: u32) -> Option<i128> {
    if to >= from {
        return if value == 0 { Some(0) } else { value.checked_mul(10i128.checked_pow(to - from)?) };
    }
    let Some(factor) = 10i128.checked_pow(from - to) else { return (value == 0).then_some(0) };
    (value % factor == 0).then(|| value / factor)
}

/// Reads `-12.340e2` exactly.
pub(crate) fn parse(text: &str, precision: u32, scale: u32) -> Result<i128, Refused> {
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().map_err(|_| Refused::Malformed)?),
        None => (text, 0),
    };
    let (negative, magnitude) = match number.as_bytes().first() {
        Some(b'-') => (true, &number[1..]),
        Some(b'+') => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    // Zeros at both ends carry no digits: "1.50" fits where "1.5" does.
    let trailing_zeros = digits().rev().take_while(|digit| *digit == b'0').count();
    let significant = (whole.len() + fraction.len()) - trailing_zeros;
    let mut value: i128 = 0;
    for digit in digits().take(significant) {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(i128::from(digit - b'0')));
        value = next.ok_or(Refused::DoesNotFit)?;
    }
    if value == 0 {
        return Ok(0);
    }
    // value · 10^power is the number; at the scale it is value · 10^(power + scale).
    let power = i64::from(exponent) + trailing_zeros as i64 - fraction.len() as i64 + i64::from(scale);
    let factor = u32::try_from(power).ok().and_then(|power| 10i128.checked_pow(power)).ok_or(Refused::DoesNotFit)?;
    let value = value.checked_mul(factor).ok_or(Refused::DoesNotFit)?;
    if !has_digits(value, precision) {
        return Err(Refused::DoesNotFit);
    }
    Ok(if negative { -value } else { value })
}

/// `12.34`: as many digits after the point as the scale has.
pub(crate) fn format(value: i128, scale: u32) -> String {
    let scale = scale as usize;
    let mut digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    if value < 0 {
        digits.insert(0, '-');
    }
    digits
}

/// The nearest float.
pub(crate) fn to_float(value: i128, scale: u32) -> f64 {
    // Both exact: one correctly rounded division. Else by text, which is correctly rounded too.
    if value.unsigned_abs() < 1 << 53 && scale <= 22 {
        value as f64 / 10f64.powi(scale as i32)
    } else {
        format(value, scale).parse().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly_or_refuses() {
        for (text, precision, scale, expected) in [
            ("12.34", 4, 2, Ok(1234)),
            ("-12.3400", 4, 2, Ok(-1234)),
            ("12.345", 10, 2, Err(Refused::DoesNotFit)),
            ("100", 4, 2, Err(Refused::DoesNotFit)),
            ("1e3", 10, 2, Ok(100_000)),
            ("1.5e-1", 10, 2, Ok(15)),
            ("0.000000000000000000000000000000000000000000", 3, 1, Ok(0)),
            (".5", 3, 1, Ok(5)),
            ("", 3, 1, Err(Refused::Malformed)),
            (".", 3, 1, Err(Refused::Malformed)),
            ("1x", 3, 1, Err(Refused::Malformed)),
            ("1e", 3, 1, Err(Refused::Malformed)),
            ("99999999999999999999999999999999999999", 38, 0, Ok(10i128.pow(38) - 1)),
            ("1e2147483647", 38, 0, Err(Refused::DoesNotFit)),
            ("1e-2147483648", 38, 0, Err(Refused::DoesNotFit)),
        ] {
            assert_eq!(parse(text, precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn prints_and_reads_back() {
        for (value, scale, text) in [(-5, 3, "-0.005"), (1234, 2, "12.34"), (7, 0, "7"), (0, 2, "0.00")] {
            assert_eq!(format(value, scale), text);
            assert_eq!(parse(text, 38, scale), Ok(value));
        }
        assert_eq!(to_float(1, 1), 0.1);
        assert_eq!(to_float(i128::MAX, 38), 1.701_411_834_604_692_3);
    }
}
