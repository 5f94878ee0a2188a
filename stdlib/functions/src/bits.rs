//! Integers as bits and as digits.
//!
//! This file must not know slots.

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_macros::functions;
use chalk_types::Value;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn checked_base(base: i64) -> Result<u32, FunctionError> {
    if (2..=36).contains(&base) {
        Ok(base as u32)
    } else {
        Err(format!("the base {base} is not between 2 and 36").into())
    }
}

fn check_base(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[1] {
        Some(Value::Int(base)) if !(2..=36).contains(base) => {
            Err((1, format!("the base {base} is not between 2 and 36")))
        }
        _ => Ok(()),
    }
}

fn shift_count(n: i64) -> Result<u32, FunctionError> {
    if n < 0 { Err(format!("cannot shift by {n} bits").into()) } else { Ok(n.min(64) as u32) }
}

#[functions(family = "math")]
mod defs {
    use super::*;

    /// The bits that both have.
    ///
    /// ```chalk
    /// bitwise_and(12, 10) == 8
    /// ```
    #[function(signature = "bitwise_and(a: int, b: int) -> int", known_as = "bit_and, bitand", lower = IrOp::BitAnd)]
    fn bitwise_and(a: i64, b: i64) -> i64 {
        a & b
    }

    /// The bits that either has.
    ///
    /// ```chalk
    /// bitwise_or(12, 10) == 14
    /// ```
    #[function(signature = "bitwise_or(a: int, b: int) -> int", known_as = "bit_or, bitor", lower = IrOp::BitOr)]
    fn bitwise_or(a: i64, b: i64) -> i64 {
        a | b
    }

    /// The bits that one of both has.
    ///
    /// ```chalk
    /// bitwise_xor(12, 10) == 6
    /// ```
    #[function(signature = "bitwise_xor(a: int, b: int) -> int", known_as = "bit_xor, bitxor", lower = IrOp::BitXor)]
    fn bitwise_xor(a: i64, b: i64) -> i64 {
        a ^ b
    }

    /// Every bit flipped.
    ///
    /// ```chalk
    /// bitwise_not(0) == -1
    /// ```
    #[function(signature = "bitwise_not(a: int) -> int", lower = IrOp::BitNot)]
    fn bitwise_not(a: i64) -> i64 {
        !a
    }

    /// The bits moved up by `n`; those that leave the 64 are lost. A negative `n` fails the message.
    ///
    /// ```chalk
    /// bitwise_left_shift(1, 10) == 1024
    /// ```
    #[function(signature = "bitwise_left_shift(v: int, n: int) -> int", known_as = "shift_left, shiftleft")]
    fn bitwise_left_shift(v: i64, n: i64) -> Result<i64, FunctionError> {
        Ok(v.checked_shl(shift_count(n)?).unwrap_or(0))
    }

    /// The bits moved down by `n`, filled with zeros. A negative `n` fails the message.
    ///
    /// ```chalk
    /// bitwise_right_shift(1024, 10) == 1
    /// bitwise_right_shift(-1, 60) == 15
    /// ```
    #[function(signature = "bitwise_right_shift(v: int, n: int) -> int", known_as = "shift_right, shiftright")]
    fn bitwise_right_shift(v: i64, n: i64) -> Result<i64, FunctionError> {
        Ok((v as u64).checked_shr(shift_count(n)?).unwrap_or(0) as i64)
    }

    /// The bits moved down by `n`, filled with the sign. A negative `n` fails the message.
    ///
    /// ```chalk
    /// bitwise_arithmetic_shift_right(-8, 1) == -4
    /// ```
    #[function(signature = "bitwise_arithmetic_shift_right(v: int, n: int) -> int")]
    fn bitwise_arithmetic_shift_right(v: i64, n: i64) -> Result<i64, FunctionError> {
        Ok(v >> shift_count(n)?.min(63))
    }

    /// The digits of an int in a base from 2 to 36, in lower case.
    ///
    /// ```chalk
    /// to_base(255, 16) == "ff"
    /// to_base(-255, 16) == "-ff"
    /// ```
    #[function(signature = "to_base(n: int, base: int) -> string", check = check_base)]
    fn to_base(cx: &CallContext, n: i64, base: i64) -> Result<&str, FunctionError> {
        let base = u64::from(checked_base(base)?);
        let mut digits = [0u8; 65];
        let mut start = digits.len();
        let mut rest = n.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = DIGITS[(rest % base) as usize];
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        if n < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Ok(cx.arena.copy_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII")))
    }

    /// The int that digits in a base from 2 to 36 stand for; case does not count, a sign may stand first. What is no such
    /// number, or past 64 bits, fails the message.
    ///
    /// ```chalk
    /// from_base("ff", 16) == 255
    /// from_base("-101", 2) == -5
    /// ```
    #[function(signature = "from_base(s: string, base: int) -> int", check = check_base)]
    fn from_base(s: &str, base: i64) -> Result<i64, FunctionError> {
        i64::from_str_radix(s, checked_base(base)?).map_err(|_| format!("`{s}` is no number in base {base}").into())
    }
}
