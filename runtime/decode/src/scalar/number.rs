//! What a JSON number is worth, exactly: as an integer or decimal without a float in between, or as the nearest float.
//!
//! This file must not know messages or columns.

use super::grammar::check_number;
use crate::error::Outcome;

/// The text of a number that follows JSON's grammar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    text: &'a str,
}

/// Why a number is no integer of so many places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Digits are left behind the last place.
    Fraction,
    /// More than 38 digits.
    TooLarge,
}

/// Digits that every `i128` can hold.
const GREATEST_DIGITS: i64 = 38;

impl<'a> Number<'a> {
    /// The number at `at`, and the byte behind it.
    pub(crate) fn scan(bytes: &'a [u8], at: usize) -> Outcome<(Number<'a>, usize)> {
        let end = check_number(bytes, at)?;
        let text = std::str::from_utf8(&bytes[at..end]).expect("a number is ASCII");
        Ok((Number { text }, end))
    }

    /// The number that a whole text is.
    pub(crate) fn from_text(text: &'a str) -> Option<Number<'a>> {
        match check_number(text.as_bytes(), 0) {
            Ok(end) if end == text.len() => Some(Number { text }),
            _ => None,
        }
    }

    /// The number times 10 to the `scale`, where that is integral.
    pub(crate) fn scaled(&self, scale: i64) -> Result<i128, Misfit> {
        let (mantissa, exponent) = match self.text.find(['e', 'E']) {
            Some(at) => (&self.text[..at], saturating_exponent(&self.text[at + 1..])),
            None => (self.text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // The digits without their leading and trailing zeros, and the power of ten that they are multiplied by.
        let digits = || whole.bytes().chain(fraction.bytes());
        let total = whole.len() + fraction.len();
        let Some(first) = digits().position(|digit| digit != b'0') else { return Ok(0) };
        let zeros = digits().rev().take_while(|&digit| digit == b'0').count();
        let count = (total - first - zeros) as i64;
        let power = exponent + scale - fraction.len() as i64 + zeros as i64;
        if power < 0 {
            return Err(Misfit::Fraction);
        }
        if count + power > GREATEST_DIGITS {
            return Err(Misfit::TooLarge);
        }
        let mut value = 0i128;
        for digit in digits().skip(first).take(count as usize) {
            value = value * 10 + i128::from(digit - b'0');
        }
        value *= 10i128.pow(power as u32);
        Ok(if negative { -value } else { value })
    }

    /// The nearest `f64`; none where that is infinite.
    pub(crate) fn to_f64(self) -> Option<f64> {
        self.text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The nearest `f32`; none where that is infinite.
    pub(crate) fn to_f32(self) -> Option<f32> {
        self.text.parse().ok().filter(|value: &f32| value.is_finite())
    }
}

/// The exponent, held within a range that no message can leave by its own length.
fn saturating_exponent(text: &str) -> i64 {
    const GREATEST: i64 = 1 << 40;
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(GREATEST));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str, scale: i64) -> Result<i128, Misfit> {
        Number::from_text(text).unwrap().scaled(scale)
    }

    #[test]
    fn integral_numbers_are_exact_however_they_are_written() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0e999999999999999999999", 0),
            ("1.0", 1),
            ("1e3", 1000),
            ("1.5E1", 15),
            ("-12300e-2", -123),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("0.00001e5", 1),
        ] {
            assert_eq!(scaled(text, 0), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_says_why() {
        assert_eq!(scaled("1.5", 0), Err(Misfit::Fraction));
        assert_eq!(scaled("1e-99999999999999999999", 0), Err(Misfit::Fraction));
        assert_eq!(scaled("1e99999999999999999999", 0), Err(Misfit::TooLarge));
        assert_eq!(scaled("1e38", 0), Err(Misfit::TooLarge));
        assert_eq!(scaled("1.005", 2), Err(Misfit::Fraction));
        assert_eq!(scaled("1.00500", 3), Ok(1005));
    }

    #[test]
    fn floats_are_the_nearest_and_never_infinite() {
        assert_eq!(Number::from_text("0.1").unwrap().to_f64(), Some(0.1));
        assert_eq!(Number::from_text("-0").unwrap().to_f64().map(f64::to_bits), Some((-0.0f64).to_bits()));
        assert_eq!(Number::from_text("1e400").unwrap().to_f64(), None);
        assert_eq!(Number::from_text("1e-400").unwrap().to_f64(), Some(0.0));
        assert_eq!(Number::from_text("1e39").unwrap().to_f32(), None);
        assert!(Number::from_text("01").is_none());
        assert!(Number::from_text("+1").is_none());
    }
}
